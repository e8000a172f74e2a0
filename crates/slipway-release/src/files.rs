//! The files that an archive or a package contains.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use crate::{Error, Result};

/// A file in an archive or a package.
#[derive(Clone, Debug)]
pub struct File {
    pub content: Vec<u8>,
    pub is_executable: bool,
    /// Where it is on disk, without symbolic links.
    source: Option<PathBuf>,
    /// Whether it was read through a symbolic link.
    is_link: bool,
}

impl File {
    /// Reads a file from disk.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
        Ok(Self {
            content: fs::read(path).map_err(Error::io("read", path))?,
            is_executable: metadata.permissions().mode() & 0o111 != 0,
            source: Some(fs::canonicalize(path).map_err(Error::io("read", path))?),
            is_link: path.is_symlink(),
        })
    }

    /// A text that is not on disk.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: text.into().into_bytes(),
            is_executable: false,
            source: None,
            is_link: false,
        }
    }

    /// The same content, which is packed even if the file was read through a symbolic link.
    pub(crate) fn without_link(self) -> Self {
        Self {
            is_link: false,
            ..self
        }
    }

    /// The file, compressed without a name and a time.
    pub(crate) fn gzip(&self) -> Result<Self> {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        let written = encoder.write_all(&self.content);
        let finished = written.and_then(|()| encoder.finish());
        Ok(Self {
            content: finished.map_err(Error::io("compress", Path::new("a document")))?,
            ..self.clone()
        })
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
            Some(other)
                if (&other.content, other.is_executable) != (&file.content, file.is_executable) =>
            {
                Err(Error::Twice {
                    name: name.to_owned(),
                    file: path,
                })
            }
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

    /// Where a symbolic link leads, relative to the directory that it is in, if that is another of
    /// these files. `None` for anything else: that has its content.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        let file = self.0.get(path).filter(|file| file.is_link)?;
        let mut others = self.iter();
        let (target, _) = others.find(|(_, it)| !it.is_link && it.source == file.source)?;
        Some(relative(path, target))
    }

    /// The directories that contain files, with those above, sorted by path.
    pub(crate) fn directories(&self) -> BTreeSet<&str> {
        let paths = self.0.keys();
        let parents = paths.flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
        parents.collect()
    }

    /// Total size in bytes, without symbolic links.
    pub(crate) fn size(&self) -> u64 {
        let files = self.iter().filter(|(path, _)| self.link(path).is_none());
        files.map(|(_, file)| file.content.len() as u64).sum()
    }
}

/// The path of a file, relative to the directory of another one.
fn relative(from: &str, to: &str) -> String {
    let (from, to) = (
        Vec::from_iter(from.split('/')),
        Vec::from_iter(to.split('/')),
    );
    let pairs = from.iter().zip(&to);
    let common = pairs.take_while(|(from, to)| from == to).count();
    let up = vec![".."; from.len() - 1 - common];
    [&up, &to[common..]].concat().join("/")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_between_files_stay_links() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::create_dir_all(at("tree/inner")).unwrap();
        fs::write(at("tree/tool"), "tool").unwrap();
        fs::write(at("outside"), "outside").unwrap();
        symlink("tool", at("tree/alias")).unwrap();
        symlink(at("tree/alias"), at("tree/inner/other")).unwrap();
        symlink("../outside", at("tree/copy")).unwrap();
        let mut files = Files::default();
        files
            .add_tree("tool", "usr/bin", &place.path().join("tree"))
            .unwrap();
        for (path, target) in [
            ("usr/bin/tool", None),
            ("usr/bin/copy", None),
            ("usr/bin/alias", Some("tool")),
            ("usr/bin/inner/other", Some("../tool")),
        ] {
            assert_eq!(files.link(path).as_deref(), target, "{path}");
        }
        assert_eq!(relative("a/b/c", "d/e"), "../../d/e");
        assert_eq!(relative("a", "b/c"), "b/c");
    }
}
