//! Layers. Registries and machines store a layer once, however many images share it.
//!
//! Sharing requires that the same files always give the same layer; this module guarantees it.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::tar_writer::TarWriter;
use crate::tree::{self, Place};
use crate::{Descriptor, Digest, Error, MediaType, Result, StorePath};

/// The content of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerSource {
    /// These store paths, at their paths on disk.
    StorePaths(Vec<StorePath>),
    /// The content of this directory, at `/`.
    Root(PathBuf),
    /// These files, each at its path.
    Files(Files),
}

/// A packed layer. It describes the blob but not its location: see [`crate::LayerDir`] and
/// [`crate::Layout`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layer {
    pub media_type: MediaType,
    /// Digest of the compressed blob.
    pub digest: Digest,
    /// Size of the compressed blob, in bytes.
    pub size: u64,
    /// Digest of the uncompressed tar. Source: OCI image-spec, config.md, "Layer DiffID".
    pub diff_id: Digest,
    /// Size of the uncompressed tar, in bytes.
    pub uncompressed_size: u64,
    /// The store paths in the layer, sorted; empty for a layer of files at `/`.
    pub paths: Vec<StorePath>,
}

impl Layer {
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.size)
    }
}

/// Appends the layer's content to `tar` and returns the store paths in it.
pub(crate) fn append<W: Write>(
    archive: &mut TarWriter<W>,
    source: &LayerSource,
) -> Result<Vec<StorePath>> {
    match source {
        LayerSource::StorePaths(paths) => append_store_paths(archive, paths),
        LayerSource::Root(tree) => append_root(archive, tree).map(|()| Vec::new()),
        LayerSource::Files(files) => files.append(archive).map(|()| Vec::new()),
    }
}

fn append_store_paths<W: Write>(
    archive: &mut TarWriter<W>,
    paths: &[StorePath],
) -> Result<Vec<StorePath>> {
    let mut paths = paths.to_vec();
    paths.sort();
    paths.dedup();
    let mut parent = "";
    for path in &paths {
        // Store paths are absolute; names in a tar are relative.
        let name = &path.as_str()[1..];
        for (end, _) in name.match_indices('/') {
            let directory = &name[..end];
            let seen = parent
                .strip_prefix(directory)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if !seen {
                archive.directory(directory.as_bytes(), 0o755)?;
                parent = directory;
            }
        }
        tree::append(archive, path.as_path(), name.as_bytes(), Place::Store)?;
    }
    Ok(paths)
}

fn append_root<W: Write>(archive: &mut TarWriter<W>, root: &Path) -> Result<()> {
    if !root.is_dir() {
        return Err(Error::NotADirectory(root.to_path_buf()));
    }
    for child in tree::children(root)? {
        let path = root.join(std::ffi::OsStr::from_bytes(&child));
        tree::append(archive, &path, &child, Place::Root)?;
    }
    Ok(())
}
