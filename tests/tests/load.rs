//! Tests of `slipway load` and `--output` with real container engines.

use std::path::Path;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::containerd::Containerd;
use end_to_end::docker::Docker;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::skopeo::{SKOPEO, inspect, skopeo};
use end_to_end::slipway::slipway;
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "localhost/reporter:dev";
const RUN: [&str; 4] = [
    "--embedded-broker",
    "--count=1",
    "--interval=0.1s",
    "--topic=x",
];

/// The index, and the image ID of one of its platforms, which is the digest of its configuration.
fn image(platform: &Platform) -> Result<(String, String)> {
    let layout = nix_build(repository(), "image")?;
    let manifest = inspect_platform(&layout, platform.architecture())?;
    let id = manifest["config"]["digest"].as_str();
    let id = id.context("a manifest without a config")?.to_owned();
    Ok((layout.display().to_string(), id))
}

fn inspect_platform(layout: &Path, architecture: &str) -> Result<Value> {
    let index = inspect(layout, &["--raw"])?;
    let manifests = index["manifests"].as_array().context("not an index")?;
    let named = manifests
        .iter()
        .find(|it| it["platform"]["architecture"] == architecture)
        .and_then(|it| it["digest"].as_str())
        .context("the platform is not in the index")?;
    let blob = layout.join("blobs").join(named.replace(':', "/"));
    Ok(serde_json::from_slice(&std::fs::read(blob)?)?)
}

#[test]
fn podman_gets_the_native_and_the_foreign_image_under_all_names() -> Result<()> {
    for platform in [Platform::own()?, Platform::foreign()?] {
        if !met(&[Requirement::Podman, Requirement::Runs(&platform), SKOPEO])? {
            return Ok(());
        }
        let (layout, id) = image(&platform)?;
        let podman = Podman::new()?;
        let mut load = slipway(&["load", &layout, "-t", NAME, "-t", "localhost/other:1"])?;
        load.args(["--into", "podman"]).envs(podman.environment());
        if !platform.is_native() {
            load.args(["--platform", &platform.oci]);
        }
        let printed = load.text()?;
        assert!(printed.contains(&id), "{printed}");
        for name in [NAME, "localhost/other:1"] {
            let shown = podman
                .command(&["image", "inspect", "--format={{.Id}}", name])
                .text()?;
            assert_eq!(shown.trim(), id.trim_start_matches("sha256:"));
        }
        let told = podman.run(&["--rm"], NAME, &RUN).text()?;
        assert!(told.contains(", PID: 1, UID: 65532"), "{told}");
        assert_reads_saved_image(&id, |file| {
            // Podman's Docker archives do not support zstd layers.
            let save = ["save", "--format=oci-archive", "--output", file, NAME];
            podman.command(&save).text().map(|_| ())
        })?;
    }
    Ok(())
}

#[test]
fn docker_gets_the_image_and_runs_it() -> Result<()> {
    let platform = Platform::own()?;
    let needed = [
        Requirement::Root("a Docker daemon of one's own"),
        Requirement::Program("dockerd", "docker.io"),
        Requirement::Program("containerd", "containerd"),
        SKOPEO,
    ];
    if !met(&needed)? {
        return Ok(());
    }
    let (layout, id) = image(&platform)?;
    let docker = Docker::start()?;
    let mut load = slipway(&[
        "load",
        &layout,
        "-t",
        NAME,
        "-t",
        "localhost/other:1",
        "--into",
        "docker",
    ])?;
    load.envs(docker.environment()).text()?;
    for name in [NAME, "localhost/other:1"] {
        let shown = docker
            .docker(&["image", "inspect", "--format={{.Id}}", name])
            .text()?;
        assert_eq!(shown.trim(), id);
    }
    let told = docker
        .docker(
            &[
                &["run", "--rm", "--read-only", "--network=host", NAME][..],
                &RUN,
            ]
            .concat(),
        )
        .text()?;
    assert!(told.contains(", UID: 65532"), "{told}");
    assert_reads_saved_image(&id, |file| {
        let save = docker.docker(&["save", "--output", file, NAME]).text();
        save.map(|_| ())
    })
}

