//! The files that an archive or a package contains.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file on disk that goes into an archive or a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub source: PathBuf,
    pub is_executable: bool,
}

impl File {
    /// Its mode in an archive.
    pub(crate) fn mode(&self) -> u32 {
        if self.is_executable { 0o755 } else { 0o644 }
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.source).map_err(Error::io("read", &self.source))
    }
}

/// Files by their paths in the archive, which are relative and use slashes.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, File>);

impl Files {
    /// Adds a file. Fails if another one has its path already. `name` is that of the archive.
    pub fn add(&mut self, name: &str, path: String, source: PathBuf) -> Result<()> {
        let metadata = fs::metadata(&source).map_err(Error::io("read", &source))?;
        let file = File {
            source,
            is_executable: metadata.permissions().mode() & 0o111 != 0,
        };
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
                false => self.add(name, inner, entry.path())?,
            }
        }
        Ok(())
    }

    /// The files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }
}
