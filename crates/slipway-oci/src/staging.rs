//! Creates directories atomically: each is built under a temporary name next to its destination and
//! renamed once complete. So an existing directory is always complete.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, process};

use crate::{Error, Result};

/// A directory being built. It is removed on drop unless it was finished.
pub(crate) struct Staging {
    path: PathBuf,
    destination: PathBuf,
}

impl Staging {
    /// Creates the temporary directory. `destination` must be absent or an empty directory.
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
        // Process ids repeat in containers, so a killed process may have left a directory of the
        // same name.
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
        // After a rename there is nothing to remove. After an error, the first error matters.
        let _ = fs::remove_dir_all(&self.path);
    }
}
