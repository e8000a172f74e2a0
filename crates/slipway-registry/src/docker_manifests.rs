//! Converts images to Docker's formats for registries without OCI support. Config and layers stay
//! the same, so only the manifests are rewritten, which changes their digests. Layers must use
//! gzip: containerd supports a media type for zstd in Docker's formats, but Podman and skopeo
//! reject it.
//!
//! Source: distribution project, "Image Manifest Version 2, Schema 2".

use std::collections::BTreeMap;

use serde::Serialize;
use slipway_oci::{Descriptor, Digest, Document, MediaType};

use crate::manifest_tree::{Node, Tree};
use crate::{Error, Result};

/// An image or an index in Docker's formats.
#[derive(Debug)]
pub(crate) struct Translation {
    pub tree: Tree,
    /// Manifests of the index that are not images, such as attestations. Docker's formats cannot
    /// represent them.
    pub left_out: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: MediaType,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    schema_version: u8,
    media_type: MediaType,
    manifests: &'a [Descriptor],
}

/// Returns the layers whose compression Docker's formats do not support.
pub(crate) fn layers_to_recompress(tree: &Tree) -> impl Iterator<Item = &Descriptor> {
    let layers = tree.blobs.iter();
    layers.filter(|it| it.media_type.meaning() == MediaType::LayerZstd)
}

/// Translates a tree to Docker's formats. `recompressed` maps the digest of such a layer to its
/// replacement. Annotations are dropped, because Docker's formats have none.
pub(crate) fn translate(
    tree: &Tree,
    recompressed: &BTreeMap<Digest, Descriptor>,
) -> Result<Translation> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut left_out = Vec::new();
    // Translated documents by the digest of the original.
    let mut translated = BTreeMap::new();
    for node in &tree.nodes {
        let made = match node.blobs.is_empty() {
            true => list(node, &translated)?,
            false => manifest(node, recompressed)?,
        };
        match made {
            Some(made) => {
                translated.insert(node.descriptor.digest, made.descriptor.clone());
                nodes.push(made);
            }
            None => left_out.push(node.descriptor.digest),
        }
    }
    // The top node is last, both in the original and in the translation.
    match tree.top().map(|top| top.descriptor.digest) {
        Some(top) if left_out.contains(&top) => Err(Error::NoDockerForm {
            what: format!("manifest {top}"),
            reason: "it holds no image".to_owned(),
        }),
        _ => Ok(Translation {
            tree: Tree {
                nodes,
                blobs: tree.blobs.clone(),
            },
            left_out,
        }),
    }
}

/// Translates a manifest. Returns `None` if it is not an image.
fn manifest(node: &Node, recompressed: &BTreeMap<Digest, Descriptor>) -> Result<Option<Node>> {
    if is_docker(&node.descriptor) {
        return Ok(Some(node.clone()));
    }
    let blobs = node.blobs.iter();
    let blobs = blobs.map(|blob| plain(recompressed.get(&blob.digest).unwrap_or(blob)));
    let blobs: Option<Vec<Descriptor>> = blobs.collect();
    let (Some(blobs), Some(media_type)) = (blobs, node.descriptor.media_type.docker()) else {
        return Ok(None);
    };
    match blobs.split_first() {
        Some((config, layers)) if config.media_type.meaning() == MediaType::Config => {
            let manifest = Manifest {
                schema_version: 2,
                media_type: media_type.clone(),
                config,
                layers,
            };
            made(Document::new(media_type, manifest)?).map(Some)
        }
        _ => Ok(None),
    }
}

