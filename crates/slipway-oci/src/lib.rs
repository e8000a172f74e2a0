//! Nix builds a closure of store paths; registries and container engines want OCI images. This
//! crate is the way from the one to the other, and it keeps Nix's promise on the way: the same
//! closure gives the same bytes, so the same digests, on every machine.
//!
//! The nouns are those of the [OCI image specification]: a [`Layer`] is a compressed tar, an
//! [`Image`] is a config and a manifest that name its layers, an [`Index`] names one image a
//! [`Platform`]; each is found by a [`Descriptor`], which holds its [`Digest`]. These types know
//! nothing of where an image lives. Each place does: [`layout`] is the directory on disk.
//!
//! [OCI image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md

mod archive;
pub mod closure;
pub mod compression;
pub mod config;
mod descriptor;
mod digest;
mod error;
pub mod image;
mod index;
pub mod layer;
pub mod layer_dir;
mod layer_reader;
pub mod layout;
mod media_type;
mod pipeline;
pub mod plan;
mod platform;
mod staging;
mod store_path;
mod timestamp;
mod tree;
mod unpack;

pub use closure::Closure;
pub use compression::Compression;
pub use config::ImageConfig;
pub use descriptor::{Descriptor, Document};
pub use digest::Digest;
pub use error::{Error, Result};
pub use image::{Image, Manifest};
pub use index::Index;
pub use layer::{Layer, LayerSource};
pub use layer_dir::LayerDir;
pub use layer_reader::{EntryKind, LayerEntry};
pub use layout::Layout;
pub use media_type::MediaType;
pub use platform::Platform;
pub use store_path::StorePath;
pub use timestamp::Timestamp;
pub use unpack::unpack;
