//! Files that an image has at paths of their own, beside those in the store.
//!
//! They come from several sources: the tree of the project, packages, and files that are written
//! here. No two sources may have the same path, or which one counted would depend on their order.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::accounts::Owner;
use crate::tar_writer::TarWriter;
use crate::tree::{self, Place};
use crate::{Error, Result};

/// Files by their path in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Paths without the slash at the start, so that a directory comes before what is in it.
    entries: BTreeMap<Vec<u8>, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    mode: u32,
    owner: Owner,
    /// Where it comes from, for error messages.
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Directory(Rank),
    File { from: PathBuf, size: u64 },
    Text(Vec<u8>),
    Symlink(Vec<u8>),
}

/// Which of several sources decides the mode and the owner of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A parent of something else.
    Parent,
    /// Part of a tree.
    Tree,
    /// Asked for by its path.
    Named,
}

/// An absolute path in an image, without `..`, outside the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImagePath(Vec<u8>);

const STORE: &[u8] = b"nix/store";

impl ImagePath {
    /// Parses a path. `source` is what it is for, for error messages.
    pub fn parse(path: &str, source: &str) -> Result<ImagePath> {
        let fault = |reason| Error::Contents {
            path: path.to_owned(),
            from: source.to_owned(),
            reason,
        };
        let relative = path
            .strip_prefix('/')
            .ok_or_else(|| fault("the path in the image must begin with /"))?;
        if path.contains('\0') {
            return Err(fault("the path has a zero byte"));
        }
        let parts: Vec<&str> = relative
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        if parts.contains(&"..") {
            return Err(fault("the path in the image must not have .. in it"));
        }
        let path = ImagePath(parts.join("/").into_bytes());
        if path.0 == STORE || path.0.starts_with(b"nix/store/") {
            return Err(fault("the store has packages only; choose another path"));
        }
        Ok(path)
    }
}

/// How the files of a source are stored. What is `None` is as in the source, or root's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Mode of the files. Directories and programs in a tree can also be executed by those who may
    /// read them.
    pub mode: Option<u32>,
    pub owner: Owner,
}

