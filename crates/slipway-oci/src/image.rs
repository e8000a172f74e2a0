//! An image is two documents that must agree, a config and a manifest; made together here, they
//! always do, and when they are read they are checked to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Execution;
use crate::{
    Descriptor, Digest, Document, Error, ImageConfig, Layer, MediaType, Platform, Result, Timestamp,
};

/// Names the config and the layers of an image, lowest first.
///
/// Source: OCI image-spec, manifest.md, "Image Manifest Property Descriptions".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The documents of an image for one platform. Its layers are blobs, and live elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    config: Document<ImageConfig>,
    manifest: Document<Manifest>,
}

/// The labels that are annotations as well.
fn public(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.retain(|name, _| name.starts_with("org.opencontainers."));
    labels
}

impl Image {
    /// The image that lays `layers` over each other, the first lowest.
    ///
    /// Labels that begin with `org.opencontainers.` become annotations too, because registries
    /// show those; an annotation that is given wins over a label.
    pub fn new(
        platform: Platform,
        execution: Execution,
        created: Timestamp,
        annotations: BTreeMap<String, String>,
        layers: &[Layer],
    ) -> Result<Image> {
        let mut all = public(&execution.labels);
        all.extend(annotations);

        let config = ImageConfig::new(platform, execution, created, layers)?;
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

    /// Puts together documents that were read, and checks that they agree.
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

    /// The same image with more labels and annotations; one of a name that is there replaces it.
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

    /// The layers' blobs with what each unpacks to, the lowest first.
    pub fn layers(&self) -> impl Iterator<Item = (&Descriptor, Digest)> {
        let diff_ids = self.config.value().rootfs.diff_ids.iter().copied();
        self.manifest.value().layers.iter().zip(diff_ids)
    }

    /// The manifest's descriptor with the platform, as an index holds it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            platform: Some(self.platform().clone()),
            ..self.manifest.descriptor().clone()
        }
    }
}
