//! Typed calls of the `nix` command.
//!
//! The command, not a library, is Nix's stable interface: it works with the Nix that is there, with
//! its settings, its daemon, its remote builders and caches. Every call goes through [`Nix`], which
//! knows what differs between versions and can print what it runs.

mod build;
mod call;
mod closure;
mod derivation;
mod error;
mod evaluate;
mod flake;
mod nix;
mod path;
pub mod progress;
mod seed;
mod store;

pub use build::Built;
pub use closure::PathInfo;
pub use derivation::{Derivation, Plan, Target};
pub use error::Error;
pub use nix::{Access, Nix, Setup};
pub use path::StorePath;
pub use seed::{Deb, Kind, Seed};
pub use store::HashMode;