impl Files {
    /// The files of a directory that lies at `/`.
    pub fn of_tree(root: &Path) -> Result<Files> {
        let mut files = Files::default();
        files.add(&ImagePath(Vec::new()), root, Attributes::default())?;
        Ok(files)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the file or the directory `from`, with all that is in it.
    pub fn add(&mut self, path: &ImagePath, from: &Path, attributes: Attributes) -> Result<()> {
        let Attributes { mode, owner } = attributes;
        let source = from.display().to_string();
        let executable = |mode: u32| mode | ((mode & 0o444) >> 2);
        let mut pending = vec![(path.0.clone(), from.to_path_buf())];
        while let Some((name, from)) = pending.pop() {
            let metadata = fs::symlink_metadata(&from).map_err(Error::io("read", &from))?;
            let kind = metadata.file_type();
            let (kind, mode) = if kind.is_dir() {
                for child in tree::children(&from)? {
                    let below = match &name[..] {
                        [] => child.clone(),
                        name => [name, b"/", &child].concat(),
                    };
                    pending.push((below, from.join(OsStr::from_bytes(&child))));
                }
                let usual = Place::Root.directory_mode(&name);
                (Kind::Directory(Rank::Tree), mode.map_or(usual, executable))
            } else if kind.is_symlink() {
                let target = fs::read_link(&from).map_err(Error::io("read", &from))?;
                (Kind::Symlink(target.into_os_string().into_vec()), 0o777)
            } else if kind.is_file() {
                let is_program = metadata.mode() & 0o100 != 0;
                let mode = match mode {
                    Some(mode) if is_program && name != path.0 => executable(mode),
                    Some(mode) => mode,
                    None => Place::Root.file_mode(is_program),
                };
                let size = metadata.len();
                (Kind::File { from, size }, mode)
            } else {
                return Err(tree::special_file(from, kind));
            };
            let source = source.clone();
            self.insert(
                name,
                Entry {
                    kind,
                    mode,
                    owner,
                    source,
                },
            )?;
        }
        Ok(())
    }

    /// Adds an empty directory. If a tree has it too, this decides its mode and its owner.
    pub fn add_directory(
        &mut self,
        path: &ImagePath,
        mode: Option<u32>,
        owner: Owner,
    ) -> Result<()> {
        let entry = Entry {
            kind: Kind::Directory(Rank::Named),
            mode: mode.unwrap_or(Place::Root.directory_mode(&path.0)),
            owner,
            source: "an empty directory".to_owned(),
        };
        self.insert(path.0.clone(), entry)
    }

    /// Adds a file of root's that everybody may read.
    pub(crate) fn add_text(&mut self, path: &str, text: Vec<u8>) -> Result<()> {
        self.add_own(path, Kind::Text(text), Place::Root.file_mode(false))
    }

    pub(crate) fn add_symlink(&mut self, path: &str, target: &str) -> Result<()> {
        self.add_own(path, Kind::Symlink(target.into()), 0o777)
    }

    fn add_own(&mut self, path: &str, kind: Kind, mode: u32) -> Result<()> {
        let source = "a file of every image";
        let entry = Entry {
            kind,
            mode,
            owner: Owner::default(),
            source: source.to_owned(),
        };
        self.insert(ImagePath::parse(path, source)?.0, entry)
    }

    fn insert(&mut self, path: Vec<u8>, entry: Entry) -> Result<()> {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let parents = slashes.map(|(end, _)| path[..end].to_vec());
        for parent in parents.collect::<Vec<_>>() {
            let directory = Entry {
                kind: Kind::Directory(Rank::Parent),
                mode: Place::Root.directory_mode(&parent),
                owner: Owner::default(),
                source: entry.source.clone(),
            };
            self.put(parent, directory)?;
        }
        match path.is_empty() {
            // The root itself is the engine's.
            true => Ok(()),
            false => self.put(path, entry),
        }
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry) -> Result<()> {
        match self.entries.entry(path) {
            btree_map::Entry::Vacant(place) => {
                place.insert(entry);
            }
            btree_map::Entry::Occupied(mut place) => match (&place.get().kind, &entry.kind) {
                (Kind::Directory(first), Kind::Directory(second)) => {
                    if second > first {
                        place.insert(entry);
                    }
                }
                _ => {
                    return Err(Error::TwoSources {
                        path: shown(place.key()),
                        first: place.get().source.clone(),
                        second: entry.source,
                    });
                }
            },
        }
        Ok(())
    }

    /// Checks that these files, in a higher layer than those of `lower`, leave them as they are. A
    /// file may replace a file or a link of the same path. It may not replace a directory, or be
    /// below a link, which would then be a directory and lose what it linked to.
    pub fn check_above(&self, lower: &Files) -> Result<()> {
        for (path, entry) in &self.entries {
            let Some(under) = lower.entries.get(path) else {
                continue;
            };
            let is_directory = |entry: &Entry| matches!(entry.kind, Kind::Directory(_));
            let replaces = match entry.kind {
                Kind::Directory(Rank::Parent) => is_directory(under),
                Kind::Directory(_) => true,
                _ => !is_directory(under),
            };
            if !replaces {
                let source = match &under.kind {
                    Kind::Symlink(target) => String::from_utf8_lossy(target).into_owned(),
                    _ => under.source.clone(),
                };
                return Err(Error::TwoSources {
                    path: shown(path),
                    first: source,
                    second: entry.source.clone(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn append<W: Write>(&self, archive: &mut TarWriter<W>) -> Result<()> {
        for (
            name,
            Entry {
                kind, mode, owner, ..
            },
        ) in &self.entries
        {
            archive.set_owner(*owner);
            match kind {
                Kind::Directory(_) => archive.directory(name, *mode)?,
                Kind::File { from, size } => tree::append_file(archive, from, name, *mode, *size)?,
                Kind::Symlink(target) => archive.symlink(name, target)?,
                Kind::Text(text) => {
                    let size = text.len() as u64;
                    archive.file(name, *mode, size)?;
                    archive.content(text)?;
                    archive.end_file(size)?;
                }
            }
        }
        Ok(())
    }
}

/// A path for an error message.
fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}
