//! Tests of `slipway dev` with a small program in Go, Podman and a registry.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use end_to_end::command::CommandExt;
use end_to_end::daemon::Daemon;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::project::Project;
use end_to_end::registry::{Guard, REGISTRY, Registry};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;

/// What is printed before each wait for a save.
const WAITS: &str = "waiting for the next save";

/// A program that prints a word, its arguments and a variable, and runs until SIGTERM.
fn program(word: &str) -> String {
    format!(
        r#"package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {{
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	fmt.Println("{word}", os.Args[1:], os.Getenv("NAME"))
	<-end
	fmt.Println("end of {word}")
}}
"#
    )
}

/// Waits until the log has this text so many times.
fn wait_for(log: &Path, text: &str, count: usize) -> Result<String> {
    for _ in 0..1200 {
        let found = fs::read_to_string(log)?;
        if found.matches(text).count() >= count {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("no {text:?}:\n{}", fs::read_to_string(log)?)
}

fn containers(podman: &Podman) -> Result<Vec<String>> {
    let list = ["ps", "--all", "--no-trunc", "--format={{.ImageID}}"];
    let listed = podman.command(&list).text()?;
    Ok(listed.lines().map(str::to_owned).collect())
}

#[test]
fn each_save_replaces_the_container_or_pushes_the_image() -> Result<()> {
    if !met(&[Requirement::Podman, REGISTRY])? {
        return Ok(());
    }
    let project = Project::of(&[
        ("go.mod", "module example.com/app\n\ngo 1.24\n"),
        ("main.go", &program("one")),
    ])?;
    let own = Platform::own()?.oci;
    project.slipway(&["init"])?.text()?;
    // The first build takes longer than the tests wait.
    project.slipway(&["build", "--platform", &own])?.text()?;

    replaces_the_container(&project)?;
    pushes_the_image(&project)
}

fn replaces_the_container(project: &Project) -> Result<()> {
    let podman = Podman::new()?;
    let place = tempfile::tempdir()?;
    let log = place.path().join("log");
    let options = ["--into", "podman", "--env", "NAME=value"];
    let mut dev = project.slipway(&[&["dev"], &options[..], &["--", "a", "b"]].concat())?;
    dev.envs(podman.environment());
    let mut dev = Daemon::start(&mut dev, log.clone(), || {
        Ok(fs::read_to_string(&log)?.contains("one [a b] value"))
    })?;
    wait_for(&log, WAITS, 1)?;
    let first = containers(&podman)?;
    ensure!(first.len() == 1, "{first:?}");

    // A build that fails leaves the container as it is.
    project.write("main.go", "package main\n\nfunc main() { broken }\n")?;
    let shown = wait_for(&log, WAITS, 2)?;
    ensure!(shown.contains("error: "), "{shown}");
    ensure!(!shown.contains("end of one"), "{shown}");
    assert_eq!(containers(&podman)?, first);

    project.write("main.go", &program("two"))?;
    wait_for(&log, "two [a b] value", 1)?;
    let shown = wait_for(&log, WAITS, 3)?;
    ensure!(shown.contains("end of one"), "{shown}");
    let second = containers(&podman)?;
    ensure!(second.len() == 1 && second != first, "{second:?}");
    let images = podman.command(&["images", "--all", "--quiet"]).text()?;
    assert_eq!(images.lines().count(), 1, "the old image is still there");

    // Files that Nix does not read do not count, nor do edits that change nothing.
    project.write("target/file", "")?;
    project.write("main.go", &program("two"))?;
    let shown = wait_for(&log, WAITS, 4)?;
    ensure!(shown.contains("the image is the same"), "{shown}");
    assert_eq!(containers(&podman)?, second);

    dev.signal("INT")?;
    dev.wait()?;
    let shown = fs::read_to_string(&log)?;
    ensure!(shown.contains("end of two"), "{shown}");
    ensure!(!shown.contains("the container ended"), "{shown}");
    assert_eq!(containers(&podman)?.len(), 0);
    Ok(())
}

fn pushes_the_image(project: &Project) -> Result<()> {
    let registry = Registry::start(Guard::Open)?;
    let name = format!("{}/app:dev", registry.host());
    let place = tempfile::tempdir()?;
    let log = place.path().join("log");
    let pinned = format!("{name}@sha256:");
    let mut dev = project.slipway(&["dev", "--push", &name])?;
    let _dev = Daemon::start(&mut dev, log.clone(), || {
        Ok(fs::read_to_string(&log)?.contains(&pinned))
    })?;
    wait_for(&log, WAITS, 1)?;
    project.write("main.go", &program("three"))?;
    let shown = wait_for(&log, &pinned, 2)?;
    let mut digests = shown
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("{name}@")));
    let (first, second) = (digests.next(), digests.next());
    assert_ne!(first, second);
    let found = slipway(&["inspect", &name, "--format", "json"])?.text()?;
    let found: Value = serde_json::from_str(&found)?;
    assert_eq!(found["digest"].as_str(), second);
    Ok(())
}
