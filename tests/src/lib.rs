//! What the end-to-end tests share: they use the product as its users do, through Nix, a container
//! engine and the command line, and need what those need. `make test` runs them after `make`.
//!
//! Nothing here writes into the repository or into the user's container storage.

pub mod address;
pub mod certificate;
pub mod command;
pub mod containerd;
pub mod daemon;
pub mod docker;
pub mod http;
pub mod kafka;
pub mod kustomize;
pub mod network;
pub mod nix;
pub mod platform;
pub mod podman;
pub mod project;
pub mod proxy;
pub mod registry;
pub mod reporter;
pub mod repository;
pub mod requirement;
pub mod schema;
pub mod sequence;
pub mod skopeo;
pub mod slipway;
pub mod tmpfs;
