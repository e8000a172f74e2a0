use std::io;
use std::path::{Path, PathBuf};

use crate::hash::Sha256;

/// The error type of this crate. Each message is one line that names the object, the cause and the
/// next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {reason}", path.display())]
    Config { path: PathBuf, reason: String },

    #[error(
        "{}: {reason}; restore it from version control, or write it anew with: slipway lock",
        path.display()
    )]
    Lock { path: PathBuf, reason: String },

    #[error(
        "no Debian mirror is known ({reason}); name one by --mirror URL, by the variable SLIPWAY_DEBIAN_MIRROR, or by \
         mirrors = [\"URL\"] in ~/.config/slipway/slipway.toml or at the top of the project's slipway.toml"
    )]
    NoMirror { reason: String },

    #[error("{0:?} is not the address of a mirror; it must begin with http:// or https://")]
    BadMirror(String),

    #[error(
        "neither sqv nor gpgv is installed, so no signature can be checked; install one: apt-get install gpgv, or with \
         Nix: nix-shell -p gnupg"
    )]
    NoVerifier,

    #[error("the signature of {what} is not valid: {reason}")]
    BadSignature { what: String, reason: String },

    #[error("{url} is the index of {got}, but {asked} was asked for; check the mirror")]
    WrongSuite {
        url: String,
        asked: String,
        got: String,
    },

    #[error("{url} expired on {until}; the mirror is stale, or this machine's clock is wrong")]
    Expired { url: String, until: String },

    #[error("{what}: {reason}")]
    BadIndex { what: String, reason: String },

    #[error("set {set} ({architecture}): {reason}")]
    Unsatisfiable {
        set: String,
        architecture: String,
        reason: String,
    },

    #[error("set {set} ({architecture}): package {package} is in none of its suites{elsewhere}")]
    NoPackage {
        set: String,
        architecture: String,
        package: String,
        /// Where the package is available or which package may be meant; the end of the message.
        elsewhere: String,
    },

    #[error("no package of {suites} ({architecture}) has {file}")]
    NoFile {
        file: String,
        suites: String,
        architecture: String,
    },

    #[error("several packages have {file}; name one of them: {}", packages.join(", "))]
    SeveralPackages { file: String, packages: Vec<String> },

    #[error("{what} could not be fetched: {reason}")]
    Fetch { what: String, reason: String },

    #[error("{what} is not what was pinned: expected sha256 {expected}, got {got}; it was deleted")]
    Tampered {
        what: String,
        expected: Sha256,
        got: Sha256,
    },

    #[error(
        "no mirror carries {} any more; re-lock with: slipway lock, or name a mirror that still has it with --mirror",
        .0.join(", ")
    )]
    Gone(Vec<String>),

    #[error("the disk is full: {} could not be written and was removed; free some space and run it again", .0.display())]
    DiskFull(PathBuf),

    #[error("{what}: {reason}")]
    Deb { what: String, reason: String },

    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl Error {
    /// Adds the path to an I/O error; for use with `map_err`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull(path.to_owned()),
            _ => Self::Io {
                what: path.display().to_string(),
                source,
            },
        }
    }
}
