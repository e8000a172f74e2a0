//! The images in a container engine, on this machine and, with an emulator, for another one.

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

/// A container engine with the image of one platform.
struct Fixture {
    podman: Podman,
    image: String,
}

impl Fixture {
    /// Returns `None` if this machine cannot run the image.
    fn new(platform: &Platform) -> Result<Option<Self>> {
        if !met(&[Requirement::Podman, Requirement::Runs(platform)])? {
            return Ok(None);
        }
        let podman = Podman::new()?;
        // Load from the index, to test that the engine finds the platform in it.
        let image = podman.load(&nix_build(repository(), "image")?, platform)?;
        Ok(Some(Self { podman, image }))
    }

    /// Starts a reporter that runs until it is stopped, waits for its first message, and returns
    /// the container ID.
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
    let Some(fixture) = Fixture::new(platform)? else {
        return Ok(());
    };
    let arguments = ["--embedded-broker", "--count", "3", "--interval", "0.1s"];
    let consumed = fixture
        .podman
        .run(&["--rm"], &fixture.image, &arguments)
        .text()?;
    let lines: Vec<&str> = consumed.lines().collect();
    assert_eq!(lines.len(), 3, "{consumed}");
    for (offset, line) in lines.iter().enumerate() {
        let start = format!("info [0] @ {offset}: Time: ");
        // It is process 1 of its PID namespace, and does not run as root.
        assert!(
            line.starts_with(&start) && line.ends_with(", PID: 1, UID: 65532"),
            "{line}"
        );
    }
    Ok(())
}

fn ends_on_sigterm(platform: &Platform) -> Result<()> {
    let Some(fixture) = Fixture::new(platform)? else {
        return Ok(());
    };
    let id = fixture.start()?;
    // Podman kills a container that does not end in time, and its exit code is then 137.
    fixture
        .podman
        .command(&["stop", "--time", "60", &id])
        .text()?;
    let code = fixture.podman.command(&["wait", &id]).text()?;
    let logs = fixture.podman.command(&["logs", &id]).outcome()?;
    let log = String::from_utf8_lossy(&logs.stderr);
    assert_eq!(code.trim(), "0", "{log}");
    assert!(log.contains("were delivered"), "{log}");
    Ok(())
}

fn asks_for_a_broker(platform: &Platform) -> Result<()> {
    let Some(fixture) = Fixture::new(platform)? else {
        return Ok(());
    };
    let output = fixture
        .podman
        .run(&["--rm"], &fixture.image, &[])
        .outcome()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("KAFKA_HOST is not set"), "{error}");
    Ok(())
}

#[test]
fn native_reporter_delivers_messages_in_a_read_only_container() -> Result<()> {
    reports_to_a_broker(&Platform::own()?)
}

#[test]
fn foreign_reporter_delivers_messages_in_a_read_only_container() -> Result<()> {
    reports_to_a_broker(&Platform::foreign()?)
}

#[test]
fn native_reporter_delivers_everything_before_it_ends_on_sigterm() -> Result<()> {
    ends_on_sigterm(&Platform::own()?)
}

#[test]
fn foreign_reporter_delivers_everything_before_it_ends_on_sigterm() -> Result<()> {
    ends_on_sigterm(&Platform::foreign()?)
}

#[test]
fn native_reporter_without_a_broker_explains_what_to_set() -> Result<()> {
    asks_for_a_broker(&Platform::own()?)
}

#[test]
fn foreign_reporter_without_a_broker_explains_what_to_set() -> Result<()> {
    asks_for_a_broker(&Platform::foreign()?)
}

#[test]
fn reporter_with_embedded_broker_needs_less_than_20_mb_of_memory() -> Result<()> {
    let Some(fixture) = Fixture::new(&Platform::own()?)? else {
        return Ok(());
    };
    let id = fixture.start()?;
    let pid = fixture
        .podman
        .command(&["inspect", "--format", "{{.State.Pid}}", &id])
        .text()?;
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
    // Peak resident memory in units of 1024 bytes: proc(5).
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
