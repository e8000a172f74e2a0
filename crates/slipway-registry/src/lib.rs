//! Pushes OCI images to registries and pulls them. [`push`] uploads an image layout with all
//! platforms, the index last. [`pull`] creates a layout from an image in a registry.
//!
//! Source: [OCI distribution-spec], version 1.1.
//!
//! [OCI distribution-spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md

mod auth_file;
mod challenge;
mod client;
mod credential_helper;
pub mod credentials;
mod docker_manifests;
mod error;
mod error_response;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod manifest_tree;
mod manifests;
#[cfg(test)]
mod properties;
mod pull;
mod push;
mod reference;
mod retry;
mod secret;
mod session;
mod tls;
mod token;
mod upload;

pub use client::{Client, Options};
pub use credentials::Credentials;
pub use error::{Error, Result};
pub use pull::{Contents, pull, resolve};
pub use push::{Outcome, Pushed, push};
pub use reference::{Reference, Repository};
pub use secret::{Credential, Secret};
pub use tls::{Identity, TlsOptions};
