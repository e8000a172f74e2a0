//! A file system that is small enough to fill.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;

/// A file system in memory, unmounted when dropped. Mounting it requires root.
pub struct Tmpfs {
    directory: TempDir,
}

impl Tmpfs {
    /// Mounts it with a `size` as in mount(8), such as `64m`.
    pub fn mount(size: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .text()?;
        Ok(Self { directory })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Fills the file system completely, until `make_room`.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let page = [0; 4096];
        loop {
            match ballast.write_all(&page) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                result => result?,
            }
        }
    }

    pub fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .outcome();
    }
}
