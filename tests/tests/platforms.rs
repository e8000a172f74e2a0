//! Every platform of the table: built, shown, verified and run.

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;

fn index() -> Result<String> {
    let index = nix_build(repository(), "image-all")?;
    Ok(index.to_str().context("store path")?.into())
}

/// So the command line's own table of machines has all that nix/platforms.nix has.
#[test]
fn verify_knows_every_platforms_machine_and_finds_no_fault() -> Result<()> {
    let said = slipway(&["verify", &index()?])?.text()?;
    let platforms = Platform::all()?;
    assert_eq!(said.lines().count(), platforms.len(), "{said}");
    for platform in platforms {
        assert!(said.contains(&format!("{}: ok: ", platform.oci)), "{said}");
    }
    Ok(())
}

#[test]
fn inspect_shows_every_platform() -> Result<()> {
    let shown = slipway(&["inspect", "--format", "json", &index()?])?.text()?;
    let shown: Value = serde_json::from_str(&shown)?;
    let images = shown["images"].as_array().context("no images")?;
    let mut found: Vec<&str> = images
        .iter()
        .filter_map(|image| image["platform"].as_str())
        .collect();
    let platforms = Platform::all()?;
    let mut expected: Vec<&str> = platforms.iter().map(|it| it.oci.as_str()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn run_runs_every_platforms_reporter() -> Result<()> {
    let index = index()?;
    for platform in Platform::all()? {
        if !met(&[Requirement::Runs(&platform)])? {
            continue;
        }
        let run = ["run", &index, "--platform", &platform.oci, "--"];
        let arguments = ["--embedded-broker", "--count", "2", "--interval", "0.1s"];
        let messages = slipway(&[&run[..], &arguments].concat())?.text()?;
        assert_eq!(messages.lines().count(), 2, "{}: {messages}", platform.oci);
        for line in messages.lines() {
            assert!(line.ends_with(", PID: 1, UID: 65532"), "{line}");
        }
    }
    Ok(())
}

#[test]
fn run_takes_this_machines_image_when_no_platform_is_named() -> Result<()> {
    let said = slipway(&["run", &index()?, "--", "--version"])?.text()?;
    assert!(said.starts_with("reporter "), "{said}");
    Ok(())
}

#[test]
fn build_makes_the_image_of_any_platform_by_its_name() -> Result<()> {
    for platform in Platform::all()? {
        let place = tempfile::tempdir()?;
        let link = place.path().join("result");
        slipway(&[
            "build",
            "--locked",
            "--platform",
            &platform.oci,
            "--out-link",
        ])?
        .arg(&link)
        .text()?;
        assert_eq!(
            std::fs::read_link(link)?,
            nix_build(repository(), &platform.image())?
        );
    }
    Ok(())
}

#[test]
fn a_platform_that_there_is_not_is_refused_with_those_that_there_are() -> Result<()> {
    for name in ["linux/mips64le", "linux/arm/v6"] {
        let said = slipway(&["build", "--platform", name])?.failure()?;
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains(&format!("{name} is not a platform that can be built")),
            "{said}"
        );
        for platform in Platform::all()? {
            assert!(said.contains(&platform.oci), "{said}");
        }
    }
    Ok(())
}
