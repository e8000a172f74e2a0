//! OCI image layouts: directories that hold images. `nix build` outputs them, and other tools read
//! them.
//!
//! A layout is untrusted input: the size and digest of each blob are checked when it is read.
//!
//! Source: OCI image-spec, image-layout.md.

mod merge;
pub mod oci_archive;
mod recompress;
mod write;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::digest::DigestReader;
use crate::{Descriptor, Document, Error, Image, Index, Manifest, MediaType, Platform, Result};

pub use merge::{Part, Taken, merge, merge_parts};
pub use write::LayoutWriter;

/// The layout version. Source: OCI image-spec, image-layout.md, "oci-layout file".
const VERSION: &str = "1.0.0";

/// Largest JSON document that is accepted, in bytes. Registries have the same limit (OCI
/// distribution-spec, "Pushing Manifests").
pub const DOCUMENT_LIMIT: u64 = 4 << 20;
/// Deepest nesting of indexes that is accepted. Real images nest them less deeply.
pub const DEPTH_LIMIT: usize = 4;
/// Most manifests and indexes in one layout or under one name.
pub const MANIFEST_LIMIT: usize = 256;
/// Most layers in an image.
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
    /// Reads `oci-layout` and `index.json`. Everything else is read on demand.
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

    /// The content of `index.json`.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Restricts the layout to the entries with this name. `wanted` is a name as in
    /// [`oci_archive::named`], or its tag.
    pub fn of_name(self, wanted: &str) -> Result<Layout> {
        let names = |it: &Descriptor| {
            oci_archive::names(it)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let has: BTreeSet<String> = self.index.manifests.iter().flat_map(names).collect();
        let is_meant = |name: &String| {
            let tag = name.rsplit_once(':').map(|(_, tag)| tag);
            name == wanted || tag == Some(wanted)
        };
        let mut index = self.index;
        index.manifests.retain(|it| names(it).iter().any(is_meant));
        if index.manifests.is_empty() {
            return Err(Error::NoName {
                dir: self.directory,
                wanted: wanted.to_owned(),
                has: match has.is_empty() {
                    true => "no names".to_owned(),
                    false => Vec::from_iter(has).join(", "),
                },
            });
        }
        Ok(Layout { index, ..self })
    }

    /// The single image or index in the layout. It may have several names. Anything else is an
    /// error.
    pub fn top(&self) -> Result<&Descriptor> {
        match &self.index.manifests[..] {
            [top, names @ ..] if names.iter().all(|it| it.digest == top.digest) => Ok(top),
            manifests => Err(Error::NotOne {
                dir: self.directory.clone(),
                count: manifests.len(),
            }),
        }
    }

    /// Every image, including those in nested indexes, in index order. Other artifacts and
    /// manifests of unknown form are skipped, unless the layout has nothing else.
    pub fn images(&self) -> Result<Vec<Image>> {
        let mut images = Vec::new();
        let mut fault = None;
        for manifest in self.manifests()? {
            match self.read_image(&manifest) {
                Ok(image) => images.push(image),
                Err(error) if error.is_of_form() => fault = fault.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match (fault, images.is_empty()) {
            (Some(fault), true) => Err(fault),
            _ => Ok(images),
        }
    }

    /// The attestations and other manifests attached to images.
    pub fn about_images(&self) -> Result<Vec<Descriptor>> {
        let (_, mut manifests) = self.walk(&self.index.manifests)?;
        manifests.retain(Descriptor::is_about_an_image);
        Ok(manifests)
    }

    /// The descriptors of the images' manifests, including those in nested indexes, in index order.
    /// Attestations are left out.
    pub fn manifests(&self) -> Result<Vec<Descriptor>> {
        let (_, mut manifests) = self.walk(&self.index.manifests)?;
        if manifests.iter().any(|it| !it.is_about_an_image()) {
            manifests.retain(|it| !it.is_about_an_image());
        }
        Ok(manifests)
    }

    /// All blobs reachable from `tops`, including these, each once. A blob precedes those that
    /// refer to it.
    pub fn blobs(&self, tops: &[Descriptor]) -> Result<Vec<Descriptor>> {
        let (indexes, manifests) = self.walk(tops)?;
        let mut blobs = Vec::new();
        for manifest in &manifests {
            let manifest = self.read_manifest(manifest)?;
            blobs.extend(manifest.value().layers.iter().cloned());
            blobs.push(manifest.value().config.clone());
            blobs.push(manifest.descriptor().clone());
        }
        blobs.extend(indexes.into_iter().rev());
        let mut seen = BTreeSet::new();
        blobs.retain(|blob| seen.insert(blob.digest));
        Ok(blobs)
    }

    /// The indexes reachable from `tops`, outer before inner, and the manifests in index order.
    fn walk(&self, tops: &[Descriptor]) -> Result<(Vec<Descriptor>, Vec<Descriptor>)> {
        let mut indexes = Vec::new();
        let mut manifests = Vec::new();
        let mut seen = 0;
        let mut pending: Vec<_> = at_depth(tops, 0);
        while let Some((descriptor, depth)) = pending.pop() {
            // Counts indexes as well, which bounds the work for indexes without images.
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
                // Skip unknown entries of an index.
                _ if depth > 0 || tops.len() > 1 => {}
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

    /// The image that fits a machine of this platform best.
    pub fn image(&self, platform: &Platform) -> Result<Image> {
        let images = self.images()?;
        let has: Vec<String> = images.iter().map(|it| it.platform().to_string()).collect();
        let fitness = |image: &Image| image.platform().fitness(platform);
        // The first one wins among equals.
        images
            .into_iter()
            .rev()
            .filter(|image| fitness(image).is_some())
            .max_by_key(fitness)
            .ok_or_else(|| Error::NoPlatform {
                dir: self.directory.clone(),
                wanted: Box::new(platform.clone()),
                has: match has[..] {
                    [] => "none at all".to_owned(),
                    _ => has.join(", "),
                },
            })
    }

    /// Reads every blob of every image and checks it.
    pub fn verify(&self) -> Result<()> {
        for image in self.images()? {
            for (layer, _) in image.layers() {
                self.copy_blob(layer, &mut io::sink())?;
            }
        }
        Ok(())
    }

    /// Path of a blob. The file may be missing.
    pub fn blob_path(&self, blob: &Descriptor) -> PathBuf {
        self.directory.join(blob.digest.blob_path())
    }

    /// Copies a blob to `to` and checks it. After an error, discard what was written to `to`.
    pub fn copy_blob(&self, blob: &Descriptor, to: &mut impl Write) -> Result<()> {
        copy_stream_checked(blob, self.open_blob(blob)?, to, &self.blob_path(blob))
    }

    /// Opens the file of a blob, after checking its size.
    pub fn open_blob(&self, blob: &Descriptor) -> Result<File> {
        let path = self.blob_path(blob);
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let metadata = file.metadata().map_err(Error::io("read", &path))?;
        blob.check_size(metadata.len())?;
        Ok(file)
    }

    /// Reads the index that `descriptor` refers to.
    pub fn read_index(&self, descriptor: &Descriptor) -> Result<Document<Index>> {
        self.document(descriptor)
    }

    /// Reads the image whose manifest `descriptor` refers to.
    pub fn read_image(&self, descriptor: &Descriptor) -> Result<Image> {
        let manifest = self.read_manifest(descriptor)?;
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

    fn read_manifest(&self, descriptor: &Descriptor) -> Result<Document<Manifest>> {
        let manifest: Document<Manifest> = self.document(descriptor)?;
        match manifest.value().layers.len() > LAYER_LIMIT {
            true => Err(self.too_many("layers in an image", LAYER_LIMIT)),
            false => Ok(manifest),
        }
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

/// Pairs descriptors with their depth, reversed so that the first is on top of the stack.
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

/// Copies the blob in `file` and checks it against its descriptor. Fails before copying if the size
/// is wrong. `path` is for error messages.
fn copy_checked(blob: &Descriptor, file: File, to: &mut impl Write, path: &Path) -> Result<()> {
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    blob.check_size(metadata.len())?;
    copy_stream_checked(blob, file, to, path)
}

/// Copies a blob from a stream and checks it against its descriptor. Reads at most one byte more
/// than the blob's size. `path` is for error messages.
fn copy_stream_checked(
    blob: &Descriptor,
    from: impl Read,
    to: &mut impl Write,
    path: &Path,
) -> Result<()> {
    let copy = || {
        // `io::copy` uses the buffer of a `BufWriter`; its own is small.
        let mut to = BufWriter::with_capacity(128 * 1024, DigestReader::against(&blob.digest, to));
        io::copy(&mut from.take(blob.size + 1), &mut to)?;
        to.into_inner().map_err(IntoInnerError::into_error)
    };
    let (_, found, size) = copy().map_err(Error::io("copy", path))?.finish();
    blob.check(found, size)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io("write", path))
}
