//! Tests of the command line with the repository's own flake.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;

#[test]
fn seed_fetches_nothing_if_nothing_is_missing() -> Result<()> {
    nix_build(repository(), "image")?;
    let printed = slipway(&["seed", "--locked"])?.text()?;
    assert_eq!(printed, "nothing is missing\n");
    Ok(())
}

#[test]
fn build_prints_a_row_for_each_default_platform_and_the_index() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let link = directory.path().join("result");
    let link = link.to_str().context("TMPDIR")?;
    let table = slipway(&["build", "--locked", "--out-link", link])?.text()?;
    let first: BTreeSet<&str> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let platforms = Platform::defaults()?;
    let mut expected: BTreeSet<&str> = platforms.iter().map(|p| p.oci.as_str()).collect();
    expected.insert("index");
    assert_eq!(first, expected, "{table}");
    let digests = table
        .lines()
        .skip(1)
        .filter(|line| line.contains(" sha256:"));
    assert_eq!(digests.count(), expected.len(), "{table}");
    assert_eq!(fs::read_dir(directory.path())?.count(), expected.len());
    // Links follow the order of the table, whatever order Nix builds in.
    assert_eq!(fs::read_link(link)?, nix_build(repository(), "image")?);
    Ok(())
}

#[test]
fn build_prints_the_digests_of_nix_build() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let link = directory.path().join("result");
    let link = link.to_str().context("TMPDIR")?;
    let rows = slipway(&["build", "--locked", "--format", "json", "--out-link", link])?.text()?;
    let rows: Vec<Value> = serde_json::from_str(&rows)?;
    for row in &rows {
        let attribute = row["installable"].as_str().unwrap_or_default();
        let layout = nix_build(repository(), attribute.trim_start_matches(".#"))?;
        assert_eq!(
            row["output"].as_str().map(AsRef::as_ref),
            Some(layout.as_path())
        );
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        assert_eq!(row["digest"], index["manifests"][0]["digest"]);
    }
    assert_eq!(rows.len(), Platform::defaults()?.len() + 1);
    Ok(())
}

fn assert_runs_image_of(platform: &Platform) -> Result<()> {
    if !met(&[Requirement::Runs(platform)])? {
        return Ok(());
    }
    let layout = nix_build(repository(), "image")?;
    let layout = layout.to_str().context("store path")?;
    let arguments = ["--embedded-broker", "--count", "2", "--interval", "0.1s"];
    let run = ["run", layout, "--platform", &platform.oci, "--"];
    let messages = slipway(&[&run[..], &arguments].concat())?.text()?;
    let lines: Vec<&str> = messages.lines().collect();
    assert_eq!(lines.len(), 2, "{messages}");
    for line in lines {
        assert!(line.starts_with("info [0] @ "), "{line}");
        assert!(line.ends_with(", PID: 2, UID: 65532"), "{line}");
    }
    Ok(())
}

#[test]
fn run_prints_the_messages_of_the_native_image() -> Result<()> {
    assert_runs_image_of(&Platform::own()?)
}

#[test]
fn run_prints_the_messages_of_the_foreign_image() -> Result<()> {
    assert_runs_image_of(&Platform::foreign()?)
}

/// The program has no handler for this signal, so the signal ends it, as a crash would. An emulated
/// program did not end when it was the first process of its PID namespace.
#[test]
fn run_forwards_signals_and_reports_the_signal_that_ended_the_program() -> Result<()> {
    let layout = nix_build(repository(), "image")?;
    for platform in [Platform::own()?, Platform::foreign()?] {
        if !met(&[Requirement::Runs(&platform)])? {
            continue;
        }
        let layout = layout.to_str().context("store path")?;
        let mut run = slipway(&["run", layout, "--platform", &platform.oci, "--"])?
            .args(["--embedded-broker", "--interval", "0.1s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(run.stdout.take().context("a pipe")?).lines();
        lines.next().context("no message")??;
        Command::new("kill")
            .args(["-USR1", &run.id().to_string()])
            .text()?;
        // 128 plus the signal number.
        assert_eq!(run.wait()?.code(), Some(138), "{}", platform.oci);
    }
    Ok(())
}

#[test]
fn run_exits_with_the_exit_code_of_the_program() -> Result<()> {
    let layout = nix_build(repository(), &Platform::own()?.image())?;
    let output = slipway(&["run", layout.to_str().context("store path")?])?.outcome()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("KAFKA_HOST is not set"), "{error}");
    Ok(())
}
