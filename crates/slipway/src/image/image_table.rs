//! The table of built images that commands print.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use slipway_oci::{Layout, MediaType};
use slipway_progress::size;

/// The platform column of an index.
pub const INDEX: &str = "index";

/// An image or an index.
pub struct Row {
    /// `linux/arm64`, or [`INDEX`].
    pub platform: String,
    pub digest: String,
    /// Total size of the distinct compressed layers, in bytes.
    pub size: u64,
    pub layers: usize,
}

impl Row {
    /// Reads the row from an image layout.
    pub fn read(layout: &Path) -> Result<Self> {
        let layout = Layout::open(layout)?;
        let images = layout.images()?;
        let layers: BTreeMap<_, _> = images
            .iter()
            .flat_map(|image| image.layers())
            .map(|(descriptor, _)| (descriptor.digest, descriptor.size))
            .collect();
        let manifests = &layout.index().manifests;
        let (platform, digest) = match (&manifests[..], &images[..]) {
            ([only], [image]) if only.media_type != MediaType::Index => {
                (image.platform().to_string(), only.digest.to_string())
            }
            ([only], _) => (INDEX.into(), only.digest.to_string()),
            _ => (INDEX.into(), String::from("-")),
        };
        Ok(Self {
            platform,
            digest,
            size: layers.values().sum(),
            layers: layers.len(),
        })
    }

    pub fn to_json(&self) -> Value {
        json!({
            "platform": self.platform,
            "digest": self.digest,
            "size": self.size,
            "layers": self.layers,
        })
    }
}

/// The header of the table.
pub fn head() -> String {
    columns("platform", "digest", "size", "layers")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let size = size(self.size);
        f.write_str(&columns(&self.platform, &self.digest, &size, self.layers))
    }
}

fn columns(platform: &str, digest: &str, size: &str, layers: impl fmt::Display) -> String {
    format!("{platform:<14} {digest:<71} {size:>9} {layers:>7}")
}
