//! Releases: the commit and its version, and the directory of release files.

pub mod dist;
pub mod source;
