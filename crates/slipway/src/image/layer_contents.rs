//! Tells what the bytes of a layer are for: its files, grouped by the store path that they belong to.

use std::collections::BTreeMap;
use std::io;

use anyhow::Result;
use serde_json::{Value, json};
use slipway_oci::{Descriptor, Digest, EntryKind, Error, LayerEntry, Layout, StorePath};

/// Most entries in a layer. A full desktop system has 300,000.
const ENTRY_LIMIT: usize = 1_000_000;

/// What a layer contains, without its directories.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LayerContents {
    /// The largest first.
    pub parts: Vec<Part>,
}

/// The files of a store path, or those outside of every store path.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub store_path: Option<StorePath>,
    /// The largest first.
    pub files: Vec<File>,
}

/// A file or a link. Devices and FIFOs count as files.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: String,
    pub kind: FileKind,
    /// Bytes of its content. A link has none.
    pub size: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    /// A symbolic link to this target.
    Symlink(String),
    /// A hard link to this file of the image.
    HardLink(String),
}

impl LayerContents {
    /// Reads a layer, and checks its digests.
    pub fn read(layout: &Layout, blob: &Descriptor, diff_id: Digest) -> Result<Self> {
        let mut parts: BTreeMap<Option<StorePath>, Vec<File>> = BTreeMap::new();
        let mut entries = 0;
        layout.read_layer(blob, diff_id, u64::MAX, |entry| {
            entries += 1;
            if entries > ENTRY_LIMIT {
                return Err(Error::TooMany {
                    dir: layout.directory().to_path_buf(),
                    what: "files in a layer",
                    limit: ENTRY_LIMIT,
                });
            }
            let file = File::of(entry).map_err(|source| Error::Tar {
                layer: blob.digest,
                source,
            })?;
            if let Some(file) = file {
                parts.entry(store_path(&file.path)).or_default().push(file);
            }
            Ok(())
        })?;
        let mut parts: Vec<Part> = parts
            .into_iter()
            .map(|(store_path, mut files)| {
                files.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
                Part { store_path, files }
            })
            .collect();
        parts.sort_by(|a, b| {
            let order = b.size().cmp(&a.size());
            order.then_with(|| a.store_path.cmp(&b.store_path))
        });
        Ok(Self { parts })
    }

    /// Bytes of all files, uncompressed. The tar adds a header to each of them.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(Part::size).sum()
    }

    /// The number of files and links.
    pub fn count(&self) -> usize {
        self.parts.iter().map(|part| part.files.len()).sum()
    }
}

impl Part {
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The path of one of its files, as seen from the store path.
    pub fn relative<'a>(&self, file: &'a File) -> &'a str {
        let store_path = self.store_path.as_ref().map(StorePath::as_str);
        let below = store_path.and_then(|store_path| file.path.strip_prefix(store_path));
        match below.and_then(|below| below.strip_prefix('/')) {
            Some(below) => below,
            None => &file.path,
        }
    }
}

impl File {
    /// `None` for a directory.
    fn of(entry: LayerEntry) -> io::Result<Option<Self>> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = text(&entry.name);
        let name = name.strip_prefix("./").unwrap_or(&name);
        let (kind, size) = match entry.kind {
            EntryKind::Directory => return Ok(None),
            EntryKind::Symlink => (FileKind::Symlink(text(&entry.target)), 0),
            EntryKind::HardLink => {
                let target = text(&entry.target);
                let target = target.strip_prefix("./").unwrap_or(&target);
                (FileKind::HardLink(absolute(target)), 0)
            }
            _ => (FileKind::File, io::copy(entry.body, &mut io::sink())?),
        };
        Ok(Some(Self {
            path: absolute(name),
            kind,
            size,
        }))
    }

    /// What a link refers to.
    pub fn target(&self) -> Option<&str> {
        match &self.kind {
            FileKind::File => None,
            FileKind::Symlink(target) | FileKind::HardLink(target) => Some(target),
        }
    }

    /// `{"path", "kind", "size", "target"}`. `kind` is `file`, `symlink` or `hardlink`. Only links
    /// have a target.
    pub fn to_json(&self) -> Value {
        json!({
            "path": self.path,
            "kind": match self.kind {
                FileKind::File => "file",
                FileKind::Symlink(_) => "symlink",
                FileKind::HardLink(_) => "hardlink",
            },
            "size": self.size,
            "target": self.target(),
        })
    }
}

fn absolute(name: &str) -> String {
    format!("/{}", name.trim_start_matches('/'))
}

/// The store path that contains a file, or is one.
fn store_path(file: &str) -> Option<StorePath> {
    let ends = file.match_indices('/').map(|(at, _)| at);
    ends.chain([file.len()])
        .find_map(|end| file[..end].parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBC: &str = "/nix/store/jlx0g5lkyl8ch666dy143gs5sq5f8ccj-libc6_2.41-12+deb13u4_arm64";

    #[test]
    fn finds_the_store_path_of_a_file() {
        let found = |file: &str| store_path(file).map(String::from);
        assert_eq!(found(&format!("{LIBC}/lib/libc.so.6")).unwrap(), LIBC);
        assert_eq!(found(LIBC).unwrap(), LIBC);
        for outside in ["/etc/passwd", "/nix/store", "/nix/store/x", "/"] {
            assert_eq!(found(outside), None, "{outside}");
        }
    }
}