/// Checks that slipway reads the same image from an archive that an engine saved.
fn assert_reads_saved_image(id: &str, save: impl Fn(&str) -> Result<()>) -> Result<()> {
    let place = TempDir::new()?;
    let file = place.path().join("saved.tar").display().to_string();
    save(&file)?;
    let saved = format!("{file}:{NAME}");
    let shown = slipway(&["inspect", &saved])?.text()?;
    assert!(shown.contains(id), "{shown}");
    slipway(&["verify", &saved])?.text()?;
    Ok(())
}

#[test]
fn containerd_gets_the_unchanged_image_of_each_platform() -> Result<()> {
    let needed = [
        Requirement::Root("a containerd of one's own"),
        Requirement::Program("containerd", "containerd"),
        SKOPEO,
    ];
    if !met(&needed)? {
        return Ok(());
    }
    let containerd = Containerd::start()?;
    for platform in [Platform::own()?, Platform::foreign()?] {
        let (layout, id) = image(&platform)?;
        let name = format!("localhost/reporter:{}", platform.name);
        let mut load = slipway(&["load", &layout, "-t", &name, "--into", "containerd"])?;
        load.args(["--platform", &platform.oci])
            .envs(containerd.environment());
        let printed = load.text()?;
        assert!(printed.contains(&id), "{printed}");
        let manifest = inspect_platform(Path::new(&layout), platform.architecture())?;
        let listed = containerd.ctr(&["images", "list"]).text()?;
        let line = listed.lines().find(|line| line.starts_with(&name));
        let line = line.with_context(|| format!("{name} is not in {listed}"))?;
        assert!(line.contains(&platform.oci), "{line}");
        let blobs = containerd.ctr(&["content", "list", "--quiet"]).text()?;
        assert!(
            blobs.contains(
                manifest["layers"][0]["digest"]
                    .as_str()
                    .context("no layer")?
            )
        );
    }
    Ok(())
}

#[test]
fn outputs_are_read_by_skopeo_and_have_the_same_digests() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let place = TempDir::new()?;
    let at = |name: &str| place.path().join(name).display().to_string();
    let (layout, id) = image(&Platform::own()?)?;
    let outputs = [
        format!("type=oci,dest={}", at("layout")),
        format!("type=oci,dest={}", at("oci.tar")),
        format!("type=docker,dest={}", at("docker.tar")),
    ];
    let mut build = slipway(&["build", "-t", NAME, "--metadata-file", &at("metadata")])?;
    build.arg("--out-link").arg(at("result"));
    for output in &outputs {
        build.args(["--output", output]);
    }
    build.text()?;

    let raw = inspect(Path::new(&layout), &["--raw"])?;
    for name in [
        format!("oci:{}", at("layout")),
        format!("oci-archive:{}", at("oci.tar")),
    ] {
        let text = skopeo(&["inspect", "--raw", &name])?;
        assert_eq!(serde_json::from_str::<Value>(&text)?, raw, "{name}");
    }
    let text = skopeo(&[
        "inspect",
        "--raw",
        &format!("docker-archive:{}", at("docker.tar")),
    ])?;
    assert!(text.contains(&id), "{text}");
    let metadata: Value = serde_json::from_slice(&std::fs::read(at("metadata"))?)?;
    let top = inspect_digest(Path::new(&layout))?;
    assert_eq!(metadata["containerimage.digest"], top.as_str());
    assert_eq!(metadata["image.name"], NAME);

    // Slipway also reads its own archive.
    if met(&[Requirement::Podman])? {
        let podman = Podman::new()?;
        let mut load = slipway(&["load", &at("oci.tar"), "--into", "podman"])?;
        let printed = load.envs(podman.environment()).text()?;
        assert!(
            printed.starts_with("localhost/reporter:latest is in podman"),
            "{printed}"
        );
    }
    Ok(())
}

