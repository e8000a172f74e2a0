//! What a command makes on the way, and what it makes beside its destination to rename it there, is
//! gone when the command ends, also when it is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The directories that a signal removes.
static KEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static WATCH: Once = Once::new();

fn kept() -> MutexGuard<'static, Vec<PathBuf>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory for the time of the command.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Where temporary files are.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// On the file system of `destination`, so that what is made can be renamed to it.
    pub fn beside(destination: &Path) -> Result<Self> {
        Self::within(parent(destination))
    }

    fn within(directory: &Path) -> Result<Self> {
        WATCH.call_once(watch);
        // Held while it is made, so that no signal comes between.
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

/// The directory that a file is in, or is to be in.
pub fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut kept = kept();
        remove(&self.0);
        kept.retain(|path| *path != self.0);
    }
}

fn remove(directory: &Path) {
    // After a fault, that fault is what counts.
    let _ = fs::remove_dir_all(directory);
}

/// Without the thread a signal still ends the command, and only leaves files behind.
fn watch() {
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            // Kept locked: nothing new is made from here on.
            let kept = kept();
            for directory in kept.iter() {
                remove(directory);
            }
            let _ = emulate_default_handler(signal);
        }
    });
}
