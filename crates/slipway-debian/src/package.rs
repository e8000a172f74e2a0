//! What is known of a Debian package: from a mirror's index or from the lock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::relation::Relation;
use crate::version::Version;

/// Which of Debian's archives holds a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archive {
    Debian,
    DebianSecurity,
}

impl Archive {
    /// The archive that a suite lives in: `trixie-security` in the security archive, all others in
    /// the main one.
    pub fn of_suite(suite: &str) -> Self {
        if suite.ends_with("-security") {
            Self::DebianSecurity
        } else {
            Self::Debian
        }
    }
}

impl FromStr for Archive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "debian" => Ok(Self::Debian),
            "debian-security" => Ok(Self::DebianSecurity),
            _ => Err(format!("{text:?} is no archive of Debian's")),
        }
    }
}

impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debian => "debian",
            Self::DebianSecurity => "debian-security",
        })
    }
}

/// The path of a package below the root of its archive (`pool/main/z/zlib/zlib1g_1.3_amd64.deb`),
/// checked when it is made: it stays below `pool/` and needs no escaping in a URL but that of `~`
/// and `+`, which servers accept bare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolPath(String);

impl PoolPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part: the name of the file.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl FromStr for PoolPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._+~-:".contains(c);
        let whole = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if text.starts_with("pool/") && text.ends_with(".deb") && whole && text.chars().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(format!("{text:?} is not the path of a package below pool/"))
        }
    }
}

impl TryFrom<String> for PoolPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PoolPath> for String {
    fn from(path: PoolPath) -> Self {
        path.0
    }
}

/// A binary package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: Version,
    /// `amd64`, `arm64`, …, or `all`.
    pub architecture: String,
    /// Name of the source package.
    pub source: String,
    pub archive: Archive,
    pub path: PoolPath,
    /// In bytes.
    pub size: u64,
    /// Of the whole .deb.
    pub sha256: Sha256,
    /// Pre-Depends and Depends: each group is met by one of its alternatives.
    pub depends: Vec<Vec<Relation>>,
    /// Virtual packages.
    pub provides: Vec<Relation>,
    /// What cannot be installed beside it.
    pub conflicts: Vec<Relation>,
}

impl Package {
    /// The same file: what makes a pin of an index entry.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
            && self.name == other.name
            && self.architecture == other.architecture
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.name, self.version, self.architecture)
    }
}

/// Whether a text can be a package's name (Debian Policy 5.6.1).
pub fn is_package_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_path_stays_in_the_pool() {
        for bad in [
            "/etc/passwd",
            "pool/../../x.deb",
            "pool//x.deb",
            "dists/x.deb",
            "pool/a b.deb",
            "pool/x?y.deb",
            "pool/x",
        ] {
            assert!(bad.parse::<PoolPath>().is_err(), "{bad}");
        }
        let path: PoolPath = "pool/main/g/gcc/libstdc++6_14.2.0-19~x_amd64.deb"
            .parse()
            .unwrap();
        assert_eq!(path.file_name(), "libstdc++6_14.2.0-19~x_amd64.deb");
    }

    #[test]
    fn security_suites_live_in_their_own_archive() {
        assert_eq!(
            Archive::of_suite("trixie-security"),
            Archive::DebianSecurity
        );
        assert_eq!(Archive::of_suite("trixie-updates"), Archive::Debian);
    }
}
