//! An image is of use where machines can get it, which is a registry. This crate is the way
//! there and back: [`push`] sends an image layout with all platforms, the index last, and
//! [`pull`] makes a layout of what a registry has.
//!
//! Source: [OCI distribution-spec], version 1.1.
//!
//! [OCI distribution-spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md

mod answer;
mod auth_file;
mod challenge;
mod client;
mod credential_helper;
pub mod credentials;
mod docker;
mod documents;
mod error;
mod manifests;
mod patience;
pub mod progress;
mod pull;
mod push;
mod reference;
mod secret;
mod session;
mod tls;
mod token;
mod upload;

pub use client::{Client, Options};
pub use credentials::Credentials;
pub use error::{Error, Result};
pub use patience::Patience;
pub use progress::Progress;
pub use pull::{Contents, pull};
pub use push::{Outcome, Pushed, push};
pub use reference::{Reference, Repository};
pub use secret::{Login, Secret};
pub use tls::{Identity, Trust};
