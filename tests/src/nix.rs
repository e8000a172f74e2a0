//! Runs Nix as users do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::CommandExt;

/// Settings that Slipway needs, for machines whose nix.conf(5) lacks them.
const SETTINGS: &str =
    "extra-experimental-features = nix-command flakes\nsandbox = true\nsubstitute = false";

/// The value of NIX_CONFIG: the user's settings and those that Slipway needs.
pub fn config() -> String {
    match std::env::var("NIX_CONFIG") {
        Ok(own) => format!("{own}\n{SETTINGS}"),
        Err(_) => SETTINGS.into(),
    }
}

/// A `nix` command in a directory.
pub fn nix(directory: &Path) -> Command {
    let mut command = Command::new("nix");
    command.current_dir(directory).env("NIX_CONFIG", config());
    command
}

/// Builds an output of the flake in a directory, without a result link, and returns its store path.
pub fn nix_build(directory: &Path, attribute: &str) -> Result<PathBuf> {
    build(directory, &[&format!(".#{attribute}")])
}

/// Builds one output, without a result link and without a lock file, and returns its store path.
pub fn build(directory: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let built = nix(directory)
        .args(["build", "--no-link", "--no-write-lock-file", "--json"])
        .args(arguments)
        .text()?;
    let built: Value = serde_json::from_str(&built)?;
    let outputs = built[0]["outputs"].as_object();
    let path = outputs.and_then(|outputs| outputs.values().next()?.as_str());
    path.map(PathBuf::from)
        .with_context(|| format!("nix build {arguments:?} gave no path: {built}"))
}

/// The derivation of an output. It changes if and only if Nix would build the output again.
pub fn derivation(directory: &Path, attribute: &str) -> Result<String> {
    nix(directory)
        .args(["eval", "--raw", &format!(".#{attribute}.drvPath")])
        .text()
}
