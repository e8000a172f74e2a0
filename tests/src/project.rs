//! A user's project in its own directory, with this repository's checkout of Slipway as an input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::nix;
use crate::repository::{Copy, repository};
use crate::slipway;

pub struct Project {
    directory: TempDir,
    checkout: Copy,
}

impl Project {
    /// A project with these files, given as path and content.
    pub fn of(files: &[(&str, &str)]) -> Result<Self> {
        let checkout = Copy::new()?;
        checkout.commit()?;
        let directory = tempfile::Builder::new().prefix("project-").tempdir()?;
        let project = Self {
            directory,
            checkout,
        };
        for (name, text) in files {
            project.write(name, text)?;
        }
        Ok(project)
    }

    /// An example of the repository, without the files that `slipway init` wrote for it.
    pub fn example(name: &str) -> Result<Self> {
        let project = Self::of(&[])?;
        let example = repository().join("examples").join(name);
        let files = match example.join("go.mod").exists() {
            true => &["go.mod", "go.sum", "main.go", "names.txt"][..],
            false => &["Cargo.toml", "Cargo.lock", "src/main.rs"][..],
        };
        for file in files {
            let text = fs::read_to_string(example.join(file)).with_context(|| file.to_string())?;
            project.write(file, &text)?;
        }
        Ok(project)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.file(name)).with_context(|| name.to_owned())
    }

    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap_or(&file))?;
        fs::write(&file, text).with_context(|| name.to_owned())
    }

    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) -> Result<()> {
        let old = self.read(name)?;
        let new = change(old.clone());
        anyhow::ensure!(new != old, "the edit of {name} changes nothing");
        self.write(name, &new)
    }

    /// The flake reference of the checkout.
    pub fn slipway_flake(&self) -> String {
        format!("git+file://{}", self.checkout.path().display())
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("NIX_CONFIG", nix::config());
        command
    }

    /// A call of slipway in the project.
    pub fn slipway(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = slipway::slipway(arguments)?;
        command
            .current_dir(self.path())
            .env("SLIPWAY_FLAKE", self.slipway_flake());
        Ok(command)
    }

    /// The error when Nix evaluates an output.
    pub fn evaluation_error(&self, attribute: &str) -> Result<String> {
        nix::nix(self.path())
            .args(["eval", "--raw", &format!(".#{attribute}.drvPath")])
            .failure()
    }
}
