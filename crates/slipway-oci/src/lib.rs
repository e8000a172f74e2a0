//! Creates and reads OCI images of Nix closures.
//!
//! Output is reproducible: the same closure gives the same bytes, and therefore the same digests,
//! on every machine.
//!
//! The types are named after the [OCI image specification]: a [`Layer`] is a compressed tar, an
//! [`Image`] is a config and a manifest that lists layers, and an [`Index`] lists an image for each
//! [`Platform`]. They refer to each other by [`Descriptor`], which contains a [`Digest`]. These
//! types are independent of where an image is stored; [`layout`] stores them in a directory.
//!
//! [OCI image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md

pub mod accounts;
pub mod closure;
pub mod compression;
pub mod config;
pub mod contents;
mod descriptor;
mod digest;
mod error;
pub mod files;
pub mod healthcheck;
pub mod image;
mod index;
pub mod layer;
pub mod layer_dir;
pub mod layer_plan;
mod layer_reader;
pub mod layout;
mod media_type;
mod null;
mod pipeline;
mod platform;
mod sparse;
mod staging;
pub mod system_files;
mod tar_writer;
mod timestamp;
mod tree;
mod unpack;

pub use closure::Closure;
pub use compression::Compression;
pub use config::ImageConfig;
pub use contents::Contents;
pub use descriptor::{Descriptor, Document};
pub use digest::{Algorithm, Digest, Hasher};
pub use error::{Error, Result};
pub use files::Files;
pub use image::{Image, Manifest};
pub use index::{Index, shared_annotations};
pub use layer::{Layer, LayerSource};
pub use layer_dir::LayerDir;
pub use layer_reader::{EntryKind, LayerEntry};
pub use layout::Layout;
pub use media_type::MediaType;
pub use platform::Platform;
pub use slipway_store_path::StorePath;
pub use system_files::SystemFiles;
pub use timestamp::Timestamp;
pub use unpack::unpack;
