//! A password that ends up in a log is found there. Secrets are of a type that cannot be printed,
//! so that neither a derived `Debug` nor an error can carry one out.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The username that stands for an identity token in the place of the password.
pub(crate) const TOKEN_USER: &str = "<token>";

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, to be sent to the host that it is for, and nowhere else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a user is known by at a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Password {
        username: String,
        password: Secret,
    },
    /// Exchanged for tokens at the token endpoint: an OAuth 2 refresh token.
    Identity(Secret),
    /// Sent to the registry as it is.
    Bearer(Secret),
}

/// The value of `Authorization` for HTTP Basic: RFC 7617, section 2.
pub(crate) fn basic(username: &str, password: &Secret) -> Secret {
    let pair = format!("{username}:{}", password.reveal());
    Secret(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let login = Login::Password {
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
