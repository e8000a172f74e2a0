//! The files that an archive or a package contains.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::{Error, Result};

/// A file in an archive or a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub content: Vec<u8>,
    pub is_executable: bool,
}

impl File {
    /// Reads a file from disk.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
        Ok(Self {
            content: fs::read(path).map_err(Error::io("read", path))?,
            is_executable: metadata.permissions().mode() & 0o111 != 0,
        })
    }

    /// A text that is not on disk.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: text.into().into_bytes(),
            is_executable: false,
        }
    }

    /// Its mode in an archive.
    pub(crate) fn mode(&self) -> u32 {
        if self.is_executable { 0o755 } else { 0o644 }
    }
}

/// Files by their paths in the archive, which are relative and use slashes.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, File>);

impl Files {
    /// Adds a file. Fails if another one has its path already. `name` is that of the archive.
    pub fn add(&mut self, name: &str, path: String, file: File) -> Result<()> {
        match self.0.get(&path) {
            Some(other) if *other != file => Err(Error::Twice {
                name: name.to_owned(),
                file: path,
            }),
            _ => {
                self.0.insert(path, file);
                Ok(())
            }
        }
    }

    /// Adds the files in a directory and below it.
    pub fn add_tree(&mut self, name: &str, path: &str, source: &Path) -> Result<()> {
        for entry in fs::read_dir(source).map_err(Error::io("read", source))? {
            let entry = entry.map_err(Error::io("read", source))?;
            let inner = format!("{path}/{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => self.add_tree(name, &inner, &entry.path())?,
                false => self.add(name, inner, File::read(&entry.path())?)?,
            }
        }
        Ok(())
    }

    /// The files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The directories that contain files, with those above, sorted by path.
    pub(crate) fn directories(&self) -> BTreeSet<&str> {
        let paths = self.0.keys();
        let parents = paths.flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
        parents.collect()
    }

    /// Total size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0.values().map(|file| file.content.len() as u64).sum()
    }
}
