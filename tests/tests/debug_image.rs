//! Debug images: the layers of an image, and then a shell and tools, which run in a container.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::registry::{Guard, REGISTRY, Registry};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;
use tempfile::TempDir;

/// Builds the image of a platform, and returns what `slipway inspect` says about it.
fn build(platform: &Platform, link: &Path, options: &[&str]) -> Result<Value> {
    let mut build = slipway(&["build", "--platform", &platform.oci, "--out-link"])?;
    build.arg(link).args(options).text()?;
    let mut inspect = slipway(&["inspect", "--format", "json"])?;
    Ok(serde_json::from_str(&inspect.arg(link).text()?)?)
}

fn layers(summary: &Value) -> Result<Vec<String>> {
    let layers = summary["images"][0]["layers"].as_array();
    let layers = layers.with_context(|| format!("no layers in {summary:#}"))?;
    Ok(layers.iter().map(|it| it["digest"].to_string()).collect())
}

#[test]
fn a_debug_image_is_the_image_with_a_shell_and_tools() -> Result<()> {
    if !met(&[Requirement::Podman, REGISTRY])? {
        return Ok(());
    }
    let platform = Platform::own()?;
    let directory = TempDir::new()?;
    let link = |name: &str| directory.path().join(name);
    let production = build(&platform, &link("production"), &[])?;
    let debug = build(&platform, &link("debug"), &["--debug"])?;
    ensure!(
        layers(&debug)?.starts_with(&layers(&production)?),
        "{debug:#}"
    );

    let podman = Podman::new()?;
    let image = podman.load(&link("debug").canonicalize()?, &platform)?;
    let run = |shell: &str, script: &str| {
        let options = ["--network=none", "--entrypoint", shell];
        podman.run(&options, &image, &["-c", script]).text()
    };
    assert_eq!(
        run("/bin/sh", "id -u; ls -d /usr/local/bin/ls")?,
        "65532\n/usr/local/bin/ls\n"
    );
    let version = run("/usr/local/bin/sh", "strace -V | head -n 1")?;
    ensure!(version.starts_with("strace -- version"), "{version}");

    let registry = Registry::start(Guard::Open)?;
    let reference = |name: &str| format!("{}/{name}:1", registry.host());
    for name in ["production", "debug"] {
        let mut push = slipway(&["push"])?;
        push.arg(link(name)).arg(reference(name)).text()?;
    }
    let names = ["--pod=reporter-0", "--container=reporter"];
    let commands = slipway(&["debug", &reference("debug")])?
        .args(names)
        .text()?;
    let pinned = format!("{}/debug@sha256:", registry.host());
    for expected in [
        "podman run --rm --interactive --tty --entrypoint /usr/local/bin/sh ",
        "kubectl debug reporter-0 --stdin --tty --profile=general --image=",
        &pinned,
    ] {
        ensure!(commands.contains(expected), "{commands}");
    }
    let error = slipway(&["debug", &reference("production")])?.failure()?;
    ensure!(
        error.contains("has no tools; push the debug image"),
        "{error}"
    );
    Ok(())
}
