//! A layer is what images share: a registry and a machine hold it once however many images name
//! it. So the same files must always become the same layer, and this is where they do.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::digest::Hashing;
use crate::tree::{self, Place};
use crate::{Compression, Descriptor, Digest, Error, MediaType, Result, StorePath};

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
    /// of creation of its files, and in whatever order store paths are given.
    pub fn pack(source: &LayerSource, compression: Compression, blob: &Path) -> Result<Layer> {
        let write = || Error::io("write", blob);
        let file = File::create_new(blob).map_err(write())?;
        let compressed = Hashing::new(BufWriter::with_capacity(128 * 1024, file));
        let encoder = compression.encoder(compressed).map_err(write())?;
        let tar = BufWriter::with_capacity(128 * 1024, Hashing::new(encoder));

        let mut archive = Archive::new(tar, blob.to_path_buf());
        let paths = match source {
            LayerSource::StorePaths(paths) => append_store_paths(&mut archive, paths)?,
            LayerSource::Root(tree) => {
                append_root(&mut archive, tree)?;
                Vec::new()
            }
        };

        let tar = archive.finish()?.into_inner();
        let (encoder, diff_id, uncompressed_size) =
            tar.map_err(|error| write()(error.into_error()))?.finish();
        let (mut file, digest, size) = encoder.finish().map_err(write())?.finish();
        file.flush().map_err(write())?;
        Ok(Layer {
            media_type: compression.media_type(),
            digest,
            size,
            diff_id,
            uncompressed_size,
            paths,
        })
    }
}

/// Packs many layers, on as many threads as the machine has processors; `jobs` are sources and
/// the new files for their blobs. The layers are in the order of the jobs.
pub(crate) fn pack_all(
    jobs: &[(LayerSource, PathBuf)],
    compression: Compression,
) -> Result<Vec<Layer>> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((source, blob)) = jobs.get(number) else {
                return done;
            };
            let layer = Layer::pack(source, compression, blob);
            if layer.is_err() {
                // The others need not begin what nobody will use.
                next.store(jobs.len(), Ordering::Relaxed);
            }
            done.push((number, layer));
        }
    };
    let mut done = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(jobs.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Vec<_>>| {
            worker
                .join()
                .unwrap_or_else(|cause| panic::resume_unwind(cause))
        };
        workers.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, layer)| layer).collect()
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
