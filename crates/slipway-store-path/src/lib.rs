//! Nix store paths. A path from a closure becomes a name in a tar that is extracted at `/`, so only
//! well-formed store paths are accepted.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `<store directory>/<32 digits of Nix's base 32>-<name>`, usually below `/nix/store`.
///
/// The store directory is arbitrary, because Nix can be built with another one. Source: Nix manual,
/// "Store Path"; the characters of a name are those that Nix allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath(String);

/// Why a string is not a store path.
#[derive(Debug, thiserror::Error)]
#[error("{path:?} is not a store path: {reason}")]
pub struct BadStorePath {
    pub path: String,
    pub reason: &'static str,
}

const HASH_LENGTH: usize = 32;
const NAME_LENGTH: usize = 211;

impl StorePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The name without the hash: `libc6-2.41` of `/nix/store/<hash>-libc6-2.41`.
    pub fn name(&self) -> &str {
        &self.base_name()[HASH_LENGTH + 1..]
    }

    /// Parses a path that may lack the store directory, as printed by newer versions of Nix.
    pub fn with_store(store: &str, text: &str) -> Result<Self, BadStorePath> {
        match text.starts_with('/') {
            true => text.parse(),
            false => format!("{store}/{text}").parse(),
        }
    }

    /// The last component: hash and name.
    pub fn base_name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, base)| base)
    }
}

impl FromStr for StorePath {
    type Err = BadStorePath;

    fn from_str(text: &str) -> Result<StorePath, BadStorePath> {
        match fault(text) {
            None => Ok(StorePath(text.to_owned())),
            Some(reason) => Err(BadStorePath {
                path: text.to_owned(),
                reason,
            }),
        }
    }
}

fn fault(text: &str) -> Option<&'static str> {
    let Some((store, base)) = text.rsplit_once('/') else {
        return Some("it has no directory");
    };
    let Some(directories) = store.strip_prefix('/') else {
        return Some("it is not an absolute path below a store directory");
    };
    if directories
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return Some("its store directory is not in plain form");
    }
    if text.contains(char::is_control) {
        return Some("it holds a control character");
    }
    let Some((hash, name)) = base.split_once('-') else {
        return Some("it has no hash");
    };
    let in_base_32 = |c: char| matches!(c, '0'..='9' | 'a'..='z') && !"eotu".contains(c);
    if hash.len() != HASH_LENGTH || !hash.chars().all(in_base_32) {
        return Some("its hash is not 32 digits of base 32");
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
    if name.is_empty() || name.len() > NAME_LENGTH || !name.chars().all(in_name) {
        return Some("its name is empty, too long or has a character that Nix does not allow");
    }
    None
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StorePath {
    type Error = BadStorePath;

    fn try_from(text: String) -> Result<StorePath, BadStorePath> {
        text.parse()
    }
}

impl From<StorePath> for String {
    fn from(path: StorePath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_directory_hash_and_name() {
        let path: StorePath = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60"
            .parse()
            .unwrap();
        assert_eq!(path.name(), "net-tools-1.60");
        assert_eq!(
            path.base_name(),
            "00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60"
        );
    }

    #[test]
    fn adds_a_missing_store_directory() {
        let name = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b.drv";
        let path = StorePath::with_store("/nix/store", name).unwrap();
        assert_eq!(path.as_str(), format!("/nix/store/{name}"));
    }

    #[test]
    fn rejects_malformed_store_paths() {
        for text in [
            "",
            "x",
            "/nix/store",
            "/00bgd045z0d4icpbc2yyz4gx48ak44la-a",
            "nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a",
            "/nix/../00bgd045z0d4icpbc2yyz4gx48ak44la-a",
            "/nix//store/00bgd045z0d4icpbc2yyz4gx48ak44la-a",
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la",
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-",
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44le-a",
            "/nix/store/0bgd045z0d4icpbc2yyz4gx48ak44la-a",
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a b",
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a/lib",
        ] {
            assert!(text.parse::<StorePath>().is_err(), "{text} was taken");
        }
    }
}
