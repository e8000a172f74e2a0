//! Layouts are made from two ends, by packing layers and by taking over blobs that exist; both
//! come together in one writer, which stores a blob once however often it is named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Layout, VERSION, copy_checked, copy_stream_checked, write_file};
use crate::pipeline;
use crate::staging::Staging;
use crate::{
    Compression, Descriptor, Digest, Document, Error, Image, Index, Layer, LayerDir, LayerSource,
    Result,
};

/// A layout in the making: built beside its directory and renamed when it is whole, removed when
/// it is dropped before that.
pub struct LayoutWriter {
    staging: Staging,
    directory: PathBuf,
    pub(super) blobs: PathBuf,
    pub(super) present: BTreeSet<Digest>,
}

impl LayoutWriter {
    /// Nothing may be at `directory`, except an empty directory.
    pub fn create(directory: &Path) -> Result<LayoutWriter> {
        let staging = Staging::beside(directory)?;
        let blobs = staging.path().join("blobs").join("sha256");
        fs::create_dir_all(&blobs).map_err(Error::io("create", &blobs))?;
        Ok(LayoutWriter {
            staging,
            directory: directory.to_path_buf(),
            blobs,
            present: BTreeSet::new(),
        })
    }

    /// Packs layers in parallel; gives them in the order of `sources`.
    pub fn pack(
        &mut self,
        sources: Vec<LayerSource>,
        compression: Compression,
    ) -> Result<Vec<Layer>> {
        let job = |(number, source)| (source, self.staging.path().join(format!("layer-{number}")));
        let jobs: Vec<_> = sources.into_iter().enumerate().map(job).collect();
        let layers = pipeline::pack(&jobs, compression)?;
        for (layer, (_, packed)) in layers.iter().zip(&jobs) {
            let blob = self.blob_path(&layer.digest);
            fs::rename(packed, &blob).map_err(Error::io("write", &blob))?;
            self.present.insert(layer.digest);
        }
        Ok(layers)
    }

    /// Takes over a layer that was packed before, and checks its blob.
    pub fn add_layer(&mut self, layer: &LayerDir) -> Result<()> {
        self.add_blob(&layer.layer().descriptor(), &layer.blob_path())
    }

    /// Adds the config and the manifest of an image, whose layers must be here already, and
    /// gives its descriptor.
    pub fn add_image(&mut self, image: &Image) -> Result<Descriptor> {
        self.add_document(image.config())?;
        self.add_document(image.manifest())?;
        Ok(image.descriptor())
    }

    /// Adds a document and gives its descriptor.
    pub fn add_document<T>(&mut self, document: &Document<T>) -> Result<Descriptor> {
        let digest = document.descriptor().digest;
        if self.present.insert(digest) {
            write_file(&self.blob_path(&digest), document.bytes())?;
        }
        Ok(document.descriptor().clone())
    }

    /// Takes a blob from `from`, unless it is here already; and checks it.
    pub fn add_blob_from(&mut self, blob: &Descriptor, from: impl Read) -> Result<()> {
        if self.present.contains(&blob.digest) {
            return Ok(());
        }
        let path = self.blob_path(&blob.digest);
        let mut to = File::create_new(&path).map_err(Error::io("write", &path))?;
        copy_stream_checked(blob, from, &mut to, &path)?;
        self.present.insert(blob.digest);
        Ok(())
    }

    /// Copies a blob from `file`, unless it is here already.
    pub fn add_blob(&mut self, blob: &Descriptor, file: &Path) -> Result<()> {
        if self.present.contains(&blob.digest) {
            return Ok(());
        }
        let from = File::open(file).map_err(Error::io("read", file))?;
        let path = self.blob_path(&blob.digest);
        let mut to = File::create_new(&path).map_err(Error::io("write", &path))?;
        copy_checked(blob, from, &mut to, file)?;
        self.present.insert(blob.digest);
        Ok(())
    }

    /// Adds an image of another layout with all its layers, and gives its descriptor.
    pub fn add_image_of(&mut self, layout: &Layout, image: &Image) -> Result<Descriptor> {
        for (layer, _) in image.layers() {
            self.add_blob(layer, &layout.blob_path(layer))?;
        }
        self.add_image(image)
    }

    /// Completes the layout: `top` is what it holds, an image or an index.
    pub fn finish(self, top: Descriptor) -> Result<Layout> {
        self.finish_named(vec![top])
    }

    /// Completes a layout that holds one thing under several names: see [`super::archive::named`].
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

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }
}
