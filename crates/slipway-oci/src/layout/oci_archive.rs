//! Archives: a layout as a tar, and the older format that every Docker version can load.
//!
//! Container engines read archives from a pipe, and users pass them on as files. Archives are
//! untrusted input: reading one creates a layout, which is checked like any other.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tar::{Builder, EntryType, Header};

use super::{Layout, VERSION};
use crate::compression::decoder;
use crate::digest::DigestReader;
use crate::{Descriptor, Digest, Error, Image, Index, Result, null};

pub use read::read;

mod read;

/// The annotation that containerd and Podman use to name a loaded image.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Source: OCI image-spec, annotations.md, "Pre-Defined Annotation Keys".
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Returns the descriptor of an image or index, annotated with the name that an engine gives it on
/// load.
pub fn named(top: &Descriptor, name: &str) -> Descriptor {
    let mut top = top.clone();
    for key in [CONTAINERD_NAME, REF_NAME] {
        top.annotations.insert(key.to_owned(), name.to_owned());
    }
    top
}

/// The names of a descriptor: see [`named`].
pub(super) fn names(top: &Descriptor) -> impl Iterator<Item = &str> {
    let names = [CONTAINERD_NAME, REF_NAME].map(|key| top.annotations.get(key));
    names.into_iter().flatten().map(String::as_str)
}

/// Writes an OCI archive: the tar of a layout that holds `top` and all that it refers to.
///
/// `top` lists images and indexes in `layout`, annotated with their names (see [`named`]). One
/// with several names is listed several times. The output is deterministic. After an error, discard
/// what was written to `to`.
pub fn write(layout: &Layout, top: &[Descriptor], to: impl Write) -> Result<()> {
    let mut tar = Tar::new(layout, to);
    let index = json("index.json", &Index::new(top.to_vec()))?;
    let mark = format!(r#"{{"imageLayoutVersion":"{VERSION}"}}"#);
    tar.bytes("oci-layout", mark.as_bytes())?;
    tar.bytes("index.json", &index)?;
    let blobs = layout.blobs(top)?;
    let mut blobs: Vec<&Descriptor> = blobs.iter().collect();
    blobs.sort_by_key(|blob| blob.digest);
    for blob in blobs {
        tar.blob(&blob.digest.blob_path(), blob)?;
    }
    tar.finish()
}

/// An entry of a Docker archive's `manifest.json`.
///
/// Source: Docker Image Specification v1.2.0, "Combined Image JSON + Filesystem Changeset Format".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default, deserialize_with = "null::or_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "null::or_default")]
    layers: Vec<String>,
}

/// Writes a Docker archive of one image with these names.
///
/// Layers are stored uncompressed, because older engines do not support zstd. The engine therefore
/// creates its own manifest, but the config, and with it the image ID, stays the same. After an
/// error, discard what was written to `to`.
pub fn write_docker(
    layout: &Layout,
    image: &Image,
    names: &[String],
    to: impl Write,
) -> Result<()> {
    let mut tar = Tar::new(layout, to);
    let config = format!("{}.json", image.config().descriptor().digest.hex());
    tar.bytes(&config, image.config().bytes())?;
    let mut layers = Vec::new();
    let mut written = BTreeSet::new();
    for (blob, diff_id) in image.layers() {
        let name = format!("{}.tar", diff_id.hex());
        if written.insert(diff_id) {
            tar.unpacked(&name, blob, diff_id)?;
        }
        layers.push(name);
    }
    let manifest = [DockerManifest {
        config,
        repo_tags: names.to_vec(),
        layers,
    }];
    tar.bytes("manifest.json", &json("manifest.json", &manifest)?)?;
    tar.finish()
}

fn json<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| Error::Json {
        what: what.to_owned(),
        source,
    })
}

/// Writes files owned by root with a fixed mtime, from memory and from a layout.
struct Tar<'a, W: Write> {
    layout: &'a Layout,
    tar: Builder<W>,
}

impl<'a, W: Write> Tar<'a, W> {
    fn new(layout: &'a Layout, to: W) -> Self {
        Tar {
            layout,
            tar: Builder::new(to),
        }
    }

    fn file(&mut self, name: &str, size: u64, from: impl Read) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(1);
        header.set_size(size);
        self.tar
            .append_data(&mut header, name, from)
            .map_err(Error::io("write", Path::new(name)))
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.file(name, bytes.len() as u64, bytes)
    }

    fn blob(&mut self, name: &str, blob: &Descriptor) -> Result<()> {
        let mut from = DigestReader::against(&blob.digest, self.layout.open_blob(blob)?);
        self.file(name, blob.size, &mut from)?;
        let (_, found, size) = from.finish();
        blob.check(found, size)
    }

    /// Writes the uncompressed tar of a layer. The header needs the size, so the layer is
    /// decompressed twice; the first pass checks the blob and the DiffID.
    fn unpacked(&mut self, name: &str, blob: &Descriptor, diff_id: Digest) -> Result<()> {
        self.layout.copy_blob(blob, &mut io::sink())?;
        let path = self.layout.blob_path(blob);
        let tar = || {
            let file = self.layout.open_blob(blob)?;
            decoder(&blob.media_type, file)
                .ok_or_else(|| Error::WrongMediaType {
                    what: format!("blob {}", blob.digest),
                    found: blob.media_type.clone(),
                    wanted: "layer",
                })?
                .map_err(Error::io("unpack", &path))
        };
        let mut measure = DigestReader::against(&diff_id, io::sink());
        io::copy(&mut tar()?, &mut measure).map_err(Error::io("unpack", &path))?;
        let (_, found, size) = measure.finish();
        if found != diff_id {
            return Err(Error::DiffId {
                layer: blob.digest,
                expected: diff_id,
                found,
            });
        }
        let from = tar()?;
        self.file(name, size, from)
    }

    fn finish(self) -> Result<()> {
        let written = self.tar.into_inner().and_then(|mut to| to.flush());
        written.map_err(Error::io("write", Path::new("the archive")))
    }
}
