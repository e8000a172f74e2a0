//! Wine, which runs programs for Windows.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::repository::repository;

/// A directory that Wine takes for a computer with Windows.
pub struct Wine {
    directory: TempDir,
}

impl Wine {
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("wine-").tempdir()?;
        Ok(Self { directory })
    }

    /// Runs a program. Returns what it prints, with line ends of Unix.
    pub fn run(&self, program: &Path) -> Result<String> {
        let printed = self.command("wine64")?.arg(program).text()?;
        Ok(printed.replace("\r\n", "\n"))
    }

    fn command(&self, name: &str) -> Result<Command> {
        let directory = directory()?;
        let mut command = Command::new(directory.join(name));
        command
            .env(
                "LD_LIBRARY_PATH",
                directory.with_file_name("x86_64-linux-gnu"),
            )
            .env("TMPDIR", self.directory.path())
            .env("WINEPREFIX", self.directory.path().join("prefix"))
            .env("WINEDEBUG", "-all")
            // .NET and HTML, which Wine would want to install
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        Ok(command)
    }
}

impl Drop for Wine {
    /// Ends Wine's processes, which would hold on to the directory.
    fn drop(&mut self) {
        for option in ["--kill", "--wait"] {
            if let Ok(mut server) = self.command("wineserver") {
                let _ = server.arg(option).output();
            }
        }
    }
}

/// Where setup/test-tools has put Wine's programs.
pub fn directory() -> Result<PathBuf> {
    let directory = repository().join("target/test-tools/usr/lib/wine");
    if !directory.join("wine64").is_file() {
        bail!("there is no Wine in target/test-tools; run on amd64: setup/test-tools");
    }
    Ok(directory)
}
