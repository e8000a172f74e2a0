use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::Error;

/// Length of the hash that a name in the store begins with.
const HASH_LENGTH: usize = 32;

/// An absolute path of a thing in the store: `/nix/store/<hash>-<name>`, checked when it is made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for file operations.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The name without the hash: `reporter-0.1.0`.
    pub fn name(&self) -> &str {
        self.0
            .rsplit('/')
            .next()
            .and_then(|base| base.get(HASH_LENGTH + 1..))
            .unwrap_or_default()
    }

    /// Reads a path that newer versions of Nix print without the directory of the store.
    pub(crate) fn with_store(store: &str, text: &str) -> Result<Self, Error> {
        if text.starts_with('/') {
            text.parse()
        } else {
            format!("{store}/{text}").parse()
        }
    }
}

impl FromStr for StorePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let base = text.rsplit('/').next().unwrap_or_default();
        let hash_is_plain = base
            .bytes()
            .take(HASH_LENGTH)
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
        let well_formed = text.starts_with('/')
            && base.len() > HASH_LENGTH + 1
            && hash_is_plain
            && base.as_bytes()[HASH_LENGTH] == b'-'
            && base.chars().all(plain);
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(Error::BadStorePath(text.into()))
        }
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_path_has_a_hash_and_a_name() {
        let path: StorePath = "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b-1.0.drv"
            .parse()
            .unwrap();
        assert_eq!(path.name(), "b-1.0.drv");
        for bad in [
            "",
            "/nix/store",
            "/nix/store/short-b",
            "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b",
            "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a b",
        ] {
            assert!(bad.parse::<StorePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_without_the_store_gets_it() {
        let path =
            StorePath::with_store("/nix/store", "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b.drv").unwrap();
        assert_eq!(
            path.as_str(),
            "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b.drv"
        );
    }
}
