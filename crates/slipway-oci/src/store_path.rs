//! Paths in a closure become names in a tar that is extracted at `/`: only a text with the exact
//! shape of a store path may get there.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// `<store directory>/<32 digits of Nix's base 32>-<name>`, usually below `/nix/store`.
///
/// The store directory is whatever the closure says, because Nix can be built with another one.
/// Source: Nix manual, "Store Path"; the characters of a name are those that Nix allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath(String);

const HASH_LENGTH: usize = 32;
const NAME_LENGTH: usize = 211;

impl StorePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The part that a person gave: `libc6-2.41` of `/nix/store/<hash>-libc6-2.41`.
    pub fn name(&self) -> &str {
        &self.base_name()[HASH_LENGTH + 1..]
    }

    /// The last component: hash and name.
    pub fn base_name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, base)| base)
    }
}

impl FromStr for StorePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<StorePath, Error> {
        match fault(text) {
            None => Ok(StorePath(text.to_owned())),
            Some(reason) => Err(Error::StorePath {
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
    type Error = Error;

    fn try_from(text: String) -> Result<StorePath, Error> {
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
    fn a_store_path_has_a_directory_a_hash_and_a_name() {
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
    fn what_lacks_the_shape_of_a_store_path_is_refused() {
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
