//! Release files: the archives and packages of a program, their checksums, manifests for package
//! managers, and the notes of a release.
//!
//! The same input gives the same bytes: files are sorted, their times are the release's, their
//! owner is root, and modes are 0644 or 0755.

mod arch;
mod archive;
mod checksums;
mod deb;
mod documents;
mod error;
mod files;
mod goreleaser;
mod manifests;
mod notes;
mod package;
mod rpm;
mod scripts;
mod template;
mod tree;
mod version;

pub use archive::Format;
pub use checksums::checksums;
pub use documents::is_document;
pub use error::{Error, Result};
pub use files::{File, Files};
pub use goreleaser::{Goreleaser, Left};
pub use manifests::{Download, ManifestFormat, Published, nix_string};
pub use notes::{Commit, notes};
pub use package::{Layout, Library, Needs, Package, PackageFormat};
pub use scripts::{Script, Scripts, Step, unit_path};
pub use semver::Version;
pub use template::fill;
pub use version::of_tag;
