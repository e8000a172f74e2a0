//! An image is a tree of JSON documents with blobs at its leaves. Push and pull walk that tree
//! without a wish to understand all of it: an index may name what is no image, such as a
//! signature, and that has to go over as well.

use std::collections::BTreeSet;

use serde::Deserialize;
use slipway_oci::layout::{DEPTH_LIMIT, DOCUMENT_LIMIT, LAYER_LIMIT, MANIFEST_LIMIT};
use slipway_oci::{Descriptor, Digest, MediaType};

use crate::{Error, Result};

pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or an index.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
    /// Manifests, if it is an index.
    pub children: Vec<Descriptor>,
    /// The config and the layers, if it is a manifest.
    pub blobs: Vec<Descriptor>,
}

/// The fields by which a document points to others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pointers {
    media_type: Option<MediaType>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

/// Everything that an image or an index consists of, each once.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Children before what names them; the top is the last.
    pub nodes: Vec<Node>,
    pub blobs: Vec<Descriptor>,
}

impl Node {
    /// `bytes` have been checked against the descriptor.
    pub fn parse(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self> {
        let what = format!("manifest {}", descriptor.digest);
        let wrong = |reason: String| Error::Protocol {
            what: what.clone(),
            reason,
        };
        let pointers: Pointers = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("it is not what it should be: {error}")))?;
        // A document that is read as one thing here and as another there could hide something.
        if let Some(own) = &pointers.media_type {
            if *own != descriptor.media_type {
                let named = &descriptor.media_type;
                return Err(wrong(format!(
                    "it says that it is {own}, what names it says {named}"
                )));
            }
        }
        let (children, blobs) = match (pointers.manifests, pointers.config, pointers.layers) {
            (Some(manifests), None, None) if is_index(&descriptor.media_type) => {
                (manifests, Vec::new())
            }
            (None, Some(config), layers) if is_manifest(&descriptor.media_type) => {
                let mut blobs = vec![config];
                blobs.extend(layers.unwrap_or_default());
                (Vec::new(), blobs)
            }
            _ => {
                let media_type = &descriptor.media_type;
                return Err(wrong(format!(
                    "it does not have the fields of {media_type}"
                )));
            }
        };
        if blobs.len() > LAYER_LIMIT + 1 {
            return Err(Error::TooMany {
                what,
                of: "layers",
                limit: LAYER_LIMIT,
            });
        }
        Ok(Node {
            descriptor,
            bytes,
            children,
            blobs,
        })
    }
}

impl Tree {
    /// Walks from `top` down; `read` gives the bytes of a document, checked against the descriptor.
    pub fn walk(
        top: &Descriptor,
        mut read: impl FnMut(&Descriptor) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut tree = Tree {
            nodes: Vec::new(),
            blobs: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        tree.visit(top, 0, &mut seen, &mut read)?;
        let mut blobs = BTreeSet::new();
        for node in &tree.nodes {
            for blob in &node.blobs {
                if blobs.insert(blob.digest) && !is_foreign(&blob.media_type) {
                    tree.blobs.push(blob.clone());
                }
            }
        }
        Ok(tree)
    }

    /// What the rest is there for; none in an empty tree.
    pub fn top(&self) -> Option<&Node> {
        self.nodes.last()
    }

    fn visit(
        &mut self,
        descriptor: &Descriptor,
        depth: usize,
        seen: &mut BTreeSet<Digest>,
        read: &mut impl FnMut(&Descriptor) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let too_many = |of, limit| Error::TooMany {
            what: format!("manifest {}", descriptor.digest),
            of,
            limit,
        };
        if depth > DEPTH_LIMIT {
            return Err(too_many("indexes within each other", DEPTH_LIMIT));
        }
        if !seen.insert(descriptor.digest) {
            return Ok(());
        }
        if seen.len() > MANIFEST_LIMIT {
            return Err(too_many("manifests", MANIFEST_LIMIT));
        }
        if descriptor.size > DOCUMENT_LIMIT {
            return Err(Error::TooLarge {
                what: format!("manifest {}", descriptor.digest),
                size: descriptor.size,
                limit: DOCUMENT_LIMIT,
            });
        }
        let node = Node::parse(descriptor.clone(), read(descriptor)?)?;
        for child in &node.children {
            self.visit(child, depth + 1, seen, read)?;
        }
        self.nodes.push(node);
        Ok(())
    }
}

fn is_index(media_type: &MediaType) -> bool {
    media_type.meaning() == MediaType::Index
}

fn is_manifest(media_type: &MediaType) -> bool {
    media_type.meaning() == MediaType::Manifest
}

/// Layers that may not be handed on are fetched from elsewhere: OCI image-spec, layer.md,
/// "Non-Distributable Layers".
fn is_foreign(media_type: &MediaType) -> bool {
    let name = media_type.as_str();
    name.contains(".nondistributable.") || name.contains(".foreign.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(media_type: MediaType, json: &str) -> Result<Node> {
        let bytes = json.as_bytes().to_vec();
        let size = bytes.len() as u64;
        Node::parse(Descriptor::new(media_type, Digest::of(&bytes), size), bytes)
    }

    #[test]
    fn a_document_that_could_be_read_in_two_ways_is_refused() {
        for (media_type, json) in [
            (
                MediaType::Index,
                r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
            ),
            (MediaType::Index, r#"{"manifests":[],"layers":[]}"#),
            (MediaType::Index, r#"{"layers":[]}"#),
            (MediaType::Manifest, r#"{"manifests":[]}"#),
            (MediaType::Manifest, "[]"),
            (MediaType::Config, r#"{"manifests":[]}"#),
        ] {
            assert!(node(media_type, json).is_err(), "{json}");
        }
        assert!(node(MediaType::Index, r#"{"manifests":[]}"#).is_ok());
    }

    #[test]
    fn indexes_in_indexes_without_end_are_refused() {
        let mut count = 0;
        let top = Descriptor::new(MediaType::Index, Digest::of(b"0"), 1);
        let error = Tree::walk(&top, |_| {
            count += 1;
            let digest = Digest::of(&[count]);
            Ok(format!(
                r#"{{"manifests":[{{"mediaType":"{}","digest":"{digest}","size":1}}]}}"#,
                MediaType::Index
            )
            .into_bytes())
        })
        .unwrap_err();
        assert!(error.to_string().contains("within each other"), "{error}");
        assert_eq!(usize::from(count), DEPTH_LIMIT + 1);
    }
}
