//! Code that the end-to-end tests share. The tests use Slipway as its users do: through Nix, a
//! container engine and the command line. `make test` runs them after `make`.
//!
//! The tests do not write to the repository or to the user's container storage.

pub mod address;
pub mod certificate;
pub mod command;
pub mod containerd;
pub mod daemon;
pub mod distribution;
pub mod docker;
pub mod documentation;
pub mod go_proxy;
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
pub mod wine;
