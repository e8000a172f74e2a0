//! Runs commands without a network, to test what must work offline.

use std::process::Command;

use anyhow::Result;

use crate::requirement::is_root;

/// The same command in an empty network namespace, in which even the loopback interface is down.
pub fn none(command: &Command) -> Result<Command> {
    let mut unshare = Command::new("unshare");
    unshare.arg("--net");
    if !is_root()? {
        unshare.args(["--user", "--map-current-user"]);
    }
    unshare
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        unshare.current_dir(directory);
    }
    Ok(unshare)
}
