//! Images: a config and a manifest.
//!
//! The two must agree. [`Image::new`] builds both from the same layers; documents that were read
//! are checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{History, RuntimeConfig, is_public};
use crate::{
    Descriptor, Digest, Document, Error, ImageConfig, Layer, MediaType, Platform, Result,
    Timestamp, null,
};

/// Lists the config and the layers of an image, lowest first.
///
/// Source: OCI image-spec, manifest.md, "Image Manifest Property Descriptions".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    pub config: Descriptor,
    #[serde(default, deserialize_with = "null::or_default")]
    pub layers: Vec<Descriptor>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// The documents of an image for one platform. The blobs of its layers are stored separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    config: Document<ImageConfig>,
    manifest: Document<Manifest>,
}

/// The labels that are also written as annotations.
fn public(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.retain(|name, _| is_public(name));
    labels
}

impl Image {
    /// Builds an image from `layers`, lowest first.
    ///
    /// Labels that begin with `org.opencontainers.` also become annotations, because registries
    /// display those. An explicit annotation takes precedence over a label.
    pub fn new(
        platform: Platform,
        runtime: RuntimeConfig,
        created: Timestamp,
        annotations: BTreeMap<String, String>,
        layers: &[Layer],
    ) -> Result<Image> {
        let mut all = public(&runtime.labels);
        all.extend(annotations);

        let config = ImageConfig::new(platform, runtime, created, layers)?;
        let config = Document::new(MediaType::Config, config)?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MediaType::Manifest),
            config: config.descriptor().clone(),
            layers: layers.iter().map(Layer::descriptor).collect(),
            annotations: all,
        };
        let manifest = Document::new(MediaType::Manifest, manifest)?;
        Ok(Image { config, manifest })
    }

    /// Combines documents that were read, and checks that they agree.
    pub(crate) fn from_documents(
        manifest: Document<Manifest>,
        config: Document<ImageConfig>,
    ) -> Result<Image> {
        let layers = manifest.value().layers.len();
        let diff_ids = config.value().rootfs.diff_ids.len();
        if layers != diff_ids {
            return Err(Error::Inconsistent {
                image: manifest.descriptor().digest,
                reason: format!("its manifest has {layers} layers, its config {diff_ids}"),
            });
        }
        Ok(Image { config, manifest })
    }

    /// Returns the image with the layers of `base`, unchanged, below its own, and with the base's
    /// settings as [`RuntimeConfig::over`] merges them. It is for the same platform as before.
    pub fn onto(&self, base: &Image) -> Result<Image> {
        let (lower, upper) = (base.config.value(), self.config.value());
        let mut config = upper.clone();
        config.config = upper.config.clone().over(&lower.config);
        config.config.check()?;
        config.rootfs.diff_ids = [&lower.rootfs.diff_ids[..], &upper.rootfs.diff_ids].concat();
        // A history that does not match the layers would no longer tell what made which.
        config.history = match lower.steps() {
            Some(_) => lower.history.clone(),
            None => vec![History::default(); lower.rootfs.diff_ids.len()],
        };
        config.history.extend(upper.history.iter().cloned());
        let config = Document::new(MediaType::Config, config)?;

        let mut manifest = self.manifest.value().clone();
        manifest.config = config.descriptor().clone();
        manifest.layers = base.oci_layers()?;
        manifest
            .layers
            .extend(self.manifest.value().layers.iter().cloned());
        let manifest = Document::new(MediaType::Manifest, manifest)?;
        Ok(Image { config, manifest })
    }

    /// The layers with OCI's media types.
    fn oci_layers(&self) -> Result<Vec<Descriptor>> {
        let layers = self.manifest.value().layers.iter();
        let oci = |layer: &Descriptor| match layer.media_type.meaning() {
            MediaType::LayerTar | MediaType::LayerGzip | MediaType::LayerZstd => Ok(Descriptor {
                media_type: layer.media_type.meaning(),
                ..layer.clone()
            }),
            _ => Err(Error::WrongMediaType {
                what: format!("blob {}", layer.digest),
                found: layer.media_type.clone(),
                wanted: "layer",
            }),
        };
        layers.map(oci).collect()
    }

    /// Returns the image with additional labels and annotations. They replace existing ones of the
    /// same name.
    pub fn labelled(
        &self,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
    ) -> Result<Image> {
        let mut all = public(&labels);
        all.extend(annotations);

        let mut config = self.config.value().clone();
        config.config.labels.extend(labels);
        config.config.check()?;
        let config = Document::new(MediaType::Config, config)?;
        let mut manifest = self.manifest.value().clone();
        manifest.config = config.descriptor().clone();
        manifest.annotations.extend(all);
        let manifest = Document::new(MediaType::Manifest, manifest)?;
        Ok(Image { config, manifest })
    }

    pub fn platform(&self) -> &Platform {
        &self.config.value().platform
    }

    pub fn config(&self) -> &Document<ImageConfig> {
        &self.config
    }

    pub fn manifest(&self) -> &Document<Manifest> {
        &self.manifest
    }

    /// The layers' blobs with their DiffIDs, lowest first.
    pub fn layers(&self) -> impl Iterator<Item = (&Descriptor, Digest)> {
        let diff_ids = self.config.value().rootfs.diff_ids.iter().copied();
        self.manifest.value().layers.iter().zip(diff_ids)
    }

    /// The manifest's descriptor including the platform, for use in an index.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            platform: Some(self.platform().clone()),
            ..self.manifest.descriptor().clone()
        }
    }
}
