//! The file tree of an image as a container sees it. It is kept in memory without file contents,
//! and layers are applied one after the other.
//!
//! Source: OCI image-spec, layer.md, "Applying Changesets" and "Whiteouts".

use std::collections::BTreeMap;

use crate::elf::Elf;

/// Most symbolic links to follow in one path, as in the kernel (path_resolution(7)).
const LINK_LIMIT: usize = 40;
/// Longest path in bytes, as in the kernel (PATH_MAX). It also bounds the number of components.
pub const PATH_LIMIT: usize = 4096;

/// Index of a file in the tree. Hard links share it.
pub type Id = usize;

pub struct Tree {
    nodes: Vec<Node>,
}

pub struct Node {
    pub mode: u32,
    pub kind: Kind,
}

pub enum Kind {
    Directory(BTreeMap<Vec<u8>, Entry>),
    Symlink(Vec<u8>),
    Elf(Box<Elf>),
    /// A file that starts like an ELF file but is invalid, with the reason.
    BrokenElf(&'static str),
    /// A file that starts with `#!`, with the rest of that line.
    Script(Vec<u8>),
    File,
    /// A device or a FIFO: its description.
    Special(&'static str),
}

/// A name in a directory.
#[derive(Clone, Copy)]
pub struct Entry {
    pub id: Id,
    /// The layer that wrote the entry last. Whiteouts apply only to lower layers.
    layer: usize,
}

/// Why a path cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Missing,
    /// The path has more symbolic links than the kernel follows.
    Circle,
    TooDeep,
}

/// The file that a path resolves to.
pub struct Found {
    pub id: Id,
    /// The path without links; empty for `/`.
    pub path: Vec<u8>,
}

const ROOT: Id = 0;

impl Default for Tree {
    fn default() -> Tree {
        Tree {
            nodes: vec![Node {
                mode: 0o755,
                kind: Kind::Directory(BTreeMap::new()),
            }],
        }
    }
}

impl Tree {
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// Resolves `path` from the root, following links.
    pub fn find(&self, path: &[u8]) -> Result<Found, Lost> {
        self.walk(path, true)?.found().ok_or(Lost::Missing)
    }

    /// Calls `each` with the path of every file and directory except the root.
    pub fn for_each<'a>(&'a self, mut each: impl FnMut(&[u8], Id, &'a Node)) {
        // The stack has one entry for each directory on the current path, not for each name, which
        // saves memory.
        let mut steps: Vec<(Vec<u8>, std::collections::btree_map::Iter<_, _>)> = Vec::new();
        if let Kind::Directory(children) = &self.nodes[ROOT].kind {
            steps.push((Vec::new(), children.iter()));
        }
        while let Some((directory, children)) = steps.last_mut() {
            let Some((name, entry)) = children.next() else {
                steps.pop();
                continue;
            };
            let Entry { id, .. } = *entry;
            let path = join(directory, name);
            each(&path, id, &self.nodes[id]);
            if let Kind::Directory(children) = &self.nodes[id].kind {
                steps.push((path, children.iter()));
            }
        }
    }

    /// The layer that wrote `path` last. A link at `path` is not followed.
    pub fn layer_of(&self, path: &[u8]) -> Option<usize> {
        let way = self.walk(path, false).ok()?;
        let (name, _) = way.0.last()?;
        let directory = match way.0.len() {
            1 => ROOT,
            length => way.0[length - 2].1?,
        };
        self.child(directory, name).map(|entry| entry.layer)
    }

