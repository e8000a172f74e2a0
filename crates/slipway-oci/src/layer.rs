//! A layer is what images share: a registry and a machine hold it once however many images name
//! it. So the same files must always become the same layer, and this is where they do.

use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::tree::{self, Place};
use crate::{Compression, Descriptor, Digest, Error, MediaType, Result, StorePath, pipeline};

/// What goes into a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerSource {
    /// These store paths, at the place they have on disk.
    StorePaths(Vec<StorePath>),
    /// What lies in this directory, at `/`.
    Root(PathBuf),
}

/// A packed layer. It says what the blob is, not where: see [`crate::LayerDir`] and
/// [`crate::Layout`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layer {
    pub media_type: MediaType,
    /// Of the compressed blob.
    pub digest: Digest,
    /// Of the compressed blob, in bytes.
    pub size: u64,
    /// Of the tar within. Source: OCI image-spec, config.md, "Layer DiffID".
    pub diff_id: Digest,
    /// Of the tar within, in bytes.
    pub uncompressed_size: u64,
    /// The store paths in it, sorted; none in a layer that is laid at `/`.
    pub paths: Vec<StorePath>,
}

impl Layer {
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.size)
    }

    /// Writes the layer of `source` to the new file `blob`, in one pass and constant memory.
    ///
    /// The same content gives the same bytes, whatever the owners, times, other modes and order
    /// of creation of its files, in whatever order store paths are given, and on however many
    /// processors.
    pub fn pack(source: &LayerSource, compression: Compression, blob: &Path) -> Result<Layer> {
        let jobs = [(source.clone(), blob.to_path_buf())];
        let packed = pipeline::pack(&jobs, compression)?.pop();
        packed.ok_or_else(|| Error::io("write", blob)(ErrorKind::UnexpectedEof.into()))
    }
}

/// Appends all of a layer, and gives the store paths in it.
pub(crate) fn append<W: Write>(
    archive: &mut Archive<W>,
    source: &LayerSource,
) -> Result<Vec<StorePath>> {
    match source {
        LayerSource::StorePaths(paths) => append_store_paths(archive, paths),
        LayerSource::Root(tree) => append_root(archive, tree).map(|()| Vec::new()),
    }
}

fn append_store_paths<W: Write>(
    archive: &mut Archive<W>,
    paths: &[StorePath],
) -> Result<Vec<StorePath>> {
    let mut paths = paths.to_vec();
    paths.sort();
    paths.dedup();
    let mut parent = "";
    for path in &paths {
        // Both are absolute; a name in a tar is not.
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

fn append_root<W: Write>(archive: &mut Archive<W>, root: &Path) -> Result<()> {
    if !root.is_dir() {
        return Err(Error::NotADirectory(root.to_path_buf()));
    }
    for child in tree::children(root)? {
        let path = root.join(std::ffi::OsStr::from_bytes(&child));
        tree::append(archive, &path, &child, Place::Root)?;
    }
    Ok(())
}
