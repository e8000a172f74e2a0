//! The crate's one error type. Callers only print errors, so each message is one line that names
//! the thing, the cause and, where there is one, the next step.

use std::io;
use std::path::{Path, PathBuf};

use slipway_store_path::BadStorePath;

use crate::{Digest, MediaType, Platform, StorePath};

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a layer, an image or a layout could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed; `action` is the verb, such as "read".
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error("{} exists already; remove it or choose another name", .0.display())]
    Exists(PathBuf),

    #[error("digest {0:?} is not sha256: and 64 lower-case hex digits, or sha512: and 128")]
    Digest(String),

    #[error("platform {0:?} is not os/architecture or os/architecture/variant, as linux/arm64")]
    Platform(String),

    #[error(transparent)]
    StorePath(#[from] BadStorePath),

    #[error("compression {0:?} is not known; choose zstd or gzip")]
    Compression(String),

    #[error("{method} has no level {level}; choose one from {lowest} to {highest}")]
    Level {
        method: &'static str,
        level: i32,
        lowest: i32,
        highest: i32,
    },

    #[error("reference graph, line {line}: {reason}")]
    Graph { line: usize, reason: String },

    #[error("reference graph: {0} refers to {1}, which the graph does not list")]
    GraphLacks(StorePath, StorePath),

    #[error("reference graph: the references of {0} lead back to it")]
    GraphCycle(StorePath),

    #[error("{} is a {kind}, which a layer cannot hold; remove it from the tree", path.display())]
    SpecialFile { path: PathBuf, kind: &'static str },

    #[error("{} changed its size while it was read; pack it when nothing writes to it", .0.display())]
    Changed(PathBuf),

    #[error("{} is not a directory, so it cannot be laid at /", .0.display())]
    NotADirectory(PathBuf),

    #[error("{path} comes from {first} and from {second}; leave one of them out")]
    TwoSources {
        path: String,
        first: String,
        second: String,
    },

    #[error("{path}, from {from}: {reason}")]
    Contents {
        path: String,
        from: String,
        reason: &'static str,
    },

    #[error("{} has no certificate in PEM format", .0.display())]
    NoCertificate(PathBuf),

    #[error("layers {first} and {second} both hold {path}; leave one of them out")]
    LayersOverlap {
        first: Digest,
        second: Digest,
        path: StorePath,
    },

    #[error(
        "{ready} ready-made layers leave no room for {paths} more store paths \
         under a limit of {limit} layers; raise the limit"
    )]
    TooManyLayers {
        ready: usize,
        paths: usize,
        limit: usize,
    },

    #[error(
        "layer {digest} is {found}, the image wants {wanted}; make the layer anew with that compression"
    )]
    LayerFormat {
        digest: Digest,
        found: MediaType,
        wanted: MediaType,
    },

    #[error("{what}: {reason}")]
    Config { what: String, reason: &'static str },

    #[error("{what} is not what it should be: {source}")]
    Json {
        what: String,
        source: serde_json::Error,
    },

    #[error("{} is not an archive of an image: {reason}", archive.display())]
    NotAnArchive { archive: PathBuf, reason: String },

    #[error("{} has nothing of the name {wanted}; it has {has}", dir.display())]
    NoName {
        dir: PathBuf,
        wanted: String,
        has: String,
    },

    #[error("{} is not an OCI image layout: {reason}", dir.display())]
    NotALayout { dir: PathBuf, reason: String },

    #[error(
        "blob {digest} has {found} bytes, its descriptor says {expected}; it was cut off or altered, make it anew"
    )]
    BlobSize {
        digest: Digest,
        expected: u64,
        found: u64,
    },

    #[error("blob {expected} has the digest {found}; it was altered, make it anew")]
    BlobDigest { expected: Digest, found: Digest },

    #[error("{what} claims {size} bytes, more than the {limit} that are sane for it")]
    TooLarge { what: String, size: u64, limit: u64 },

    #[error("{} holds more than {limit} {what}, which no sane image does", dir.display())]
    TooMany {
        dir: PathBuf,
        what: &'static str,
        limit: usize,
    },

    #[error("{} holds {count} images or indexes, not one; make an index of them, or a layout with one", dir.display())]
    NotOne { dir: PathBuf, count: usize },

    #[error("{what} has the media type {found}, which is not an OCI {wanted}")]
    WrongMediaType {
        what: String,
        found: MediaType,
        wanted: &'static str,
    },

    #[error("{} has no image for {wanted}; it has {has}", dir.display())]
    NoPlatform {
        dir: PathBuf,
        wanted: Box<Platform>,
        has: String,
    },

    #[error("{platform} is in {first} and again in {second}; name each platform once")]
    PlatformTwice {
        platform: Box<Platform>,
        first: String,
        second: String,
    },

    #[error("image {image}: {reason}")]
    Inconsistent { image: Digest, reason: String },

    #[error("layer {layer} unpacks to {found}, the config says {expected}; the image was altered")]
    DiffId {
        layer: Digest,
        expected: Digest,
        found: Digest,
    },

    #[error("layer {layer} is not a tar that can be read: {source}")]
    Tar { layer: Digest, source: io::Error },

    #[error("layer {layer} unpacks to more than {limit} bytes, which no sane image does; refused")]
    LayerTooLarge { layer: Digest, limit: u64 },

    #[error("layer {layer}: entry {entry:?} {reason}; refused")]
    Entry {
        layer: Digest,
        entry: String,
        reason: &'static str,
    },
}

impl Error {
    /// Whether the document is intact but has a form that Slipway does not know. Other tools may
    /// write such documents.
    pub(crate) fn is_of_form(&self) -> bool {
        matches!(
            self,
            Error::Json { .. } | Error::WrongMediaType { .. } | Error::Inconsistent { .. }
        )
    }

    /// For `map_err`: wraps an I/O error with the action and the path.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
        move |source| Error::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}
