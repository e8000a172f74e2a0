//! The images in a container engine, on this machine and, emulated, on another.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};

/// An engine that holds the image of one platform.
struct Scene {
    podman: Podman,
    image: String,
}

impl Scene {
    /// None if this machine can't run that.
    fn new(platform: &Platform) -> Result<Option<Self>> {
        if !met(&[Requirement::Podman, Requirement::Runs(platform)])? {
            return Ok(None);
        }
        let podman = Podman::new()?;
        // The index, so that it is also tested that the engine finds the platform in it.
        let image = podman.load(&nix_build(repository(), "image")?, platform)?;
        Ok(Some(Self { podman, image }))
    }

    /// Starts a reporter without an end, waits for its first message, and gives the container's id.
    fn start(&self) -> Result<String> {
        let arguments = ["--embedded-broker", "--interval", "0.1s"];
        let id = self
            .podman
            .run(&["--detach"], &self.image, &arguments)
            .text()?;
        let id = id.trim().to_owned();
        for _ in 0..600 {
            if self
                .podman
                .command(&["logs", &id])
                .text()?
                .contains("Time: ")
            {
                return Ok(id);
            }
            thread::sleep(Duration::from_millis(100));
        }
        let logs = self.podman.command(&["logs", &id]).outcome()?;
        anyhow::bail!("no message came: {}", String::from_utf8_lossy(&logs.stderr))
    }
}

fn reports_to_a_broker(platform: &Platform) -> Result<()> {
    let Some(scene) = Scene::new(platform)? else {
        return Ok(());
    };
    let arguments = ["--embedded-broker", "--count", "3", "--interval", "0.1s"];
    let consumed = scene
        .podman
        .run(&["--rm"], &scene.image, &arguments)
        .text()?;
    let lines: Vec<&str> = consumed.lines().collect();
    assert_eq!(lines.len(), 3, "{consumed}");
    for (offset, line) in lines.iter().enumerate() {
        let start = format!("info [0] @ {offset}: Time: ");
        // alone in its PID namespace, and not root
        assert!(
            line.starts_with(&start) && line.ends_with(", PID: 1, UID: 65532"),
            "{line}"
        );
    }
    Ok(())
}

fn ends_on_sigterm(platform: &Platform) -> Result<()> {
    let Some(scene) = Scene::new(platform)? else {
        return Ok(());
    };
    let id = scene.start()?;
    // Were it not to end by itself, podman would kill it, and the exit code be 137.
    scene
        .podman
        .command(&["stop", "--time", "60", &id])
        .text()?;
    let code = scene.podman.command(&["wait", &id]).text()?;
    let logs = scene.podman.command(&["logs", &id]).outcome()?;
    let log = String::from_utf8_lossy(&logs.stderr);
    assert_eq!(code.trim(), "0", "{log}");
    assert!(log.contains("were delivered"), "{log}");
    Ok(())
}

fn asks_for_a_broker(platform: &Platform) -> Result<()> {
    let Some(scene) = Scene::new(platform)? else {
        return Ok(());
    };
    let output = scene.podman.run(&["--rm"], &scene.image, &[]).outcome()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("KAFKA_HOST is not set"), "{error}");
    Ok(())
}

#[test]
fn the_native_reporter_is_read_only_and_alone_and_a_consumer_reads_its_messages() -> Result<()> {
    reports_to_a_broker(&Platform::own()?)
}

#[test]
fn the_foreign_reporter_is_read_only_and_alone_and_a_consumer_reads_its_messages() -> Result<()> {
    reports_to_a_broker(&Platform::foreign()?)
}

#[test]
fn the_native_reporter_ends_on_sigterm_with_everything_delivered() -> Result<()> {
    ends_on_sigterm(&Platform::own()?)
}

#[test]
fn the_foreign_reporter_ends_on_sigterm_with_everything_delivered() -> Result<()> {
    ends_on_sigterm(&Platform::foreign()?)
}

#[test]
fn the_native_reporter_without_a_broker_says_in_one_line_what_to_set() -> Result<()> {
    asks_for_a_broker(&Platform::own()?)
}

#[test]
fn the_foreign_reporter_without_a_broker_says_in_one_line_what_to_set() -> Result<()> {
    asks_for_a_broker(&Platform::foreign()?)
}

#[test]
fn the_reporter_has_under_20_mb_of_resident_memory_even_with_a_broker_within() -> Result<()> {
    let Some(scene) = Scene::new(&Platform::own()?)? else {
        return Ok(());
    };
    let id = scene.start()?;
    let pid = scene
        .podman
        .command(&["inspect", "--format", "{{.State.Pid}}", &id])
        .text()?;
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
    // the most that it ever had, in units of 1024 bytes: proc(5)
    let peak: u64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .strip_suffix("kB")?
                .trim()
                .parse()
                .ok()
        })
        .with_context(|| format!("no VmHWM: {status}"))?;
    ensure!(peak * 1024 < 20_000_000, "{peak} KiB");
    Ok(())
}
