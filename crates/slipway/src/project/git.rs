//! Calls of the git command.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A call of git in a directory, with English messages.
pub fn git(directory: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(arguments)
        .current_dir(directory)
        .env("LC_ALL", "C");
    git
}

/// What git prints. A failure is an error with git's message.
pub fn output(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = git(directory, arguments)
        .output()
        .context("git cannot be run")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("git {}: {}", arguments[0], message.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
