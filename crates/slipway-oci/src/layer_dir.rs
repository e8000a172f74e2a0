//! Layers as Nix derivations. A layer in a derivation of its own is compressed once and cached, and
//! every image that uses it shares the result.

use std::fs;
use std::path::{Path, PathBuf};

use crate::staging::Staging;
use crate::{Compression, Error, Layer, LayerSource, Result};

const BLOB: &str = "blob";
const FACTS: &str = "layer.json";

/// A directory that holds a layer: its blob as `blob` and its [`Layer`] as `layer.json`.
#[derive(Clone, Debug)]
pub struct LayerDir {
    directory: PathBuf,
    layer: Layer,
}

impl LayerDir {
    /// Packs `source` into the new directory `directory`.
    pub fn create(
        directory: &Path,
        source: &LayerSource,
        compression: Compression,
    ) -> Result<LayerDir> {
        let staging = Staging::beside(directory)?;
        let layer = Layer::pack(source, compression, &staging.path().join(BLOB))?;
        let facts = staging.path().join(FACTS);
        let json = serde_json::to_vec(&layer).map_err(|source| Error::Json {
            what: facts.display().to_string(),
            source,
        })?;
        fs::write(&facts, json).map_err(Error::io("write", &facts))?;
        staging.finish()?;
        Ok(LayerDir {
            directory: directory.to_path_buf(),
            layer,
        })
    }

    /// Reads `layer.json`. The blob is checked when it is copied into a layout.
    pub fn open(directory: &Path) -> Result<LayerDir> {
        let facts = directory.join(FACTS);
        let json = fs::read(&facts).map_err(Error::io("read", &facts))?;
        let layer = serde_json::from_slice(&json).map_err(|source| Error::Json {
            what: facts.display().to_string(),
            source,
        })?;
        Ok(LayerDir {
            directory: directory.to_path_buf(),
            layer,
        })
    }

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    pub fn blob_path(&self) -> PathBuf {
        self.directory.join(BLOB)
    }
}
