//! Descriptors, the links between the parts of an image, and JSON documents.
//!
//! A document is kept together with its exact bytes and the descriptor of those bytes, so that it
//! is never serialised twice.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Digest, Error, MediaType, Platform, Result, null, platform};

/// Refers to a blob by media type, digest and size in bytes.
///
/// Source: OCI image-spec, descriptor.md, "Properties"; `platform` is defined in image-index.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: MediaType,
    pub digest: Digest,
    pub size: u64,
    /// The type of an artifact that is not an image. Source: OCI image-spec, manifest.md,
    /// `artifactType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "platform::or_none"
    )]
    pub platform: Option<Platform>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// Annotations of an attestation manifest in an index: its type, and the digest of the image that
/// it refers to. Source: BuildKit, docs/attestations/attestation-storage.md.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

impl Descriptor {
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type,
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Whether this refers to something attached to an image, such as an attestation, instead of an
    /// image.
    pub fn is_about_an_image(&self) -> bool {
        self.artifact_type.is_some()
            || self.annotations.contains_key(REFERENCE_TYPE)
            || self.platform.as_ref().is_some_and(Platform::is_unknown)
    }

    /// The image that an attestation refers to, if it names one.
    pub(crate) fn subject(&self) -> Option<Digest> {
        self.annotations.get(REFERENCE_DIGEST)?.parse().ok()
    }

    /// Checks the digest and size of a blob that was read against this descriptor.
    pub(crate) fn check(&self, digest: Digest, size: u64) -> Result<()> {
        self.check_size(size)?;
        match digest == self.digest {
            true => Ok(()),
            false => Err(Error::BlobDigest {
                expected: self.digest,
                found: digest,
            }),
        }
    }

    pub(crate) fn check_size(&self, size: u64) -> Result<()> {
        match size == self.size {
            true => Ok(()),
            false => Err(Error::BlobSize {
                digest: self.digest,
                expected: self.size,
                found: size,
            }),
        }
    }
}

/// A JSON blob: its value, its bytes, and the descriptor of those bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<T> {
    value: T,
    bytes: Vec<u8>,
    descriptor: Descriptor,
}

impl<T> Document<T> {
    pub fn value(&self) -> &T {
        &self.value
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl<T: Serialize> Document<T> {
    /// Serialises `value` without white space, with fields in declaration order and maps sorted by
    /// key, so that equal values have equal bytes.
    pub fn new(media_type: MediaType, value: T) -> Result<Document<T>> {
        let bytes = serde_json::to_vec(&value).map_err(|source| Error::Json {
            what: media_type.to_string(),
            source,
        })?;
        let descriptor = Descriptor::new(media_type, Digest::of(&bytes), bytes.len() as u64);
        Ok(Document {
            value,
            bytes,
            descriptor,
        })
    }
}

impl<T: DeserializeOwned> Document<T> {
    /// Parses `bytes`. The caller must have checked them against `descriptor`.
    pub(crate) fn parse(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Document<T>> {
        let value = serde_json::from_slice(&bytes).map_err(|source| Error::Json {
            what: format!("{} {}", descriptor.media_type, descriptor.digest),
            source,
        })?;
        Ok(Document {
            value,
            bytes,
            descriptor,
        })
    }
}
