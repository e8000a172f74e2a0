//! Wine, which runs programs for Windows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::repository::repository;

/// A directory that Wine takes for a computer with Windows.
pub struct Wine {
    directory: TempDir,
}

impl Wine {
    /// Makes the directory, with a library that this version of Wine lacks.
    pub fn with(library: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("wine-").tempdir()?;
        let wine = Self { directory };
        // The first call fills the directory, also if it has no program to run.
        wine.command("wine64")?.arg("none").outcome()?;
        let system = wine.prefix().join("drive_c/windows/system32");
        let name = library.file_name().context("a library has no name")?;
        fs::copy(library, system.join(name))?;
        Ok(wine)
    }

    /// Runs a program. Returns what it prints, with line ends of Unix.
    pub fn run(&self, program: &Path) -> Result<String> {
        let printed = self.command("wine64")?.arg(program).text()?;
        Ok(printed.replace("\r\n", "\n"))
    }

    fn prefix(&self) -> PathBuf {
        self.directory.path().join("prefix")
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
            .env("WINEPREFIX", self.prefix())
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
