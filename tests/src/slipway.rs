//! Runs the `slipway` program that `make` built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::nix;
use crate::repository::repository;

/// The path of the program: $SLIPWAY, or the output of `make`.
pub fn program() -> Result<PathBuf> {
    let target = || {
        let directory = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        directory.unwrap_or_else(|| repository().join("target"))
    };
    let program = match std::env::var_os("SLIPWAY") {
        Some(program) => PathBuf::from(program),
        None => target().join("driver/slipway"),
    };
    ensure!(
        program.is_file(),
        "there is no {}; run: make",
        program.display()
    );
    Ok(program.canonicalize()?)
}

/// A call of slipway in the repository.
pub fn slipway(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(program()?);
    command
        .args(arguments)
        .current_dir(repository())
        .env("NIX_CONFIG", nix::config());
    Ok(command)
}
