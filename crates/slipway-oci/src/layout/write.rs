//! Writes layouts, from newly packed layers and from existing blobs. Each blob is stored once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Layout, VERSION, copy_checked, copy_stream_checked, write_file};
use crate::digest::DigestReader;
use crate::pipeline;
use crate::staging::Staging;
use crate::{
    Compression, Descriptor, Digest, Document, Error, Image, Index, Layer, LayerDir, LayerSource,
    MediaType, Result,
};

/// A layout being written. It is built in a temporary directory and renamed by
/// [`LayoutWriter::finish`]. Dropping the writer before that removes the temporary directory.
pub struct LayoutWriter {
    pub(super) staging: Staging,
    directory: PathBuf,
    pub(super) present: BTreeSet<Digest>,
}

impl LayoutWriter {
    /// Starts a new layout. `directory` must be absent or an empty directory.
    pub fn create(directory: &Path) -> Result<LayoutWriter> {
        let staging = Staging::beside(directory)?;
        Ok(LayoutWriter {
            staging,
            directory: directory.to_path_buf(),
            present: BTreeSet::new(),
        })
    }

    /// Packs layers in parallel. The result is in the order of `sources`.
    pub fn pack(
        &mut self,
        sources: Vec<LayerSource>,
        compression: Compression,
    ) -> Result<Vec<Layer>> {
        let job = |(number, source)| (source, self.staging.path().join(format!("layer-{number}")));
        let jobs: Vec<_> = sources.into_iter().enumerate().map(job).collect();
        let layers = pipeline::pack(&jobs, compression)?;
        for (layer, (_, packed)) in layers.iter().zip(&jobs) {
            let blob = self.place(&layer.digest)?;
            fs::rename(packed, &blob).map_err(Error::io("write", &blob))?;
            self.present.insert(layer.digest);
        }
        Ok(layers)
    }

    /// Copies the blob of a packed layer, and checks it.
    pub fn add_layer(&mut self, layer: &LayerDir) -> Result<()> {
        self.add_blob(&layer.layer().descriptor(), &layer.blob_path())
    }

    /// Adds the config and the manifest of an image, and returns the manifest's descriptor. The
    /// layers must have been added before.
    pub fn add_image(&mut self, image: &Image) -> Result<Descriptor> {
        self.add_document(image.config())?;
        self.add_document(image.manifest())?;
        Ok(image.descriptor())
    }

    /// Adds a document and returns its descriptor.
    pub fn add_document<T>(&mut self, document: &Document<T>) -> Result<Descriptor> {
        let digest = document.descriptor().digest;
        if self.present.insert(digest) {
            write_file(&self.place(&digest)?, document.bytes())?;
        }
        Ok(document.descriptor().clone())
    }

    /// Copies a blob from `from`, unless it exists already, and checks it.
    pub fn add_blob_from(&mut self, blob: &Descriptor, from: impl Read) -> Result<()> {
        if self.present.contains(&blob.digest) {
            return Ok(());
        }
        let path = self.place(&blob.digest)?;
        let mut to = File::create_new(&path).map_err(Error::io("write", &path))?;
        copy_stream_checked(blob, from, &mut to, &path)?;
        self.present.insert(blob.digest);
        Ok(())
    }

    /// Copies a blob from `file`, unless it exists already, and checks it.
    pub fn add_blob(&mut self, blob: &Descriptor, file: &Path) -> Result<()> {
        if self.present.contains(&blob.digest) {
            return Ok(());
        }
        let from = File::open(file).map_err(Error::io("read", file))?;
        let path = self.place(&blob.digest)?;
        let mut to = File::create_new(&path).map_err(Error::io("write", &path))?;
        copy_checked(blob, from, &mut to, file)?;
        self.present.insert(blob.digest);
        Ok(())
    }

    /// Moves a file into the layout as a blob.
    pub(super) fn move_blob(&mut self, media_type: MediaType, file: &Path) -> Result<Descriptor> {
        let hash = || {
            let mut hashing = DigestReader::new(io::sink());
            io::copy(&mut File::open(file)?, &mut hashing)?;
            Ok(hashing.finish())
        };
        let (_, digest, size) = hash().map_err(Error::io("read", file))?;
        let blob = self.place(&digest)?;
        fs::rename(file, &blob).map_err(Error::io("write", &blob))?;
        self.present.insert(digest);
        Ok(Descriptor::new(media_type, digest, size))
    }

    /// Adds an image of another layout with all its layers, and returns its descriptor.
    pub fn add_image_of(&mut self, layout: &Layout, image: &Image) -> Result<Descriptor> {
        self.add_layers_of(layout, image)?;
        self.add_image(image)
    }

    /// Adds the layers of an image of another layout.
    pub fn add_layers_of(&mut self, layout: &Layout, image: &Image) -> Result<()> {
        for (layer, _) in image.layers() {
            self.add_blob(layer, &layout.blob_path(layer))?;
        }
        Ok(())
    }

    /// Completes the layout with `top`, an image or an index, as its only entry.
    pub fn finish(self, top: Descriptor) -> Result<Layout> {
        self.finish_named(vec![top])
    }

    /// Completes a layout with one image or index under several names: see
    /// [`super::oci_archive::named`].
    pub fn finish_named(self, tops: Vec<Descriptor>) -> Result<Layout> {
        let index = Index::new(tops);
        let json = serde_json::to_vec(&index).map_err(|source| Error::Json {
            what: "index.json".to_owned(),
            source,
        })?;
        let mark = format!(r#"{{"imageLayoutVersion":"{VERSION}"}}"#);
        write_file(&self.staging.path().join("oci-layout"), mark.as_bytes())?;
        write_file(&self.staging.path().join("index.json"), &json)?;
        self.staging.finish()?;
        Ok(Layout {
            directory: self.directory,
            index,
        })
    }

    /// Path of a blob. Creates the parent directory.
    pub(super) fn place(&self, digest: &Digest) -> Result<PathBuf> {
        let path = self.staging.path().join(digest.blob_path());
        let directory = path.parent().unwrap_or(&path);
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        Ok(path)
    }
}
