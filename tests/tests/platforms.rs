//! Builds, inspects, verifies and runs the image of every platform in the table.

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

/// This proves that the table of machines in `verify` covers nix/platforms.nix.
#[test]
fn verify_supports_every_platform_and_finds_no_fault() -> Result<()> {
    let printed = slipway(&["verify", &index()?])?.text()?;
    let platforms = Platform::all()?;
    assert_eq!(printed.lines().count(), platforms.len(), "{printed}");
    for platform in platforms {
        assert!(
            printed.contains(&format!("{}: ok: ", platform.oci)),
            "{printed}"
        );
    }
    Ok(())
}

#[test]
fn inspect_prints_every_platform() -> Result<()> {
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
fn run_runs_the_reporter_of_every_platform() -> Result<()> {
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
            assert!(line.ends_with(", PID: 2, UID: 65532"), "{line}");
        }
    }
    Ok(())
}

#[test]
fn run_uses_this_machines_image_if_no_platform_is_named() -> Result<()> {
    let printed = slipway(&["run", &index()?, "--", "--version"])?.text()?;
    assert!(printed.starts_with("reporter "), "{printed}");
    Ok(())
}

#[test]
fn build_makes_the_image_of_any_platform() -> Result<()> {
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
fn error_for_an_unknown_platform_lists_the_known_ones() -> Result<()> {
    for name in ["linux/mips64le", "linux/arm/v6"] {
        let printed = slipway(&["build", "--platform", name])?.failure()?;
        assert_eq!(printed.lines().count(), 1, "{printed}");
        assert!(
            printed.contains(&format!("{name} is not a platform that can be built")),
            "{printed}"
        );
        for platform in Platform::all()? {
            assert!(printed.contains(&platform.oci), "{printed}");
        }
    }
    Ok(())
}
