//! The crate's one error type. Each message is one line that names the thing, the cause and, where
//! there is one, the next step.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a release file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed; `action` is the verb, such as "read".
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error(
        "{name} would contain {file} twice; leave one of them out of [release] in slipway.toml"
    )]
    Twice { name: String, file: String },

    #[error("{0:?} is not an archive format; the formats are tar.gz, tar.zst, zip")]
    Format(String),

    #[error("{0:?} is not a package format; the formats are archlinux, deb, rpm")]
    PackageFormat(String),

    #[error(
        "{0} is not of a Debian package, so a package cannot depend on it; link the library statically, or leave deb out of \
         `packages` in [release]"
    )]
    NoPackage(String),

    #[error("{setting} in [release] of slipway.toml, {template:?}, {what}")]
    Template {
        setting: &'static str,
        template: String,
        what: String,
    },

    #[error("{0:?} is not a kind of manifest; the kinds are aur, homebrew, nix, scoop")]
    ManifestFormat(String),

    #[error(
        "{name:?} cannot be a name in the manifest {format}, which takes letters, digits and + - . _; set another name in \
         [release] of slipway.toml"
    )]
    ManifestName { format: &'static str, name: String },

    #[error(
        "{0} is not the name of a systemd unit; its type must be one of those that have files, as in tool.service or \
         tool.timer"
    )]
    Unit(String),

    #[error("{0} does not say what runs it; begin the script with a line such as #!/bin/sh")]
    NoInterpreter(String),

    #[error("cannot write {}: {source}", path.display())]
    Rpm {
        path: PathBuf,
        source: Box<rpm::Error>,
    },

    #[error(
        "the tag {0} is not a version such as v1.2.3 (semver.org); tag the commit again, or build without a version: \
         slipway release --snapshot"
    )]
    Tag(String),
}

impl Error {
    /// Adds the action and the path to an I/O error; for use with `map_err`.
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
