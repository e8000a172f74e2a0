//! The media types that Slipway handles. Readers choose by media type how to handle a blob.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The media type of a blob. Source: OCI image-spec, media-types.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MediaType {
    Index,
    Manifest,
    Config,
    LayerTar,
    LayerGzip,
    LayerZstd,
    /// Any other media type, verbatim.
    Other(String),
}

const NAMES: [(MediaType, &str); 6] = [
    (MediaType::Index, "application/vnd.oci.image.index.v1+json"),
    (
        MediaType::Manifest,
        "application/vnd.oci.image.manifest.v1+json",
    ),
    (
        MediaType::Config,
        "application/vnd.oci.image.config.v1+json",
    ),
    (
        MediaType::LayerTar,
        "application/vnd.oci.image.layer.v1.tar",
    ),
    (
        MediaType::LayerGzip,
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    (
        MediaType::LayerZstd,
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ),
];

/// Docker's media types for the same formats; only the names differ. Source: distribution project,
/// "Image Manifest Version 2, Schema 2", "Media Types"; the one for zstd is containerd's.
const DOCKER_NAMES: [(MediaType, &str); 6] = [
    (
        MediaType::Index,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ),
    (
        MediaType::Manifest,
        "application/vnd.docker.distribution.manifest.v2+json",
    ),
    (
        MediaType::Config,
        "application/vnd.docker.container.image.v1+json",
    ),
    (
        MediaType::LayerTar,
        "application/vnd.docker.image.rootfs.diff.tar",
    ),
    (
        MediaType::LayerGzip,
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
    (
        MediaType::LayerZstd,
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ),
];

impl MediaType {
    /// The OCI media type with the same meaning.
    ///
    /// Docker's names are kept when read, because changing them would change the digests of
    /// documents that contain them.
    pub fn meaning(&self) -> MediaType {
        let MediaType::Other(name) = self else {
            return self.clone();
        };
        DOCKER_NAMES
            .into_iter()
            .find(|(_, docker)| docker == name)
            .map_or_else(|| self.clone(), |(kind, _)| kind)
    }

    /// Docker's media type with the same meaning, if there is one.
    pub fn docker(&self) -> Option<MediaType> {
        let kind = self.meaning();
        DOCKER_NAMES
            .into_iter()
            .find(|(known, _)| *known == kind)
            .map(|(_, name)| MediaType::Other(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        match self {
            MediaType::Other(name) => name,
            known => NAMES
                .iter()
                .find(|(kind, _)| kind == known)
                .map_or("", |(_, name)| name),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> MediaType {
        NAMES
            .into_iter()
            .find(|(_, name)| *name == text)
            .map_or(MediaType::Other(text), |(kind, _)| kind)
    }
}

impl From<MediaType> for String {
    fn from(kind: MediaType) -> String {
        kind.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_round_trip_and_docker_names_are_equivalent() {
        for (kind, name) in NAMES {
            assert_eq!(MediaType::from(name.to_owned()), kind);
            assert_eq!(kind.as_str(), name);
        }
        for (kind, name) in DOCKER_NAMES {
            let docker = MediaType::from(name.to_owned());
            assert_eq!(docker.meaning(), kind);
            assert_eq!(kind.docker(), Some(docker.clone()));
            assert_eq!(docker.docker(), Some(docker.clone()));
            assert_eq!(docker.as_str(), name);
        }
        let other = "application/vnd.example".to_owned();
        assert_eq!(MediaType::from(other.clone()).docker(), None);
        assert_eq!(String::from(MediaType::from(other.clone())), other);
    }
}
