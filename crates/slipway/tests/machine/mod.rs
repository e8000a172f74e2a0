//! A test machine: its programs, home directory and Nix store are in one temporary directory,
//! isolated from the settings of the real machine.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Machine {
    directory: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let machine = Self {
            directory: TempDir::new().unwrap(),
        };
        for directory in ["bin", "home", "state/db", "store", "work"] {
            fs::create_dir_all(machine.path(directory)).unwrap();
        }
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// Adds a program in front of those of the real machine.
    pub fn program(&self, name: &str, script: &str) {
        // Nix's sandbox has no /bin/sh.
        let shell = match Path::new("/bin/sh").exists() {
            true => "/bin/sh".to_owned(),
            false => std::env::var("SHELL").unwrap(),
        };
        let name = format!("bin/{name}");
        self.write(&name, format!("#!{shell}\n{script}"));
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A call of slipway with the programs of this machine in front of those of the real one.
    pub fn slipway(&self, arguments: &[&str]) -> Command {
        let real = std::env::var("PATH").unwrap();
        let mut command = self.alone(arguments);
        command.env("PATH", format!("{}:{real}", self.path("bin").display()));
        command
    }

    /// A call of slipway with only the programs of this machine.
    pub fn alone(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
        command
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .env("NIX_STORE_DIR", self.path("store"))
            .env("NIX_STATE_DIR", self.path("state"));
        command
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The error line of a failed run: the last line, and the only one with an error.
pub fn error(output: &Output) -> String {
    let printed = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let last = printed.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("error: "), "{printed}");
    assert_eq!(printed.matches("error: ").count(), 1, "{printed}");
    last
}
