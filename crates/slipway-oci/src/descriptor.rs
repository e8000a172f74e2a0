//! Everything in an image points to everything else by descriptor; a JSON document travels with
//! the one that names its exact bytes, so that nobody serialises it a second time.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Digest, Error, MediaType, Platform, Result};

/// Names a blob: what it is, its digest, and its size in bytes.
///
/// Source: OCI image-spec, descriptor.md, "Properties"; `platform` is of image-index.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: MediaType,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type,
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Whether what was read is the blob that this names.
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
    /// Serialises `value`: no white space, fields in the order of the type, maps sorted by key;
    /// so equal values have equal bytes.
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
    /// Parses `bytes`, which the caller has checked against `descriptor`.
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
