//! Releases: the commit and its version, the directory of release files, and the artifact of them.

pub mod artifact;
pub mod dist;
pub mod source;
