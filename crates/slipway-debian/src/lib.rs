//! Debian packages as pinned inputs of a build: which ones (`slipway.toml`), resolved from Debian's
//! signed index and written down with their hashes (`slipway.lock`), and fetched from whatever
//! mirror this machine uses.
//!
//! Debian is the binary cache of Slipway. What this crate adds to a mirror is that the same lock
//! gives the same bytes on every machine and in every year in which some mirror still has them.

pub mod changes;
pub mod config;
pub mod deb;
mod deb822;
pub mod edit;
mod error;
pub mod fetch;
pub mod hash;
pub mod http;
pub mod index;
pub mod lock;
pub mod mirrors;
pub mod nar;
pub mod package;
pub mod progress;
pub mod relation;
pub mod release;
pub mod relock;
pub mod resolve;
pub mod signature;
pub mod suites;
pub mod version;

pub use error::Error;
