//! Images on a base image: real files of Debian for two platforms, which Podman packs and pushes, in a
//! registry that wants logins.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::distribution::Root;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::project::Project;
use end_to_end::registry::{Guard, REGISTRY, Registry, WRITER};
use end_to_end::requirement::{Requirement, met};
use end_to_end::skopeo::SKOPEO;
use serde_json::Value;

const PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
)

func main() {
	system, _ := os.ReadFile("/etc/debian_version")
	fmt.Println("on", string(system), os.Getenv("OWNER"), os.Getenv("SSL_CERT_FILE"))
}
"#;

/// A registry and Podman with a login to it.
struct Place {
    registry: Registry,
    podman: Podman,
    project: Project,
}

impl Place {
    fn new() -> Result<Self> {
        let registry = Registry::start(Guard::Token)?;
        let podman = Podman::new()?;
        let project = Project::of(&[
            ("go.mod", "module example.com/app\n\ngo 1.24\n"),
            ("main.go", PROGRAM),
        ])?;
        let place = Self {
            registry,
            podman,
            project,
        };
        let (user, password) = WRITER;
        let host = place.registry.host().to_owned();
        let login = ["login", "--tls-verify=false", "--username", user];
        let login = [&login[..], &["--password", password, &host]].concat();
        place.logged_in(place.podman.command(&login)).text()?;
        Ok(place)
    }

    /// The command, with the login to the registry.
    fn logged_in(&self, mut command: Command) -> Command {
        let file = self.project.file(".git/login.json");
        let _ = fs::create_dir_all(self.project.file(".git"));
        command.env("REGISTRY_AUTH_FILE", file);
        command
    }

    fn podman(&self, arguments: &[&str]) -> Result<String> {
        self.logged_in(self.podman.command(arguments)).text()
    }

    fn slipway(&self, arguments: &[&str]) -> Result<Command> {
        Ok(self.logged_in(self.project.slipway(arguments)?))
    }

    /// Makes a base image for two platforms of Debian's files, and returns its reference.
    fn base(&self, platforms: [&Platform; 2]) -> Result<String> {
        let list = "localhost/base";
        self.podman(&["manifest", "create", list])?;
        for platform in platforms {
            let root = Root::oldest(platform, &["base-files", "busybox-static"])?;
            let tar = self.project.file(".git/root.tar");
            let mut command = Command::new("tar");
            command.args(["--numeric-owner", "--create", "--file"]);
            command.arg(&tar).arg("--directory").arg(root.path());
            command.arg(".").text()?;
            let tar = tar.display().to_string();
            let architecture = platform.oci.trim_start_matches("linux/");
            let image = format!("localhost/base-{architecture}");
            self.podman(&[
                "import",
                "--quiet",
                "--change=ENV OWNER=base",
                "--change=USER 7",
                "--change=LABEL vendor=example",
                &format!("--arch={architecture}"),
                &tar,
                &image,
            ])?;
            self.podman(&[
                "manifest",
                "add",
                list,
                &format!("containers-storage:{image}"),
            ])?;
        }
        let reference = format!("{}/bases/debian:1", self.registry.host());
        let push = ["manifest", "push", "--all", "--tls-verify=false", list];
        self.podman(&[&push[..], &[&format!("docker://{reference}")]].concat())?;
        Ok(reference)
    }

    /// What `skopeo inspect --raw` prints of a reference.
    fn raw(&self, reference: &str) -> Result<Value> {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--raw", "--tls-verify=false"]);
        skopeo.arg(format!("docker://{reference}"));
        Ok(serde_json::from_str(&self.logged_in(skopeo).text()?)?)
    }
}

/// The digest in an index of the image for an architecture.
fn digest_of<'a>(index: &'a Value, architecture: &str) -> Result<&'a str> {
    let manifests = index["manifests"].as_array().context("no index")?;
    let fits = |it: &&Value| it["platform"]["architecture"] == architecture;
    let found = manifests.iter().find(fits).context("no such image")?;
    found["digest"].as_str().context("no digest")
}

fn layers(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().into_iter().flatten();
    layers.map(|it| it["digest"].to_string()).collect()
}

#[test]
fn an_image_on_a_base_runs_and_reuses_its_layers() -> Result<()> {
    if !met(&[
        Requirement::Root("to unpack a base image"),
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Podman,
        REGISTRY,
        SKOPEO,
    ])? {
        return Ok(());
    }
    let place = Place::new()?;
    let platforms = [&Platform::own()?, &Platform::foreign()?];
    let host = place.registry.host();
    let reference = place.base(platforms)?;
    let index = place.raw(&reference)?;
    place.slipway(&["init"])?.text()?;
    place.project.edit("flake.nix", |text| {
        let image = format!("src = ./.;\n      image.base = \"{reference}\";");
        text.replace("src = ./.;", &image)
    })?;

    // The reference has to be pinned first.
    let error = place.slipway(&["build"])?.failure()?;
    let next =
        format!("slipway.lock has no base image {reference}; run: slipway add --base {reference}");
    ensure!(error.contains(&next), "{error}");
    place.slipway(&["add", "--base", &reference])?.text()?;
    let lock = place.project.read("slipway.lock")?;
    for platform in platforms {
        ensure!(lock.contains(&format!("platform = \"{}\"", platform.oci)));
    }

    place.slipway(&["build"])?.text()?;
    let layout = place.project.file("result");
    let id = place.podman.load(&layout.canonicalize()?, platforms[0])?;
    let printed = place.podman.run(&["--network=none"], &id, &[]).text()?;
    ensure!(
        printed.starts_with("on ") && printed.ends_with(" base \n"),
        "{printed}"
    );
    // Debian's packages have devices, which Podman packs.
    let verified = place.slipway(&["verify", "result"])?.text()?;
    ensure!(
        verified.contains("warning: the base image: has "),
        "{verified}"
    );

    // A push mounts the layers of the base from its repository.
    let target = format!("{host}/apps/app:1");
    let pushed = place.slipway(&["push", "./result", &target])?.outcome()?;
    let steps = String::from_utf8(pushed.stderr)?;
    let mounted = steps.lines().filter(|line| line.contains("mounted"));
    assert_eq!(mounted.count(), platforms.len(), "{steps}");
    let own = place.raw(&target)?;
    for platform in platforms {
        let architecture = platform.oci.trim_start_matches("linux/");
        let manifest = |repository: &str, index: &Value| {
            let digest = digest_of(index, architecture)?;
            place.raw(&format!("{host}/{repository}@{digest}"))
        };
        let (base, image) = (
            manifest("bases/debian", &index)?,
            manifest("apps/app", &own)?,
        );
        ensure!(layers(&image).starts_with(&layers(&base)), "{image:#}");
        let annotation = &image["annotations"]["org.opencontainers.image.base.name"];
        assert_eq!(annotation, &Value::from(reference.clone()));
    }

    // A base for one platform.
    let digest = digest_of(&index, platforms[0].oci.trim_start_matches("linux/"))?;
    let single = format!("{host}/bases/debian@{digest}");
    place.slipway(&["add", "--base", &single])?.text()?;
    let other = |text: String| text.replace(&reference, &single);
    place.project.edit("flake.nix", other)?;
    let error = place.slipway(&["build"])?.failure()?;
    let [own, foreign] = platforms.map(|platform| &platform.oci);
    let expected = format!("the base image {single} has no image for {foreign}, but for {own};");
    ensure!(error.contains(&expected), "{error}");
    Ok(())
}
