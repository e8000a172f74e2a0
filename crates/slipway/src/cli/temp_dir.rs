//! Temporary directories that are removed when the command ends, also when a signal ends it. A
//! command writes its results to such a directory beside the destination, and then renames them.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use anyhow::{Context, Result};

use crate::cli::interrupt;

/// The directories that are removed when a signal ends the command.
static KEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static CLEANUP: Once = Once::new();

fn kept() -> MutexGuard<'static, Vec<PathBuf>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that exists while the command runs.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Creates a directory in the system's temporary directory.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// Creates a directory on the file system of `destination`, so that its files can be renamed to
    /// `destination`.
    pub fn beside(destination: &Path) -> Result<Self> {
        Self::within(parent(destination))
    }

    fn within(directory: &Path) -> Result<Self> {
        CLEANUP.call_once(|| interrupt::before_end(remove_all));
        // Hold the lock while the directory is created, so that a signal cannot miss it.
        let mut kept = kept();
        let path = tempfile::Builder::new()
            .prefix(".slipway-")
            .tempdir_in(directory)
            .with_context(|| format!("making a temporary directory in {}", directory.display()))?
            .keep();
        kept.push(path.clone());
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// The parent directory of a file, which need not exist.
pub fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let mut kept = kept();
        remove(&self.0);
        kept.retain(|path| *path != self.0);
    }
}

fn remove(directory: &Path) {
    // If the command failed, its error matters, not this one.
    let _ = fs::remove_dir_all(directory);
}

/// Removes all directories. The lock stays: no new directory may be created from here on.
fn remove_all() {
    let kept = kept();
    kept.iter().for_each(|directory| remove(directory));
    mem::forget(kept);
}
