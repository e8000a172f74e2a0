//! An OCI image layout is a directory that holds images: what `nix build` gives, and what every
//! other tool can read. A layout may come from anywhere, so nothing in it is believed: each
//! blob is checked for its size and digest when it is read.
//!
//! Source: OCI image-spec, image-layout.md.

pub mod archive;
mod merge;
mod recompress;
mod write;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::digest::Hashing;
use crate::{Descriptor, Document, Error, Image, Index, MediaType, Platform, Result};

pub use merge::merge;
pub use write::LayoutWriter;

/// The layout version that the specification defines: image-layout.md, "oci-layout file".
const VERSION: &str = "1.0.0";

/// JSON documents above this size are refused: registries refuse them as well (OCI
/// distribution-spec, "Pushing Manifests").
pub const DOCUMENT_LIMIT: u64 = 4 << 20;
/// An index may name indexes; nobody nests them deeper than this.
pub const DEPTH_LIMIT: usize = 4;
/// Manifests and indexes in one layout or under one name.
pub const MANIFEST_LIMIT: usize = 256;
/// Layers in an image.
pub const LAYER_LIMIT: usize = 512;

/// A layout on disk.
#[derive(Clone, Debug)]
pub struct Layout {
    directory: PathBuf,
    index: Index,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

impl Layout {
    /// Reads `oci-layout` and `index.json`; everything else is read when it is asked for.
    pub fn open(directory: &Path) -> Result<Layout> {
        let not = |reason: String| Error::NotALayout {
            dir: directory.to_path_buf(),
            reason,
        };
        let file = |name: &str| {
            let path = directory.join(name);
            let mut bytes = Vec::new();
            let read = File::open(&path)
                .and_then(|file| file.take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes));
            match read {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(not(format!("it has no {name}")));
                }
                Err(error) => return Err(Error::io("read", &path)(error)),
                Ok(_) => check_document_size(&path.display().to_string(), bytes.len() as u64)?,
            }
            Ok((path, bytes))
        };

        let (path, bytes) = file("oci-layout")?;
        let mark: Mark = parse(&path, &bytes)?;
        if mark.image_layout_version != VERSION {
            let version = mark.image_layout_version;
            return Err(not(format!("its version is {version:?}, not {VERSION}")));
        }
        let (path, bytes) = file("index.json")?;
        Ok(Layout {
            index: parse(&path, &bytes)?,
            directory: directory.to_path_buf(),
        })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What `index.json` holds.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The one thing that the layout holds, an image or an index; perhaps under several names.
    pub fn top(&self) -> Result<&Descriptor> {
        match &self.index.manifests[..] {
            [top, names @ ..] if names.iter().all(|it| it.digest == top.digest) => Ok(top),
            manifests => Err(Error::NotOne {
                dir: self.directory.clone(),
                count: manifests.len(),
            }),
        }
    }

    /// Every image, also those in indexes that the index names, in the order they are named.
    pub fn images(&self) -> Result<Vec<Image>> {
        let manifests = self.manifests()?;
        manifests.iter().map(|it| self.read_image(it)).collect()
    }

    /// What names the images, also in indexes that the index names, in that order.
    pub fn manifests(&self) -> Result<Vec<Descriptor>> {
        let (_, manifests) = self.walk(&self.index.manifests)?;
        Ok(manifests)
    }

    /// All that `tops` lead to, and they themselves, each once, what is named before what names it.
    pub fn blobs(&self, tops: &[Descriptor]) -> Result<Vec<Descriptor>> {
        let (indexes, manifests) = self.walk(tops)?;
        let mut blobs = Vec::new();
        for manifest in &manifests {
            let image = self.read_image(manifest)?;
            blobs.extend(image.layers().map(|(layer, _)| layer.clone()));
            blobs.push(image.config().descriptor().clone());
            blobs.push(image.manifest().descriptor().clone());
        }
        blobs.extend(indexes.into_iter().rev());
        let mut seen = BTreeSet::new();
        blobs.retain(|blob| seen.insert(blob.digest));
        Ok(blobs)
    }

    /// The indexes that `tops` lead to, outer before inner, and the manifests, as they are
    /// named.
    fn walk(&self, tops: &[Descriptor]) -> Result<(Vec<Descriptor>, Vec<Descriptor>)> {
        let mut indexes = Vec::new();
        let mut manifests = Vec::new();
        let mut seen = 0;
        let mut pending: Vec<_> = at_depth(tops, 0);
        while let Some((descriptor, depth)) = pending.pop() {
            // Counted here, so that indexes without images cannot multiply either.
            seen += 1;
            if seen > MANIFEST_LIMIT {
                return Err(self.too_many("manifests", MANIFEST_LIMIT));
            }
            match descriptor.media_type.meaning() {
                MediaType::Manifest => manifests.push(descriptor),
                MediaType::Index if depth < DEPTH_LIMIT => {
                    let inner = self.read_index(&descriptor)?;
                    pending.extend(at_depth(&inner.value().manifests, depth + 1));
                    indexes.push(inner.descriptor().clone());
                }
                MediaType::Index => {
                    return Err(self.too_many("indexes within each other", DEPTH_LIMIT));
                }
                other => {
                    return Err(Error::WrongMediaType {
                        what: format!("blob {}", descriptor.digest),
                        found: other,
                        wanted: "image manifest or index",
                    });
                }
            }
        }
        Ok((indexes, manifests))
    }

