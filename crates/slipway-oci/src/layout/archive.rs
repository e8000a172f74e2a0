//! Container engines take an image through a pipe, and people carry one as a file: a tar of its
//! layout, or the older form that every Docker can load. An archive may come from anywhere too,
//! so one that is read becomes a layout, and is checked as layouts are.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;
use tar::{Builder, EntryType, Header};

use super::{Layout, VERSION};
use crate::compression::decoder;
use crate::digest::Hashing;
use crate::staging::Staging;
use crate::{Descriptor, Digest, Error, Image, Index, Result};

/// What containerd and Podman call an image that they load.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Source: OCI image-spec, annotations.md, "Pre-Defined Annotation Keys".
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The descriptor of an image or index with the name that an engine shall give it.
pub fn named(top: &Descriptor, name: &str) -> Descriptor {
    let mut top = top.clone();
    for key in [CONTAINERD_NAME, REF_NAME] {
        top.annotations.insert(key.to_owned(), name.to_owned());
    }
    top
}

/// Writes an OCI archive: the tar of a layout that holds `top` and all that it leads to.
///
/// `top` is in `layout`, or is several times there under other names (see [`named`]). Equal
/// layouts give equal bytes. On an error, what `to` got is worthless.
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
        tar.blob(&format!("blobs/sha256/{}", blob.digest.hex()), blob)?;
    }
    tar.finish()
}

/// The one entry of a Docker archive's `manifest.json`.
///
/// Source: Docker Image Specification v1.2.0, "Combined Image JSON + Filesystem Changeset Format".
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes a Docker archive of one image, which then has these names.
///
/// Its layers are not compressed: older engines know no zstd. So the engine makes a manifest of
/// its own; the config, and with it the image's ID, stays the same. On an error, what `to` got is
/// worthless.
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

/// Unpacks an OCI archive into the new layout `directory`. What does not belong to a layout is
/// left out; blobs are checked when they are read.
pub fn read(archive: &Path, directory: &Path) -> Result<Layout> {
    let failed = || Error::io("read", archive);
    let staging = Staging::beside(directory)?;
    let blobs = staging.path().join("blobs").join("sha256");
    fs::create_dir_all(&blobs).map_err(Error::io("create", &blobs))?;
    let file = File::open(archive).map_err(failed())?;
    let mut tar = tar::Archive::new(io::BufReader::with_capacity(128 * 1024, file));
    for entry in tar.entries().map_err(failed())? {
        let mut entry = entry.map_err(failed())?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./");
        let path = match name.strip_prefix("blobs/sha256/") {
            Some(hex) if format!("sha256:{hex}").parse::<Digest>().is_ok() => blobs.join(hex),
            None if name == "oci-layout" || name == "index.json" => staging.path().join(name),
            _ => continue,
        };
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let mut to = File::create(&path).map_err(Error::io("create", &path))?;
        io::copy(&mut entry, &mut to).map_err(Error::io("write", &path))?;
    }
    if !staging.path().join("oci-layout").exists() {
        return Err(Error::NotALayout {
            dir: archive.to_path_buf(),
            reason: "it is a tar without the file oci-layout".to_owned(),
        });
    }
    // Read where it will be, for the messages.
    staging.finish()?;
    Layout::open(directory)
}

fn json<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| Error::Json {
        what: what.to_owned(),
        source,
    })
}

/// Writes files that root owns, of one time, from memory and from a layout.
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
        let mut from = Hashing::new(self.layout.open_blob(blob)?);
        self.file(name, blob.size, &mut from)?;
        let (_, found, size) = from.finish();
        blob.check(found, size)
    }

    /// A layer's tar. Its size stands before it, so it is unpacked twice; the first time checks
    /// the blob and what it unpacks to.
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
        let mut measure = Hashing::new(io::sink());
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
