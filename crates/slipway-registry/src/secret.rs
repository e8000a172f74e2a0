//! A type for secrets that cannot be printed, so that neither a derived `Debug` nor an error
//! message reveals a password.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The username that marks the password as an identity token.
pub(crate) const TOKEN_USER: &str = "<token>";

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret. Send it only to the host it belongs to.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A user's credential for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Password {
        username: String,
        password: Secret,
    },
    /// An OAuth 2 refresh token, exchanged for access tokens at the token endpoint.
    Identity(Secret),
    /// A token that is sent to the registry unchanged.
    Bearer(Secret),
}

/// Returns the value of `Authorization` for HTTP Basic: RFC 7617, section 2.
pub(crate) fn basic(username: &str, password: &Secret) -> Secret {
    let pair = format!("{username}:{}", password.reveal());
    Secret(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_print_secrets() {
        let login = Credential::Password {
            username: "ada".into(),
            password: Secret::new("hunter2"),
        };
        let shown = format!("{login:?}");
        assert!(
            shown.contains("ada") && !shown.contains("hunter2"),
            "{shown}"
        );
        let header = basic("ada", &Secret::new("hunter2"));
        assert_eq!(header.reveal(), "Basic YWRhOmh1bnRlcjI=");
    }
}