    /// The first image for `platform`.
    pub fn image(&self, platform: &Platform) -> Result<Image> {
        let images = self.images()?;
        let has: Vec<String> = images.iter().map(|it| it.platform().to_string()).collect();
        images
            .into_iter()
            .find(|image| image.platform().serves(platform))
            .ok_or_else(|| Error::NoPlatform {
                dir: self.directory.clone(),
                wanted: Box::new(platform.clone()),
                has: match has[..] {
                    [] => "none at all".to_owned(),
                    _ => has.join(", "),
                },
            })
    }

    /// Reads every blob of every image, and checks it.
    pub fn verify(&self) -> Result<()> {
        for image in self.images()? {
            for (layer, _) in image.layers() {
                self.copy_blob(layer, &mut io::sink())?;
            }
        }
        Ok(())
    }

    /// The file of a blob, which need not exist.
    pub fn blob_path(&self, blob: &Descriptor) -> PathBuf {
        let mut path = self.directory.join("blobs").join("sha256");
        path.push(blob.digest.hex());
        path
    }

    /// Copies a blob to `to`. On an error, what `to` got is worthless.
    pub fn copy_blob(&self, blob: &Descriptor, to: &mut impl Write) -> Result<()> {
        copy_stream_checked(blob, self.open_blob(blob)?, to, &self.blob_path(blob))
    }

    /// A blob's file, which has the right length.
    pub fn open_blob(&self, blob: &Descriptor) -> Result<File> {
        let path = self.blob_path(blob);
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let metadata = file.metadata().map_err(Error::io("read", &path))?;
        blob.check_size(metadata.len())?;
        Ok(file)
    }

    /// The index that `descriptor` names.
    pub fn read_index(&self, descriptor: &Descriptor) -> Result<Document<Index>> {
        self.document(descriptor)
    }

    /// The image whose manifest `descriptor` names.
    pub fn read_image(&self, descriptor: &Descriptor) -> Result<Image> {
        let manifest: Document<crate::Manifest> = self.document(descriptor)?;
        if manifest.value().layers.len() > LAYER_LIMIT {
            return Err(self.too_many("layers in an image", LAYER_LIMIT));
        }
        let config = &manifest.value().config;
        if config.media_type.meaning() != MediaType::Config {
            return Err(Error::WrongMediaType {
                what: format!("blob {}", config.digest),
                found: config.media_type.clone(),
                wanted: "image config",
            });
        }
        let config = self.document(config)?;
        Image::from_documents(manifest, config)
    }

    fn document<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<Document<T>> {
        check_document_size(&format!("blob {}", descriptor.digest), descriptor.size)?;
        let mut bytes = Vec::new();
        self.copy_blob(descriptor, &mut bytes)?;
        Document::parse(descriptor.clone(), bytes)
    }

    fn too_many(&self, what: &'static str, limit: usize) -> Error {
        Error::TooMany {
            dir: self.directory.clone(),
            what,
            limit,
        }
    }
}

/// What is named at `depth`, the first on top of the stack.
fn at_depth(named: &[Descriptor], depth: usize) -> Vec<(Descriptor, usize)> {
    named.iter().rev().map(|it| (it.clone(), depth)).collect()
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json {
        what: path.display().to_string(),
        source,
    })
}

fn check_document_size(what: &str, size: u64) -> Result<()> {
    if size <= DOCUMENT_LIMIT {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: what.to_owned(),
        size,
        limit: DOCUMENT_LIMIT,
    })
}

/// Copies the blob that `file` at `path` holds, and checks it against its descriptor; a file of
/// the wrong length is not even begun.
fn copy_checked(blob: &Descriptor, file: File, to: &mut impl Write, path: &Path) -> Result<()> {
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    blob.check_size(metadata.len())?;
    copy_stream_checked(blob, file, to, path)
}

/// Copies a blob and checks it against its descriptor; reads a byte more than it has at most.
/// `path` is for the error.
fn copy_stream_checked(
    blob: &Descriptor,
    from: impl Read,
    to: &mut impl Write,
    path: &Path,
) -> Result<()> {
    let copy = || {
        // `io::copy` reads into the buffer of a writer that has one; its own is small.
        let mut to = BufWriter::with_capacity(128 * 1024, Hashing::new(to));
        io::copy(&mut from.take(blob.size + 1), &mut to)?;
        to.into_inner().map_err(IntoInnerError::into_error)
    };
    let (_, found, size) = copy().map_err(Error::io("copy", path))?.finish();
    blob.check(found, size)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io("write", path))
}
