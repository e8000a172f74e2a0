//! The repository under test, and copies of it for tests that change files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::CommandExt;

/// The root of the repository.
pub fn repository() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// A new git repository with the files of this one, including uncommitted changes. It is removed
/// when dropped.
pub struct Copy {
    directory: TempDir,
}

impl Copy {
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("slipway-").tempdir()?;
        let files = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(repository())
            .text()?;
        for file in files.split_terminator('\0') {
            let (from, to) = (repository().join(file), directory.path().join(file));
            // The list includes files that were deleted but are still in the index.
            if from.symlink_metadata().is_ok() {
                fs::create_dir_all(to.parent().unwrap_or(&to))?;
                fs::copy(&from, &to).with_context(|| format!("copying {file}"))?;
            }
        }
        let copy = Self { directory };
        copy.git(&["init", "--quiet"])?;
        copy.track()?;
        Ok(copy)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Changes a file and adds it to the index, because a flake sees only the files that git
    /// tracks.
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) -> Result<()> {
        let file = self.file(name);
        let old = fs::read_to_string(&file).unwrap_or_default();
        let new = change(old.clone());
        anyhow::ensure!(new != old, "the edit of {name} changes nothing");
        fs::write(file, new)?;
        self.track()
    }

    /// Commits all changes, because Nix does not lock an input with uncommitted changes.
    pub fn commit(&self) -> Result<()> {
        let name = "user.name=test";
        let address = "user.email=test@mirror.example";
        let message = "as it is";
        self.git(&[
            "-c", name, "-c", address, "commit", "--quiet", "-m", message,
        ])
    }

    fn track(&self) -> Result<()> {
        self.git(&["add", "--all"])
    }

    fn git(&self, arguments: &[&str]) -> Result<()> {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.path());
        git.text().map(drop)
    }
}
