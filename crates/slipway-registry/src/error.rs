//! The error type. Users cannot inspect the registry, so each message states in one line what was
//! requested, what the registry answered, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use slipway_oci::Digest;

use crate::Reference;

/// Result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a push or pull failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{text:?} is not the name of an image, such as registry.example/app:v1: {reason}")]
    Reference { text: String, reason: String },

    #[error("{host} cannot be reached: {reason}; check the name and the network")]
    Unreachable { host: String, reason: String },

    #[error("{host}: {reason}; the network or the registry is down, try again later")]
    GaveUp { host: String, reason: String },

    #[error(
        "{host} has a certificate of an authority that is not known here; name that authority's certificate with \
         --ca FILE, or put it into /etc/containers/certs.d/{host}/ca.crt"
    )]
    UnknownAuthority { host: String },

    #[error("{host} has a certificate that is not good: {reason}")]
    BadCertificate { host: String, reason: String },

    #[error(
        "{host} wants a client certificate; name one with --client-cert FILE --client-key FILE, or put it into \
         /etc/containers/certs.d/{host}/"
    )]
    WantsClientCertificate { host: String },

    #[error(
        "{host} does not speak TLS; if it is to be used without encryption, say so with --plain-http"
    )]
    NotTls { host: String },

    #[error("{host} is not a registry: {reason}")]
    NotARegistry { host: String, reason: String },

    #[error("{}: {reason}", path.display())]
    Certificate { path: PathBuf, reason: String },

    #[error("{}: {reason}", path.display())]
    CredentialsFile { path: PathBuf, reason: String },

    #[error("docker-credential-{helper} gave no password for {host}: {reason}")]
    Helper {
        helper: String,
        host: String,
        reason: String,
    },

    #[error(
        "{host} does not know who is asking{said}; log in with `podman login {host}`, or give --username NAME \
         --password-stdin"
    )]
    NoLogin { host: String, said: String },

    #[error(
        "{host} refuses the login{said}; log in anew with `podman login {host}`, or give --username NAME \
         --password-stdin"
    )]
    BadLogin { host: String, said: String },

    #[error("no right to {action} {repository}{said}; ask its owner, or log in as someone else")]
    Denied {
        action: &'static str,
        repository: String,
        said: String,
    },

    #[error("{what} was not found{said}")]
    NotFound { what: String, said: String },

    #[error("{host} refused {what} with status {status}{said}")]
    Refused {
        host: String,
        what: String,
        status: u16,
        said: String,
    },

    #[error(
        "{host} refuses {what} of {size} bytes as too large, with status {status}{said}; raise the limit of the \
         registry or of the proxy in front of it, or make smaller layers"
    )]
    OverLimit {
        host: String,
        what: String,
        size: u64,
        status: u16,
        said: String,
    },

    /// The registry refused a manifest, probably because of its media type.
    #[error(
        "{host} refused {what} with status {status}{said}; perhaps it does not take OCI images"
    )]
    FormatRefused {
        host: String,
        what: String,
        status: u16,
        said: String,
    },

    #[error("{what} has no form in Docker's formats: {reason}")]
    NoDockerForm { what: String, reason: String },

    #[error(
        "{host} takes Docker's formats only, in which the image has another digest than {reference} pins; push it \
         under a tag"
    )]
    PinnedFormat {
        reference: Box<Reference>,
        host: String,
    },

    #[error("{what}: {reason}")]
    Protocol { what: String, reason: String },

    #[error(
        "{what} should have the digest {expected}, but the registry has {found}; do not trust it"
    )]
    OtherDigest {
        what: String,
        expected: Digest,
        found: String,
    },

    #[error("{0} pins another digest than the image has, {1}")]
    OtherPin(Box<Reference>, Digest),

    #[error("{what} claims {size} bytes, more than the {limit} that are sane for it")]
    TooLarge { what: String, size: u64, limit: u64 },

    #[error("{what} holds more than {limit} {of}, which no sane image does")]
    TooMany {
        what: String,
        of: &'static str,
        limit: usize,
    },

    #[error(transparent)]
    Image(Box<slipway_oci::Error>),

    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    /// Stopped because another part of the same operation failed and reports the reason.
    #[error("stopped")]
    Stopped,
}

impl From<slipway_oci::Error> for Error {
    fn from(error: slipway_oci::Error) -> Self {
        Error::Image(Box::new(error))
    }
}

impl Error {
    /// Adds the action and the path to an I/O error; for use with `map_err`.
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Error + 'a {
        move |source| Error::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Maximum length of quoted text from a registry, in characters.
const LONGEST_QUOTE: usize = 300;

/// Makes untrusted text safe to print on one line: removes control characters and limits the
/// length.
pub(crate) fn quote(text: &str) -> String {
    let printable = |c: char| match c.is_control() || is_invisible(c) {
        true => ' ',
        false => c,
    };
    let text: String = text.chars().map(printable).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Reports whether a character is invisible or changes the text direction, which could disguise the
/// text after it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_untrusted_text_in_one_short_line_without_control_characters() {
        assert_eq!(quote("a\x1b[31m\n\r\tb\u{202e}c"), "a [31m b c");
        let long = quote(&"ä".repeat(10_000));
        assert_eq!(long.chars().count(), LONGEST_QUOTE + 1);
    }
}
