//! Whoever finds a directory of ours must be able to take it for whole: it is built under
//! another name beside its own and renamed when it is complete.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, process};

use crate::{Error, Result};

/// A directory in the making, removed again unless it is finished.
pub(crate) struct Staging {
    path: PathBuf,
    destination: PathBuf,
}

impl Staging {
    /// Nothing may be at `destination`, except an empty directory.
    pub fn beside(destination: &Path) -> Result<Staging> {
        let name = destination
            .file_name()
            .ok_or_else(|| Error::Exists(destination.to_path_buf()))?;
        let free = match fs::symlink_metadata(destination) {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(metadata) => {
                metadata.is_dir()
                    && fs::read_dir(destination)
                        .map_err(Error::io("read", destination))?
                        .next()
                        .is_none()
            }
        };
        if !free {
            return Err(Error::Exists(destination.to_path_buf()));
        }
        // In a container the process id is often the same, so one that was killed may have
        // left its directory under our name.
        let mut attempt = 0;
        loop {
            let temporary = format!(".{}.{}-{attempt}", name.to_string_lossy(), process::id());
            let path = destination.with_file_name(temporary);
            match fs::create_dir(&path) {
                Ok(()) => {
                    return Ok(Staging {
                        path,
                        destination: destination.to_path_buf(),
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1;
                }
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn finish(self) -> Result<()> {
        fs::rename(&self.path, &self.destination).map_err(Error::io("create", &self.destination))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; after a fault, that fault is what counts.
        let _ = fs::remove_dir_all(&self.path);
    }
}
