//! A file system that is small enough to be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;

/// In memory; unmounted when it is dropped. Only root can have one.
pub struct Tmpfs {
    directory: TempDir,
}

impl Tmpfs {
    /// `size` as mount(8) takes it: `64m`.
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

    /// Leaves no room at all, until `make_room`.
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
