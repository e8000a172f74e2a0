use std::io;

use slipway_store_path::{BadStorePath, StorePath};

/// Errors of Nix and of calling it. Each message is one line: the thing, the cause, the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "Nix is not installed ({0} is not on the PATH); run make, which installs it, or: apt-get install \
         nix-setup-systemd"
    )]
    NotInstalled(String),

    #[error(
        "Nix {0} is too old, Slipway needs 2.4 or newer; upgrade it, on Debian with: apt-get install nix-bin"
    )]
    TooOld(String),

    #[error(
        "the Nix store cannot be written: this user is not root and no Nix daemon runs; start it (systemctl start \
         nix-daemon), or run this as root"
    )]
    NoDaemon,

    #[error(
        "the group {0} of Nix's build users has no members, and without them root cannot build; on Debian they come \
         with: apt-get install nix-setup-systemd"
    )]
    NoBuildUsers(String),

    #[error(transparent)]
    BadStorePath(#[from] BadStorePath),

    #[error("{0} is not in the Nix store; build it first")]
    NotInStore(String),

    #[error(
        "{path} is within a store path; give that one, {root}, and what is to be run in it with --entrypoint"
    )]
    WithinStorePath { path: String, root: String },

    #[error("{path} is neither a store path nor a link to one: it is not below {store}")]
    NotOfTheStore { path: String, store: String },

    #[error("{path}: {source}")]
    Path { path: String, source: io::Error },

    #[error("{program} could not be run: {source}")]
    Io { program: String, source: io::Error },

    #[error("{0}")]
    Failed(String),

    #[error("{command} answered in a form that is not known: {reason}")]
    Unexpected { command: String, reason: String },

    #[error("{message}")]
    Build {
        message: String,
        /// The derivation whose build failed, if one did.
        failed: Option<StorePath>,
    },

    #[error(
        "{file} came into the store as {got}, but the build expects {expected}; it is not what was pinned"
    )]
    WrongPath {
        file: String,
        expected: String,
        got: String,
    },
}
