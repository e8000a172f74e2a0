//! The file of `--metadata-file`, with the keys of `docker buildx build`. It tells later commands and
//! other programs the digest of what was built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use slipway_oci::{Descriptor, Digest};
use slipway_registry::Reference;

#[derive(Serialize, Deserialize)]
pub struct Metadata {
    #[serde(rename = "containerimage.digest")]
    pub digest: Digest,
    #[serde(rename = "containerimage.descriptor")]
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptor: Option<Descriptor>,
    /// The names, separated by commas.
    #[serde(rename = "image.name")]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    names: String,
}

impl Metadata {
    pub fn new(top: &Descriptor, tags: &[Reference]) -> Self {
        let names: Vec<String> = tags.iter().map(Reference::to_string).collect();
        Self {
            digest: top.digest,
            descriptor: Some(top.clone()),
            names: names.join(","),
        }
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        slipway_atomic_file::write(file, format!("{:#}\n", serde_json::json!(self)))
            .with_context(|| format!("writing {}", file.display()))
    }

    /// Reads the file of a build by Slipway or by buildx.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_slice(&text).with_context(|| {
            let file = file.display();
            format!("{file} is not a file that slipway build --metadata-file wrote")
        })
    }

    /// The names that the image got.
    pub fn names(&self) -> Result<Vec<Reference>> {
        let names = self.names.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(|name| Ok(name.parse()?)).collect()
    }
}
