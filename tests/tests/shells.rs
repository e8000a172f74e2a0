//! Tests of `nix develop`: each shell has a compiler, librdkafka and cargo for one target, and
//! works offline.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::network;
use end_to_end::nix::nix;
use end_to_end::platform::Platform;
use end_to_end::repository::{Copy, repository};
use end_to_end::requirement::{Requirement, met};
use tempfile::TempDir;

const READELF: Requirement = Requirement::Program("readelf", "binutils");

/// Builds the reporter with cargo in a shell, as a developer does, and returns the program.
fn cargo_build(shell: &str, copy: &Copy, target: &Path) -> Result<PathBuf> {
    nix(copy.path())
        .args(["develop", &format!(".#{shell}"), "--command"])
        .args(["cargo", "build", "--locked", "--package", "reporter"])
        .env("CARGO_TARGET_DIR", target)
        .text()?;
    let built = Command::new("find")
        .arg(target)
        .args(["-path", "*/debug/reporter", "-type", "f"])
        .text()?;
    let [program] = built.lines().collect::<Vec<_>>()[..] else {
        anyhow::bail!(
            "cargo did not make one program in {}: {built}",
            target.display()
        );
    };
    Ok(program.into())
}

fn assert_is_for(program: &Path, platform: &Platform) -> Result<()> {
    let header = Command::new("readelf")
        .arg("--file-header")
        .arg(program)
        .text()?;
    let machine = header
        .lines()
        .find_map(|line| line.trim().strip_prefix("Machine:"))
        .map(str::trim);
    assert_eq!(machine, Some(platform.elf_machine.as_str()));
    Ok(())
}

fn assert_reports(program: &Path) -> Result<()> {
    let messages = Command::new(program)
        .args(["--embedded-broker", "--count", "2", "--interval", "0.1s"])
        .text()?;
    assert_eq!(messages.lines().count(), 2, "{messages}");
    Ok(())
}

#[test]
fn cargo_build_in_a_foreign_shell_builds_a_program_for_that_platform() -> Result<()> {
    if !met(&[READELF])? {
        return Ok(());
    }
    let platform = Platform::foreign()?;
    let (copy, target) = (Copy::new()?, TempDir::new()?);
    let program = cargo_build(&platform.name, &copy, target.path())?;
    assert_is_for(&program, &platform)?;
    if met(&[Requirement::Runs(&platform)])? {
        assert_reports(&program)?;
    }
    Ok(())
}

#[test]
fn cargo_build_in_the_native_and_the_default_shell_builds_a_program_that_runs() -> Result<()> {
    if !met(&[READELF])? {
        return Ok(());
    }
    let platform = Platform::own()?;
    let (copy, target) = (Copy::new()?, TempDir::new()?);
    for shell in [platform.name.as_str(), "default"] {
        let program = cargo_build(shell, &copy, target.path())?;
        assert_is_for(&program, &platform)?;
        assert_reports(&program)?;
    }
    Ok(())
}

#[test]
fn shells_start_without_a_network() -> Result<()> {
    if !met(&[Requirement::NoNetwork])? {
        return Ok(());
    }
    let platforms = [Platform::own()?, Platform::foreign()?];
    let own = platforms.iter().map(|platform| platform.name.as_str());
    for shell in own.chain(["default"]) {
        let mut develop = nix(repository());
        develop.args(["develop", &format!(".#{shell}"), "--command"]);
        // These programs must come from the shell, not from the machine.
        develop.args([
            "sh",
            "-c",
            "command -v cargo && pkg-config --version && $CC --version",
        ]);
        let tools = network::none(&develop)?.text()?;
        assert!(tools.starts_with("/nix/store/"), "{tools}");
    }
    Ok(())
}

#[test]
fn images_build_without_a_network() -> Result<()> {
    if !met(&[Requirement::NoNetwork])? {
        return Ok(());
    }
    let copy = Copy::new()?;
    // Edit the reporter, so that there is something to build.
    copy.edit("crates/reporter/src/main.rs", |text| {
        format!("{text}\n// edited\n")
    })?;
    let mut build = nix(copy.path());
    build.args(["build", "--no-link", ".#image"]);
    network::none(&build)?.text().map(drop)
}
