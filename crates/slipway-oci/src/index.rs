//! Image indexes: one name for an image on several platforms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Descriptor, Image, MediaType, null};

/// Lists a manifest for each platform. As `index.json`, it lists the content of a layout.
///
/// Source: OCI image-spec, image-index.md, "Image Index Property Descriptions".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    #[serde(default, deserialize_with = "null::readable")]
    pub manifests: Vec<Descriptor>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    pub fn new(manifests: Vec<Descriptor>) -> Index {
        Index {
            schema_version: 2,
            media_type: Some(MediaType::Index),
            manifests,
            annotations: BTreeMap::new(),
        }
    }
}

/// The annotations that all these images have, with the same values. The index of the images has
/// them too, because registries show the annotations of what a tag names.
pub fn shared_annotations<'a>(
    images: impl IntoIterator<Item = &'a Image>,
) -> BTreeMap<String, String> {
    let mut images = images.into_iter();
    let annotations = |image: &'a Image| &image.manifest().value().annotations;
    let mut shared = images.next().map(annotations).cloned().unwrap_or_default();
    for image in images {
        shared.retain(|name, value| annotations(image).get(name) == Some(value));
    }
    shared
}
