//! Metadata of a Debian package, from a mirror's index or from the lock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::relation::Relation;
use crate::version::Version;

/// The Debian archive that contains a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archive {
    Debian,
    DebianSecurity,
}

impl Archive {
    /// Returns the archive of a suite: the security archive for suites such as `trixie-security`,
    /// otherwise the main archive.
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
            _ => Err(format!("{text:?} is not an archive of Debian")),
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

/// The path of a package relative to the archive root (`pool/main/z/zlib/zlib1g_1.3_amd64.deb`).
///
/// It is validated when parsed: it stays below `pool/` and needs no URL escaping except for `~` and
/// `+`, which servers accept unescaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolPath(String);

impl PoolPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the file name.
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
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the .deb file.
    pub sha256: Sha256,
    /// Pre-Depends and Depends: a list of groups, each satisfied by one of its alternatives.
    pub depends: Vec<Vec<Relation>>,
    /// Virtual packages that this package provides.
    pub provides: Vec<Relation>,
    /// Packages that cannot be installed alongside this package.
    pub conflicts: Vec<Relation>,
}

impl Package {
    /// Reports whether both refer to the same file, which makes an index entry match a pin.
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

/// Reports whether the text is a valid package name (Debian Policy 5.6.1).
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
    fn rejects_paths_outside_the_pool() {
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
    fn maps_security_suites_to_the_security_archive() {
        assert_eq!(
            Archive::of_suite("trixie-security"),
            Archive::DebianSecurity
        );
        assert_eq!(Archive::of_suite("trixie-updates"), Archive::Debian);
    }
}
