//! Appends directory trees to a tar, reproducibly.
//!
//! Trees with the same content must give the same tar. So a tree is walked in the order of its
//! names, and only the name, kind, content and executable bit of each file are stored.

use std::fs::{self, File, FileType};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::tar_writer::TarWriter;
use crate::{Error, Result};

/// Location of a tree in the image, which decides its modes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the store: read-only for everyone.
    Store,
    /// At `/`: the usual modes of a system, with a world-writable `/tmp`.
    Root,
}

impl Place {
    pub fn directory_mode(self, name: &[u8]) -> u32 {
        match (self, name) {
            (Place::Store, _) => 0o555,
            (Place::Root, b"tmp") => 0o1777,
            (Place::Root, _) => 0o755,
        }
    }

    pub fn file_mode(self, executable: bool) -> u32 {
        match (self, executable) {
            (Place::Store, false) => 0o444,
            (Place::Store, true) => 0o555,
            (Place::Root, false) => 0o644,
            (Place::Root, true) => 0o755,
        }
    }
}

/// Appends `source` and all below it under `name`, parents first, siblings sorted by bytes.
///
/// A file with several hard links is stored as a separate file for each name.
pub(crate) fn append<W: Write>(
    archive: &mut TarWriter<W>,
    source: &Path,
    name: &[u8],
    place: Place,
) -> Result<()> {
    let mut pending = vec![(source.to_path_buf(), name.to_vec())];
    while let Some((path, name)) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            archive.directory(&name, place.directory_mode(&name))?;
            for child in children(&path)?.into_iter().rev() {
                let name = [&name, b"/".as_slice(), &child].concat();
                pending.push((path.join(std::ffi::OsStr::from_bytes(&child)), name));
            }
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::io("read", &path))?;
            archive.symlink(&name, target.as_os_str().as_bytes())?;
        } else if kind.is_file() {
            let mode = place.file_mode(metadata.mode() & 0o100 != 0);
            append_file(archive, &path, &name, mode, metadata.len())?;
        } else {
            return Err(special_file(path, kind));
        }
    }
    Ok(())
}

/// The names in a directory, sorted by bytes.
pub(crate) fn children(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let read = Error::io("read", directory);
    let names = fs::read_dir(directory).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().into_vec()))
            .collect::<std::io::Result<Vec<_>>>()
    });
    let mut names = names.map_err(read)?;
    names.sort();
    Ok(names)
}

pub(crate) fn append_file<W: Write>(
    archive: &mut TarWriter<W>,
    path: &Path,
    name: &[u8],
    mode: u32,
    size: u64,
) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    archive.file(name, mode, size)?;
    let mut buffer = [0; 64 * 1024];
    let mut left = size;
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if read == 0 {
            break;
        }
        left = left
            .checked_sub(read as u64)
            .ok_or_else(|| Error::Changed(path.to_path_buf()))?;
        archive.content(&buffer[..read])?;
    }
    if left != 0 {
        return Err(Error::Changed(path.to_path_buf()));
    }
    archive.end_file(size)
}

/// The error for a file that is neither file, directory nor link.
pub(crate) fn special_file(path: PathBuf, kind: FileType) -> Error {
    let kind = if kind.is_socket() {
        "socket"
    } else if kind.is_fifo() {
        "named pipe"
    } else if kind.is_block_device() {
        "block device"
    } else {
        "character device"
    };
    Error::SpecialFile { path, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_a_file_that_changed_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "12345").unwrap();
        for size in [4, 6] {
            let mut archive = TarWriter::new(Vec::new(), PathBuf::new());
            let error = append_file(&mut archive, &path, b"log", 0o444, size).unwrap_err();
            let expected =
                "log changed its size while it was read; pack it when nothing writes to it";
            assert!(error.to_string().ends_with(expected), "{error}");
        }
    }

    #[test]
    fn rejects_devices_and_names_them() {
        let mut archive = TarWriter::new(Vec::new(), PathBuf::new());
        let device = Path::new("/dev/null");
        let error = append(&mut archive, device, b"null", Place::Root).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/dev/null is a character device, which a layer cannot hold; remove it from the tree"
        );
    }

    #[test]
    fn rejects_unreadable_files_and_names_them() {
        let mut archive = TarWriter::new(Vec::new(), PathBuf::new());
        // Opening it succeeds, reading at offset 0 fails.
        let memory = Path::new("/proc/self/mem");
        let error = append(&mut archive, memory, b"mem", Place::Root).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot read /proc/self/mem: "),
            "{message}"
        );
    }
}
