//! The command line on the real flake.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;

#[test]
fn seed_fetches_nothing_when_nothing_is_missing() -> Result<()> {
    nix_build(repository(), "image")?;
    let said = slipway(&["seed", "--locked"])?.text()?;
    assert_eq!(said, "nothing is missing\n");
    Ok(())
}

#[test]
fn build_shows_a_row_for_every_default_platform_and_the_index() -> Result<()> {
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
    // Links are in the order of what is built, whatever Nix's own is.
    assert_eq!(fs::read_link(link)?, nix_build(repository(), "image")?);
    Ok(())
}

#[test]
fn build_gives_the_digests_that_plain_nix_build_gives() -> Result<()> {
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

fn runs_the_image_of(platform: &Platform) -> Result<()> {
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
        assert!(line.ends_with(", PID: 1, UID: 65532"), "{line}");
    }
    Ok(())
}

#[test]
fn run_shows_the_messages_of_the_image_of_this_machine() -> Result<()> {
    runs_the_image_of(&Platform::own()?)
}

#[test]
fn run_shows_the_messages_of_the_image_of_another_machine() -> Result<()> {
    runs_the_image_of(&Platform::foreign()?)
}

#[test]
fn run_of_an_image_gives_its_exit_code() -> Result<()> {
    let layout = nix_build(repository(), &Platform::own()?.image())?;
    let output = slipway(&["run", layout.to_str().context("store path")?])?.outcome()?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("KAFKA_HOST is not set"), "{error}");
    Ok(())
}
