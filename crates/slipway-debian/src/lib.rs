//! Debian packages as pinned build inputs. `slipway.toml` lists the packages; this crate resolves
//! them from Debian's signed index, writes their hashes to `slipway.lock`, and downloads them from
//! the mirrors of the machine.
//!
//! Debian mirrors serve as Slipway's binary cache. The lock makes it reproducible: the same lock
//! yields the same bytes on every machine, for as long as any mirror has the files.

pub mod config;
pub mod config_edit;
pub mod contents_index;
pub mod deb;
mod deb822;
mod error;
pub mod fetch;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod hash;
pub mod http;
pub mod index;
pub mod lock;
pub mod lock_builder;
pub mod lock_diff;
pub mod mirrors;
pub mod nar;
pub mod package;
pub mod relation;
pub mod release;
pub mod resolve;
pub mod signature;
pub mod suites;
pub mod version;

pub use error::Error;