/// Translates an index. Returns `None` if it contains no image.
fn list(node: &Node, translated: &BTreeMap<Digest, Descriptor>) -> Result<Option<Node>> {
    let entry = |child: &Descriptor| {
        Some(Descriptor {
            platform: child.platform.clone(),
            ..translated.get(&child.digest)?.clone()
        })
    };
    let manifests: Vec<Descriptor> = node.children.iter().filter_map(entry).collect();
    if is_docker(&node.descriptor) && node.children == manifests {
        return Ok(Some(node.clone()));
    }
    match node.descriptor.media_type.docker() {
        Some(media_type) if !manifests.is_empty() => {
            let list = List {
                schema_version: 2,
                media_type: media_type.clone(),
                manifests: &manifests,
            };
            made(Document::new(media_type, list)?).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_docker(descriptor: &Descriptor) -> bool {
    descriptor.media_type.docker().as_ref() == Some(&descriptor.media_type)
}

/// Returns the descriptor of a config or layer with Docker's media type.
fn plain(blob: &Descriptor) -> Option<Descriptor> {
    let media_type = blob.media_type.docker()?;
    Some(Descriptor::new(media_type, blob.digest, blob.size))
}

fn made<T>(document: Document<T>) -> Result<Node> {
    Node::parse(document.descriptor().clone(), document.bytes().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]

    use super::*;
    use serde_json::{Value, json};

    /// Documents by digest, for building trees.
    struct Documents(BTreeMap<Digest, Vec<u8>>);

    impl Documents {
        fn add(&mut self, media_type: &MediaType, mut document: Value) -> Value {
            document["schemaVersion"] = json!(2);
            let bytes = document.to_string().into_bytes();
            let digest = Digest::of(&bytes);
            let named = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
            self.0.insert(digest, bytes);
            named
        }

        fn translate(&self, top: &Value) -> Result<Translation> {
            let top = serde_json::from_value(top.clone()).unwrap();
            let tree = Tree::walk(&top, |it| Ok(self.0[&it.digest].clone()))?;
            let recompressed = layers_to_recompress(&tree).map(|it| (it.digest, gzip()));
            translate(&tree, &recompressed.collect())
        }
    }

    /// The replacement of a zstd layer.
    fn gzip() -> Descriptor {
        Descriptor::new(MediaType::LayerGzip, Digest::of(b"gzip"), 4)
    }

    fn blob(media_type: &str, content: &str) -> Value {
        let digest = Digest::of(content.as_bytes());
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    fn image(layer: &str) -> Value {
        json!({
            "config": blob(MediaType::Config.as_str(), "config"),
            "layers": [blob(layer, layer)],
            "annotations": {"a": "b"},
        })
    }

    #[test]
    fn translates_an_index_with_the_same_configs_and_layers() {
        let mut documents = Documents(BTreeMap::new());
        let mut one = documents.add(&MediaType::Manifest, image(MediaType::LayerGzip.as_str()));
        one["platform"] = json!({"os": "linux", "architecture": "amd64"});
        one["annotations"] = json!({"a": "b"});
        let mut two = documents.add(&MediaType::Manifest, image(MediaType::LayerZstd.as_str()));
        two["platform"] = json!({"os": "linux", "architecture": "arm64"});
        let attestation = image("application/vnd.in-toto+json");
        let attestation = documents.add(&MediaType::Manifest, attestation);
        let index = json!({"manifests": [one, two, attestation], "annotations": {"a": "b"}});
        let top = documents.add(&MediaType::Index, index);

        let translation = documents.translate(&top).unwrap();
        let left_out: Vec<Value> = translation.left_out.iter().map(|it| json!(it)).collect();
        assert_eq!(left_out, [attestation["digest"].clone()]);
        let nodes = translation.tree.nodes;
        let json = |node: &Node| serde_json::from_slice::<Value>(&node.bytes).unwrap();
        for (node, layer) in nodes.iter().zip([MediaType::LayerGzip.as_str(), "gzip"]) {
            assert_eq!(
                json(node),
                json!({
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "config": blob("application/vnd.docker.container.image.v1+json", "config"),
                    "layers": [blob("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
                })
            );
        }
        let entry = |node: &Node, architecture: &str| {
            json!({
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "digest": node.descriptor.digest,
                "size": node.descriptor.size,
                "platform": {"os": "linux", "architecture": architecture},
            })
        };
        assert_eq!(
            json(&nodes[2]),
            json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
                "manifests": [entry(&nodes[0], "amd64"), entry(&nodes[1], "arm64")],
            })
        );
    }

    #[test]
    fn keeps_documents_in_docker_formats_unchanged() {
        let mut documents = Documents(BTreeMap::new());
        let [list, manifest] =
            [MediaType::Index, MediaType::Manifest].map(|it| it.docker().unwrap());
        let image = image("application/vnd.docker.image.rootfs.diff.tar.gzip");
        let image = documents.add(&manifest, image);
        let top = documents.add(&list, json!({"manifests": [image]}));
        let translation = documents.translate(&top).unwrap();
        let translated = &translation.tree.top().unwrap().descriptor;
        assert_eq!(json!(translated.digest), top["digest"]);
    }

    #[test]
    fn does_not_translate_artifacts() {
        let mut documents = Documents(BTreeMap::new());
        let helm = json!({"config": blob("application/vnd.cncf.helm.config.v1+json", "{}")});
        let helm = documents.add(&MediaType::Manifest, helm);
        let index = documents.add(&MediaType::Index, json!({"manifests": [helm]}));
        for top in [helm, index] {
            let error = documents.translate(&top).unwrap_err();
            assert!(matches!(error, Error::NoDockerForm { .. }), "{error}");
        }
    }
}
