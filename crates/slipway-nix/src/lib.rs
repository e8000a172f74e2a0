//! Typed calls of the `nix` command.
//!
//! Slipway calls the command instead of a library because only the command is a stable interface.
//! It also uses the installed Nix with its settings, daemon, remote builders and caches. Every call
//! goes through [`Nix`], which handles differences between versions and can print its commands.

mod build;
mod call;
mod closure;
mod derivation;
mod error;
mod evaluate;
mod flake;
mod nix;
mod seed;
mod store;

pub use build::Built;
pub use closure::PathInfo;
pub use derivation::{Derivation, Plan, Target};
pub use error::Error;
pub use nix::{Access, Nix, Setup};
pub use seed::{Base, Client, Deb, Kind, Seed};
pub use slipway_store_path::StorePath;
pub use store::HashMode;