fn inspect_digest(layout: &Path) -> Result<String> {
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str();
    Ok(digest.context("index.json names nothing")?.to_owned())
}

#[test]
fn adds_labels_and_annotations_to_the_sent_image() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let place = TempDir::new()?;
    let at = |name: &str| place.path().join(name).display().to_string();
    let output = format!("type=oci,dest={}", at("layout"));
    let platforms = Platform::defaults()?;
    let names: Vec<&str> = platforms.iter().map(|it| it.oci.as_str()).collect();
    slipway(&["build", "--platform", &names.join(","), "--output", &output])?
        .args([
            "--label",
            "team=harbour",
            "--annotation",
            "a=b",
            "--annotation",
            "index:c=d=e",
        ])
        .arg("--out-link")
        .arg(at("result"))
        .text()?;
    let layout = place.path().join("layout");
    let index = inspect(&layout, &["--raw"])?;
    assert_eq!(index["annotations"]["c"], "d=e");
    for platform in platforms {
        let manifest = inspect_platform(&layout, platform.architecture())?;
        assert_eq!(manifest["annotations"]["a"], "b");
        let shown = inspect(&layout, &["--override-arch", platform.architecture()]);
        assert_eq!(shown?["Labels"]["team"], "harbour");
    }
    Ok(())
}

#[test]
fn a_single_platform_gives_an_image_without_an_index() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let place = TempDir::new()?;
    let at = |name: &str| place.path().join(name).display().to_string();
    let mut build = slipway(&[
        "build",
        "--platform",
        &Platform::foreign()?.oci,
        "--output",
        &at("layout"),
    ])?;
    build.arg("--out-link").arg(at("result")).text()?;
    let manifest = inspect(&place.path().join("layout"), &["--raw"])?;
    assert!(manifest["config"].is_object(), "{manifest}");
    Ok(())
}

#[test]
fn rejects_bad_arguments_before_building() -> Result<()> {
    let place = TempDir::new()?;
    let at = |name: &str| place.path().join(name).display().to_string();
    std::fs::write(place.path().join("taken"), "")?;
    for (arguments, reason) in [
        (
            vec!["build", "-t", NAME],
            "goes nowhere; add --push, --load or --output",
        ),
        (vec!["build", "--push"], "--tag"),
        (
            vec!["build", "--output", "type=zip,dest=x"],
            "there is no type \"zip\"",
        ),
        (vec!["build", "--output", &at("taken")], "exists already"),
        (
            vec!["build", "--output", &format!("type=docker,dest={}", at(""))],
            "is a directory",
        ),
        (
            vec!["build", "--label", "x=y"],
            "add --push, --load or --output",
        ),
        (vec!["build", "--label", "x"], "not NAME=VALUE"),
        (
            vec!["build", "--platform", "linux/mips"],
            "is not a platform that can be built",
        ),
        (vec!["build", "--platform", "arm64"], "linux/arm64"),
        (vec!["build", "-t", "UPPER", "--load"], "UPPER"),
        (vec!["load", &at("nothing")], "nothing"),
        (vec!["load", &at("taken")], "taken"),
        (vec!["load", &at("")], "not an OCI image layout"),
    ] {
        let mut command = slipway(&arguments)?;
        let printed = command.failure()?;
        assert!(printed.contains(reason), "{arguments:?}: {printed}");
        assert!(printed.starts_with("error: "), "{arguments:?}: {printed}");
    }
    assert_eq!(std::fs::read_dir(place.path())?.count(), 1);
    Ok(())
}

#[test]
fn error_names_missing_engines() -> Result<()> {
    let layout = nix_build(repository(), "image")?.display().to_string();
    let place = TempDir::new()?;
    let mut load = slipway(&["load", &layout])?;
    let printed = load.env("PATH", place.path()).failure()?;
    for engine in ["podman", "docker", "ctr"] {
        assert!(
            printed.contains(&format!("there is no {engine}")),
            "{printed}"
        );
    }
    Ok(())
}
