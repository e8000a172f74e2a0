use std::io;
use std::path::{Path, PathBuf};

use crate::hash::Sha256;

/// Everything that can go wrong with Debian packages. Each message is one line: the thing, the
/// cause, the next step.
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
        "no Debian mirror is known ({reason}); name one with --mirror URL or SLIPWAY_MIRROR, and with \
         --security-mirror URL or SLIPWAY_SECURITY_MIRROR if its security archive is elsewhere"
    )]
    NoMirror { reason: String },

    #[error("{0:?} is not the address of a mirror; it must begin with http:// or https://")]
    BadMirror(String),

    #[error(
        "neither sqv nor gpgv is installed, so no signature can be checked; install one: apt-get install gpgv"
    )]
    NoVerifier,

    #[error(
        "Debian's keyring is not on this machine; install it (apt-get install debian-archive-keyring) or name one \
         with --keyring FILE or SLIPWAY_KEYRING"
    )]
    NoKeyring,

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
        /// Where it is, or what is there in its place: the rest of the line.
        elsewhere: String,
    },

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
    /// For `map_err` on file operations: says which file it was.
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
