//! Creates directories atomically: each is built under a temporary name next to its destination and
//! renamed once complete. So an existing directory is always complete.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A directory being built. It is removed on drop unless it was finished.
pub(crate) struct Staging {
    path: PathBuf,
    destination: PathBuf,
}

impl Staging {
    /// Creates the temporary directory. `destination` must be absent or an empty directory.
    pub fn beside(destination: &Path) -> Result<Staging> {
        if destination.file_name().is_none() {
            return Err(Error::Exists(destination.to_path_buf()));
        }
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
        let (path, ()) = slipway_atomic_file::create_beside(destination, fs::create_dir)
            .map_err(Error::io("create", destination))?;
        Ok(Staging {
            path,
            destination: destination.to_path_buf(),
        })
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