    /// The names in the directory that `path` resolves to.
    pub fn names_in(&self, path: &[u8]) -> Vec<Vec<u8>> {
        match self.find(path).map(|found| &self.nodes[found.id].kind) {
            Ok(Kind::Directory(children)) => children.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Puts a file at `path`. An existing directory is kept and gets the new mode.
    pub fn put(&mut self, path: &[u8], layer: usize, node: Node) -> Result<(), Lost> {
        let Some((directory, name)) = self.place(path, layer)? else {
            self.nodes[ROOT].mode = node.mode;
            return Ok(());
        };
        if let (Kind::Directory(_), Some(entry)) = (&node.kind, self.child(directory, name)) {
            if let Kind::Directory(_) = self.nodes[entry.id].kind {
                self.nodes[entry.id].mode = node.mode;
                self.link(directory, name, Entry { layer, ..entry });
                return Ok(());
            }
        }
        let id = self.add(node);
        self.link(directory, name, Entry { id, layer });
        Ok(())
    }

    /// Makes `path` a hard link to the file at `target`. A link at `target` is not followed.
    pub fn put_hard_link(&mut self, path: &[u8], layer: usize, target: &[u8]) -> Result<(), Lost> {
        let Found { id, .. } = self.walk(target, false)?.found().ok_or(Lost::Missing)?;
        if let Kind::Directory(_) = self.nodes[id].kind {
            return Err(Lost::Missing);
        }
        if let Some((directory, name)) = self.place(path, layer)? {
            self.link(directory, name, Entry { id, layer });
        }
        Ok(())
    }

    /// Removes what lower layers have at `path`, and keeps what this one has.
    pub fn hide(&mut self, path: &[u8], layer: usize) -> Result<(), Lost> {
        let Some((directory, name)) = self.place(path, layer)? else {
            return Ok(());
        };
        match self.child(directory, name) {
            Some(entry) if entry.layer < layer => {
                if let Kind::Directory(children) = &mut self.nodes[directory].kind {
                    children.remove(name);
                }
            }
            Some(entry) => self.hide_lower(entry.id, layer),
            None => {}
        }
        Ok(())
    }

    /// Removes what lower layers have in the directory `path`.
    pub fn hide_children(&mut self, path: &[u8], layer: usize) -> Result<(), Lost> {
        let id = self.make_directories(path, layer)?;
        self.hide_lower(id, layer);
        Ok(())
    }

    fn hide_lower(&mut self, id: Id, layer: usize) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if let Kind::Directory(children) = &mut self.nodes[id].kind {
                children.retain(|_, entry| entry.layer >= layer);
                pending.extend(children.values().map(|entry| entry.id));
            }
        }
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn child(&self, directory: Id, name: &[u8]) -> Option<Entry> {
        match &self.nodes[directory].kind {
            Kind::Directory(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn link(&mut self, directory: Id, name: &[u8], entry: Entry) {
        if let Kind::Directory(children) = &mut self.nodes[directory].kind {
            children.insert(name.to_vec(), entry);
        }
    }

    /// Creates the parent directory of `path` if needed. Returns it and the file name; `None` for
    /// the root.
    fn place<'a>(&mut self, path: &'a [u8], layer: usize) -> Result<Option<(Id, &'a [u8])>, Lost> {
        let mut parts: Vec<&[u8]> = all_parts(path).collect();
        let Some(name) = parts.pop() else {
            return Ok(None);
        };
        let parent = parts.join(&b'/');
        Ok(Some((self.make_directories(&parent, layer)?, name)))
    }

    /// Creates the directories of `path`, following links. Layers need not list them.
    fn make_directories(&mut self, path: &[u8], layer: usize) -> Result<Id, Lost> {
        let resolved = self.walk(path, true)?;
        let mut directory = ROOT;
        for (name, id) in resolved.0 {
            let existing = id.filter(|id| matches!(self.nodes[*id].kind, Kind::Directory(_)));
            let id = existing.unwrap_or_else(|| {
                self.add(Node {
                    mode: 0o755,
                    kind: Kind::Directory(BTreeMap::new()),
                })
            });
            self.link(directory, &name, Entry { id, layer });
            directory = id;
        }
        Ok(directory)
    }

    /// Resolves `path` from the root, following links; the last component only if `follow` is true.
    /// Missing components are treated as directories.
    fn walk(&self, path: &[u8], follow: bool) -> Result<Way, Lost> {
        let mut way = Way(Vec::new());
        let mut links = 0;
        let mut length = 0;
        let mut pending: Vec<&[u8]> = all_parts(path).rev().collect();
        while let Some(part) = pending.pop() {
            if part == b".." {
                // `..` in the root is the root.
                if let Some((name, _)) = way.0.pop() {
                    length -= name.len() + 1;
                }
                continue;
            }
            let id = way.end().and_then(|directory| self.child(directory, part));
            let id = id.map(|entry| entry.id);
            match id.map(|id| &self.nodes[id].kind) {
                Some(Kind::Symlink(target)) if follow || !pending.is_empty() => {
                    links += 1;
                    if links > LINK_LIMIT {
                        return Err(Lost::Circle);
                    }
                    if target.starts_with(b"/") {
                        way.0.clear();
                        length = 0;
                    }
                    pending.extend(all_parts(target).rev());
                }
                _ => {
                    length += part.len() + 1;
                    if length > PATH_LIMIT {
                        return Err(Lost::TooDeep);
                    }
                    way.0.push((part.to_vec(), id));
                }
            }
        }
        Ok(way)
    }
}

/// The components of a path without links, each with its file if it exists.
struct Way(Vec<(Vec<u8>, Option<Id>)>);

impl Way {
    fn end(&self) -> Option<Id> {
        self.0.last().map_or(Some(ROOT), |(_, id)| *id)
    }

    fn found(&self) -> Option<Found> {
        let path = self.0.iter().flat_map(|(name, _)| [b"/", &name[..]]);
        Some(Found {
            id: self.end()?,
            path: path.collect::<Vec<_>>().concat(),
        })
    }
}

/// The components of a path, including `..`.
fn all_parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

/// The path of `name` in `directory`.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, b"/", name].concat()
}
