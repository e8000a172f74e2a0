//! Files that appear complete or not at all: each is written under a temporary name next to its
//! destination, and renamed once complete. Readers see either the old or the new contents.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Number of temporary names to try. Process IDs repeat in containers, so a killed process may have
/// left a file of the same name.
const ATTEMPTS: u32 = 100;

/// Replaces the contents of a file.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    AtomicFile::create(path, contents)?.commit()
}

/// The new contents of a file, on disk under a temporary name. They are removed on drop unless they
/// were committed.
#[derive(Debug)]
pub struct AtomicFile {
    temporary: PathBuf,
    destination: PathBuf,
}

impl AtomicFile {
    /// Writes the contents under a temporary name.
    pub fn create(destination: &Path, contents: impl AsRef<[u8]>) -> io::Result<AtomicFile> {
        let (temporary, mut file) = create_beside(destination, File::create_new)?;
        let new = AtomicFile {
            temporary,
            destination: destination.to_path_buf(),
        };
        file.write_all(contents.as_ref())?;
        file.sync_all()?;
        Ok(new)
    }

    /// Renames the file to its destination, and replaces what is there.
    pub fn commit(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.destination)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a rename there is nothing to remove. After an error, the first error matters.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Creates a file or a directory under an unused hidden name next to `destination`. `create` must
/// fail with [`ErrorKind::AlreadyExists`] if the name is in use.
pub fn create_beside<T>(
    destination: &Path,
    create: impl Fn(PathBuf) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let name = destination
        .file_name()
        .ok_or(ErrorKind::InvalidInput)?
        .to_string_lossy();
    let mut attempt = 0;
    loop {
        let temporary = format!(".{name}.{}-{attempt}", process::id());
        let path = destination.with_file_name(temporary);
        match create(path.clone()) {
            Ok(created) => return Ok((path, created)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn replaces_a_file_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("slipway.lock");
        for contents in ["old", "new"] {
            write(&file, contents).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), contents);
        }
        assert_eq!(names(directory.path()), ["slipway.lock"]);
    }

    #[test]
    fn keeps_the_old_contents_without_a_commit() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("slipway.lock");
        write(&file, "old").unwrap();
        drop(AtomicFile::create(&file, "new").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(names(directory.path()), ["slipway.lock"]);
    }

    #[test]
    fn removes_the_temporary_file_if_the_destination_cannot_be_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let occupied = directory.path().join("occupied");
        fs::create_dir_all(occupied.join("inside")).unwrap();
        write(&occupied, "new").unwrap_err();
        assert_eq!(names(directory.path()), ["occupied"]);
        write(Path::new("/"), "new").unwrap_err();
    }

    #[test]
    fn skips_names_that_a_killed_process_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        let (left, _) = create_beside(&file, File::create_new).unwrap();
        write(&file, "new").unwrap();
        assert!(left.exists());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }
}
