//! Walks the tree of JSON documents that make up an image, with blobs at its leaves. The walk does
//! not interpret all documents: an index may list manifests that are not images, such as
//! signatures, and these are transferred as well.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;
use slipway_oci::layout::{DEPTH_LIMIT, DOCUMENT_LIMIT, LAYER_LIMIT, MANIFEST_LIMIT};
use slipway_oci::{Descriptor, Digest, Index, Manifest, MediaType};

use crate::{Error, Result};

pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or an index.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
    /// Child manifests of an index.
    pub children: Vec<Descriptor>,
    /// Config and layers of a manifest.
    pub blobs: Vec<Descriptor>,
}

/// The media type that a document declares, and the fields with which it refers to other documents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    media_type: Option<MediaType>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

/// Returns the media type of a document that a registry sent without a useful `Content-Type`: the one that the
/// document declares, or else OCI's for its fields. `None` if it is not a manifest or an index.
pub(crate) fn media_type_of(bytes: &[u8]) -> Option<MediaType> {
    let form: Form = serde_json::from_slice(bytes).ok()?;
    let by_fields = match (form.manifests, form.config) {
        (Some(_), None) => Some(MediaType::Index),
        (None, Some(_)) => Some(MediaType::Manifest),
        _ => None,
    };
    form.media_type.or(by_fields)
}

/// Whether this is a media type of manifests or indexes.
pub(crate) fn is_known(media_type: &MediaType) -> bool {
    is_index(media_type) || is_manifest(media_type)
}

/// All documents and blobs of an image or index, without duplicates.
#[derive(Debug)]
pub(crate) struct Tree {
    /// All nodes, children before their parents; the top node is last.
    pub nodes: Vec<Node>,
    pub blobs: Vec<Descriptor>,
}

impl Node {
    /// Parses a document. The caller has checked `bytes` against the descriptor.
    pub fn parse(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self> {
        let what = format!("manifest {}", descriptor.digest);
        let wrong = |reason: String| Error::Protocol {
            what: what.clone(),
            reason,
        };
        let unreadable =
            |error: serde_json::Error| wrong(format!("it is not what it should be: {error}"));
        let form: Form = serde_json::from_slice(&bytes).map_err(unreadable)?;
        // Reject documents with an ambiguous type: different readers could interpret them
        // differently.
        if let Some(own) = &form.media_type {
            if *own != descriptor.media_type {
                let named = &descriptor.media_type;
                return Err(wrong(format!(
                    "it says that it is {own}, but its descriptor says {named}"
                )));
            }
        }
        let (children, blobs) = match (form.manifests, form.config, form.layers) {
            (Some(_), None, None) if is_index(&descriptor.media_type) => {
                let index: Index = serde_json::from_slice(&bytes).map_err(unreadable)?;
                (index.manifests, Vec::new())
            }
            (None, Some(_), _) if is_manifest(&descriptor.media_type) => {
                let manifest: Manifest = serde_json::from_slice(&bytes).map_err(unreadable)?;
                let mut blobs = vec![manifest.config];
                blobs.extend(manifest.layers);
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
    /// Walks the tree from `top`. `read` returns the bytes of a document, checked against its
    /// descriptor.
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

    /// Returns the top node, or `None` if the tree is empty.
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

/// Reports whether a layer is non-distributable, so that it is not stored in the registry: OCI
/// image-spec, layer.md, "Non-Distributable Layers".
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
    fn rejects_documents_with_an_ambiguous_type() {
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
        assert!(node(MediaType::Index, r#"{"schemaVersion":2,"manifests":[]}"#).is_ok());
    }

    #[test]
    fn tolerates_empty_and_unusual_fields() {
        let digest = Digest::of(b"");
        let manifest = MediaType::Manifest;
        let index = format!(
            r#"{{"schemaVersion":2,"annotations":null,"manifests":[null,{{"mediaType":"{manifest}","size":1,
                "digest":"{digest}","annotations":null,"platform":{{"os":"","architecture":""}}}}]}}"#
        );
        assert_eq!(node(MediaType::Index, &index).unwrap().children.len(), 1);
        let config = MediaType::Config;
        let image = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{config}","size":1,"digest":"{digest}"}},"layers":null}}"#
        );
        assert_eq!(node(manifest, &image).unwrap().blobs.len(), 1);
    }

    #[test]
    fn rejects_endlessly_nested_indexes() {
        let mut count = 0;
        let top = Descriptor::new(MediaType::Index, Digest::of(b"0"), 1);
        let error = Tree::walk(&top, |_| {
            count += 1;
            let digest = Digest::of(&[count]);
            Ok(format!(
                r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{digest}","size":1}}]}}"#,
                MediaType::Index
            )
            .into_bytes())
        })
        .unwrap_err();
        assert!(error.to_string().contains("within each other"), "{error}");
        assert_eq!(usize::from(count), DEPTH_LIMIT + 1);
    }
}
