//! Unpacks images safely. An image is untrusted input, and a layer is a list of paths to write to.
//!
//! Each path is resolved here, component by component inside the new directory. The kernel never
//! resolves `..` or links of an image.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use crate::accounts::Owner;
use crate::layer_reader::{EntryKind, LayerEntry};
use crate::staging::Staging;
use crate::{Digest, Error, Image, Layout, Result};

/// Most symbolic links to follow in one path, as in the kernel.
const LINK_LIMIT: usize = 40;

/// Applies the layers of `image`, found in `layout`, in order to the new directory `destination`.
///
/// Modes are kept, except that the owner may write (so that the tree can be removed again) and that
/// set-user-ID and set-group-ID are dropped. Owners are kept if this user may set them; times are not. Links are resolved as
/// in a container, with `destination` as `/`. A path outside of it is an error, and so is a device.
/// On an error nothing is left at `destination`.
///
/// Source: OCI image-spec, layer.md, "Applying Changesets" and "Whiteouts".
pub fn unpack(layout: &Layout, image: &Image, destination: &Path) -> Result<()> {
    let staging = Staging::beside(destination)?;
    for (blob, diff_id) in image.layers() {
        // Check the blob's digest first, so that decoders and tar readers only see the blob that
        // the manifest refers to.
        layout.copy_blob(blob, &mut io::sink())?;
        let mut layer = LayerUnpacker {
            root: staging.path(),
            blob: blob.digest,
            written: HashSet::new(),
        };
        layout.read_layer(blob, diff_id, u64::MAX, |entry| layer.entry(entry))?;
    }
    staging.finish()
}

struct LayerUnpacker<'a> {
    root: &'a Path,
    blob: Digest,
    /// Paths written by this layer. Its whiteouts apply only to lower layers.
    written: HashSet<PathBuf>,
}

impl LayerUnpacker<'_> {
    fn entry(&mut self, entry: LayerEntry) -> Result<()> {
        let LayerEntry {
            name,
            kind,
            mode,
            owner,
            target,
            body,
            ..
        } = entry;
        let name = OsString::from_vec(name);
        let layer = self.blob;
        let refuse = |reason| Error::Entry {
            layer,
            entry: name.to_string_lossy().into_owned(),
            reason,
        };
        let mut parents = parts(&name).map_err(refuse)?;
        let Some(last) = parents.pop() else {
            // The root itself, `./`, exists already.
            return Ok(());
        };
        let directory = self.resolve(parents).map_err(refuse)?;
        self.make_directories(&directory)?;

        if let Some(hidden) = last.as_bytes().strip_prefix(b".wh.") {
            return match hidden {
                b".wh..opq" => self.hide_children(&directory),
                b"" | b"." | b".." => Err(refuse("is a whiteout of no file")),
                _ => self.hide(&directory.join(OsStr::from_bytes(hidden))),
            };
        }

        let path = directory.join(last);
        match kind {
            EntryKind::Directory => {
                if !is_directory(&path) {
                    remove(&path)?;
                    fs::create_dir(&path).map_err(Error::io("create", &path))?;
                }
                set_owner(&path, owner)?;
                set_mode(&path, mode & 0o1777 | 0o700)?;
            }
            EntryKind::File => {
                remove(&path)?;
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(Error::io("create", &path))?;
                io::copy(body, &mut file).map_err(Error::io("write", &path))?;
                set_owner(&path, owner)?;
                set_mode(&path, mode & 0o1777 | 0o200)?;
            }
            EntryKind::Symlink => {
                remove(&path)?;
                symlink(OsStr::from_bytes(&target), &path).map_err(Error::io("create", &path))?;
                set_owner(&path, owner)?;
            }
            EntryKind::HardLink => {
                let mut parents = parts(OsStr::from_bytes(&target)).map_err(refuse)?;
                let last = parents
                    .pop()
                    .ok_or_else(|| refuse("is a hard link to the root"))?;
                let target = self.resolve(parents).map_err(refuse)?.join(last);
                if target != path {
                    if !fs::symlink_metadata(&target).is_ok_and(|target| !target.is_dir()) {
                        return Err(refuse("is a hard link to no file"));
                    }
                    remove(&path)?;
                    fs::hard_link(&target, &path).map_err(Error::io("create", &path))?;
                }
            }
            _ => return Err(refuse("is neither file, directory nor link")),
        }
        self.written.insert(path);
        Ok(())
    }

    /// Resolves `parts` to a directory below the root, following links as in a container. Missing
    /// components are treated as directories.
    fn resolve(&self, parts: Vec<OsString>) -> std::result::Result<PathBuf, &'static str> {
        let mut path = self.root.to_path_buf();
        let mut depth = 0;
        let mut links = 0;
        let mut pending: Vec<OsString> = parts.into_iter().rev().collect();
        while let Some(part) = pending.pop() {
            if part == ".." {
                if depth == 0 {
                    return Err("leads out of the image through a link");
                }
                path.pop();
                depth -= 1;
                continue;
            }
            path.push(&part);
            depth += 1;
            let Ok(target) = fs::read_link(&path) else {
                continue;
            };
            links += 1;
            if links > LINK_LIMIT {
                return Err("leads through too many links");
            }
            path.pop();
            depth -= 1;
            if target.is_absolute() {
                path = self.root.to_path_buf();
                depth = 0;
            }
            for component in target.components().rev() {
                match component {
                    Component::Normal(part) => pending.push(part.to_os_string()),
                    Component::ParentDir => pending.push("..".into()),
                    Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
                }
            }
        }
        Ok(path)
    }

    /// Creates `directory` and its missing parents, which layers need not list.
    fn make_directories(&mut self, directory: &Path) -> Result<()> {
        let mut path = self.root.to_path_buf();
        let below = directory.strip_prefix(self.root).unwrap_or(Path::new(""));
        for part in below {
            path.push(part);
            if !is_directory(&path) {
                remove(&path)?;
                fs::create_dir(&path).map_err(Error::io("create", &path))?;
                set_mode(&path, 0o755)?;
            }
            self.written.insert(path.clone());
        }
        Ok(())
    }

    /// Removes what lower layers have at `path`, and keeps what this one has.
    fn hide(&self, path: &Path) -> Result<()> {
        match self.written.contains(path) {
            false => remove(path),
            true if is_directory(path) => self.hide_children(path),
            true => Ok(()),
        }
    }

    fn hide_children(&self, directory: &Path) -> Result<()> {
        for child in crate::tree::children(directory)? {
            self.hide(&directory.join(OsStr::from_bytes(&child)))?;
        }
        Ok(())
    }
}

/// Splits a name in a tar. It must be relative and must not contain `..`.
fn parts(name: &OsStr) -> std::result::Result<Vec<OsString>, &'static str> {
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_os_string()),
            Component::CurDir => {}
            Component::ParentDir => return Err("has .. in its name"),
            Component::RootDir | Component::Prefix(_) => return Err("has an absolute name"),
        }
    }
    Ok(parts)
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Removes whatever is at `path`, if anything. Links are not followed.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(Error::io("remove", path))
}

/// Gives a file or a link to its owner. Only root may do that; for others, their files stay theirs.
fn set_owner(path: &Path, owner: Owner) -> Result<()> {
    let metadata = fs::symlink_metadata(path).map_err(Error::io("read", path))?;
    if (metadata.uid(), metadata.gid()) == (owner.uid, owner.gid) {
        return Ok(());
    }
    match lchown(path, Some(owner.uid), Some(owner.gid)) {
        // A user namespace lacks most numbers.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        result => result.map_err(Error::io("write", path)),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::io("write", path))
}
