//! `slipway.lock`: the resolved packages, each pinned by its hash.
//!
//! The file contents depend only on the resolution, so that a diff shows exactly the packages that
//! changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{Config, one_line};
use crate::error::Error;
use crate::hash::Sha256;
use crate::package::{Archive, Package, PoolPath, is_package_name};
use crate::relation::Relation;
use crate::version::Version;

const HEADER: &str = "\
# Written by `slipway lock` from slipway.toml and Debian's signed index; not meant to be edited.
# Each package is pinned by its sha256. `slipway lock --upgrade` moves the pins to the newest versions.
";

/// The contents of `slipway.lock`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// Codename of the Debian release.
    pub release: String,
    #[serde(rename = "package", default)]
    pub packages: Vec<Locked>,
    #[serde(rename = "git", default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
    /// Sorted by reference and platform.
    #[serde(rename = "base", default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<Base>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<Go>,
}

/// A base image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Base {
    /// As in `slipway.toml`.
    pub reference: String,
    /// Where the image is pulled from: `HOST/NAME`.
    pub repository: String,
    /// Digest of the image or the index that the reference resolved to: `sha256:…`.
    pub digest: String,
    /// `linux/arm64`
    pub platform: String,
    /// Media type and size of the platform's manifest.
    pub media_type: String,
    pub size: u64,
    pub manifest: Sha256,
    /// The config, and the layers from the lowest to the highest, each once.
    pub blobs: Vec<Sha256>,
}

/// What `slipway lock` found out about the project's Go modules. The rows are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Go {
    /// Version of the toolchain, such as `1.27.4`. `None` stands for Slipway's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Build tags with which the rest was found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether a package of the programs uses cgo. The standard library does not count.
    #[serde(default)]
    pub cgo: bool,
    /// Those of these packages that cannot be compiled without cgo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_cgo: Vec<String>,
    /// Packages that the modules' own packages import from elsewhere.
    #[serde(default)]
    pub imports: Vec<String>,
    #[serde(rename = "program", default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<GoProgram>,
    #[serde(rename = "toolchain", default, skip_serializing_if = "Vec::is_empty")]
    pub toolchains: Vec<GoToolchain>,
    #[serde(rename = "module", default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<GoModule>,
    #[serde(rename = "mod-file", default, skip_serializing_if = "Vec::is_empty")]
    pub mod_files: Vec<GoModFile>,
}

/// A main package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoProgram {
    /// File name of the program.
    pub name: String,
    /// Directory of the package: `.` or `./cmd/server`.
    pub package: String,
}

/// A pinned Go toolchain for one architecture of build machines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoToolchain {
    /// Debian's name of the architecture: `amd64`.
    pub architecture: String,
    /// Hash of the checksum database: `h1:…`.
    pub h1: String,
    /// SHA-256 of the NAR of its files.
    pub sha256: Sha256,
}

/// A pinned Go module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoModule {
    pub path: String,
    pub version: String,
    /// Hash of go.sum: `h1:…`.
    pub h1: String,
    /// SHA-256 of the NAR of its files.
    pub sha256: Sha256,
}

/// A pinned go.mod of a module of which nothing is compiled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoModFile {
    pub path: String,
    pub version: String,
    /// SHA-256 of the file.
    pub sha256: Sha256,
}

/// A git repository pinned to a commit, with the crates of Cargo.lock that it contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// URL as in Cargo.lock, without the query.
    pub url: String,
    /// The full commit hash in hex.
    pub commit: String,
    /// SHA-256 of the NAR of the files at that commit.
    pub sha256: Sha256,
    /// Maps a crate to its directory, relative to the repository root; `.` is the root itself.
    pub crates: BTreeMap<String, String>,
}

/// A pinned package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Locked {
    pub name: String,
    pub version: Version,
    /// Architecture of the package: `amd64`, …, or `all`.
    pub architecture: String,
    /// Architectures that the package was resolved for.
    #[serde(rename = "for")]
    pub serves: Vec<String>,
    /// Sets that contain the package.
    pub sets: Vec<String>,
    pub source: String,
    pub archive: Archive,
    pub path: PoolPath,
    /// Size in bytes.
    pub size: u64,
    pub sha256: Sha256,
    /// Names of the packages it depends on, in the same set.
    pub depends: Vec<String>,
    /// Path of the one file to extract from the data archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// SHA-256 of the NAR of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_sha256: Option<Sha256>,
}

impl Locked {
    /// Converts the pin to a package. The lock stores dependency names only, so the dependencies
    /// have no versions.
    pub fn to_package(&self) -> Package {
        Package {
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: self.architecture.clone(),
            source: self.source.clone(),
            archive: self.archive,
            path: self.path.clone(),
            size: self.size,
            sha256: self.sha256,
            depends: self
                .depends
                .iter()
                .map(|name| vec![Relation::any(name)])
                .collect(),
            provides: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn order(&self) -> (&str, &str, &Version, &[String], &[String]) {
        (
            &self.name,
            &self.architecture,
            &self.version,
            &self.sets,
            &self.serves,
        )
    }
}

impl Lock {
    /// Creates a lock from rows, each for one set and one architecture. Rows that differ only in
    /// these two are merged.
    pub fn new(release: impl Into<String>, rows: Vec<Locked>) -> Self {
        let by_architecture = join(rows, |row| &mut row.serves, |a, b| a.sets == b.sets);
        let mut packages = join(
            by_architecture,
            |row| &mut row.sets,
            |a, b| a.serves == b.serves,
        );
        packages.sort_by(|a, b| a.order().cmp(&b.order()));
        Self {
            version: 1,
            release: release.into(),
            packages,
            repositories: Vec::new(),
            bases: Vec::new(),
            go: None,
        }
    }

    /// Reads and validates the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::at(path))?;
        Self::parse(&text).map_err(|reason| Error::Lock {
            path: path.into(),
            reason,
        })
    }

    /// Parses and validates the text. The error message is one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = toml::from_str(text).map_err(|e| one_line(text, &e))?;
        if lock.version != 1 {
            return Err(format!(
                "it has version {}, and this slipway knows version 1 only",
                lock.version
            ));
        }
        for row in &lock.repositories {
            let is_object = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if row.commit.len() < 40 || !is_object(&row.commit) {
                return Err(format!("{:?} is not the name of a commit", row.commit));
            }
            let is_below = |path: &&String| !path.split('/').any(|part| matches!(part, "" | ".."));
            if let Some(bad) = row.crates.values().find(|path| !is_below(path)) {
                return Err(format!("{bad:?} is not a path in a repository"));
            }
        }
        for row in &lock.packages {
            if let Some(bad) = [&row.name, &row.source]
                .into_iter()
                .chain(&row.depends)
                .find(|n| !is_package_name(n))
            {
                return Err(format!("{bad:?} is not a package name"));
            }
            if row.executable.is_some() != row.executable_sha256.is_some() {
                return Err(format!(
                    "package {}: executable and executable-sha256 belong together",
                    row.name
                ));
            }
        }
        Ok(lock)
    }

    /// Serializes the lock.
    pub fn to_text(&self) -> Result<String, Error> {
        let body = toml::to_string(self).map_err(|e| Error::Lock {
            path: "slipway.lock".into(),
            reason: e.to_string(),
        })?;
        Ok(format!("{HEADER}{body}"))
    }

    /// Writes the file atomically: readers see either the old or the new contents.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        slipway_atomic_file::write(path, self.to_text()?).map_err(Error::at(path))
    }

    /// Returns the pins of one set and architecture.
    pub fn pins<'a>(
        &'a self,
        set: &'a str,
        architecture: &'a str,
    ) -> impl Iterator<Item = &'a Locked> {
        self.packages.iter().filter(move |row| {
            row.sets.iter().any(|name| name == set)
                && row.serves.iter().any(|name| name == architecture)
        })
    }

    /// Returns the pins that a configuration requires, or `None` if one is missing or belongs to a
    /// set that ignores packages the configuration does not ignore. With a complete result no index
    /// has to be downloaded.
    pub fn part(&self, config: &Config) -> Option<Self> {
        let mut rows = Vec::new();
        for (name, set) in &config.sets {
            for architecture in &set.architectures {
                let mut wanted: BTreeSet<&str> = BTreeSet::new();
                let mut next: Vec<&str> = set.packages.iter().map(String::as_str).collect();
                while let Some(package) = next.pop() {
                    if !wanted.insert(package) {
                        continue;
                    }
                    let pin = self
                        .pins(name, architecture)
                        .find(|pin| pin.name == package)?;
                    let depends = pin.depends.iter();
                    let depends = depends.filter(|name| !set.ignore.contains(name));
                    next.extend(depends.clone().map(String::as_str));
                    rows.push(Locked {
                        serves: vec![architecture.clone()],
                        sets: vec![name.clone()],
                        depends: depends.cloned().collect(),
                        ..pin.clone()
                    });
                }
            }
        }
        Some(Self::new(&self.release, rows))
    }
}

/// Merges rows that are equal except for one list of names.
fn join(
    rows: Vec<Locked>,
    list: impl Fn(&mut Locked) -> &mut Vec<String>,
    may_join: impl Fn(&Locked, &Locked) -> bool,
) -> Vec<Locked> {
    let same_pin = |a: &Locked, b: &Locked| {
        a.name == b.name
            && a.sha256 == b.sha256
            && a.depends == b.depends
            && a.executable == b.executable
    };
    let mut joined: Vec<Locked> = Vec::new();
    let mut by_hash: std::collections::HashMap<Sha256, Vec<usize>> =
        std::collections::HashMap::new();
    for mut row in rows {
        let places = by_hash.entry(row.sha256).or_default();
        match places
            .iter()
            .find(|at| same_pin(&joined[**at], &row) && may_join(&joined[**at], &row))
        {
            Some(at) => {
                let names = list(&mut joined[*at]);
                names.append(list(&mut row));
                names.sort_unstable();
                names.dedup();
            }
            None => {
                places.push(joined.len());
                joined.push(row);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, set: &str, architecture: &str, depends: &[&str]) -> Locked {
        Locked {
            name: name.into(),
            version: "1.0-1~deb13u1".parse().unwrap(),
            architecture: "all".into(),
            serves: vec![architecture.into()],
            sets: vec![set.into()],
            source: name.into(),
            archive: Archive::Debian,
            path: format!("pool/main/x/{name}_1.0-1~deb13u1_all.deb")
                .parse()
                .unwrap(),
            size: 3,
            sha256: Sha256::of(name.as_bytes()),
            depends: depends.iter().map(|name| (*name).into()).collect(),
            executable: None,
            executable_sha256: None,
        }
    }

    #[test]
    fn serialize_and_parse_round_trip() {
        let mut with_executable = row("b", "tools", "amd64", &[]);
        with_executable.executable = Some("usr/bin/b".into());
        with_executable.executable_sha256 = Some(Sha256::of(b"nar"));
        let lock = Lock::new(
            "trixie",
            vec![with_executable, row("a", "tools", "amd64", &["b"])],
        );
        let text = lock.to_text().unwrap();
        let again = Lock::parse(&text).unwrap();
        assert_eq!(again.packages, lock.packages);
        assert_eq!(again.to_text().unwrap(), text);
    }

    #[test]
    fn sorts_rows() {
        let rows = vec![
            row("b", "x", "amd64", &[]),
            row("a", "x", "arm64", &[]),
            row("a", "x", "amd64", &[]),
        ];
        let backwards = rows.iter().rev().cloned().collect();
        let text = Lock::new("trixie", rows).to_text().unwrap();
        assert_eq!(text, Lock::new("trixie", backwards).to_text().unwrap());
        assert!(text.find("name = \"a\"") < text.find("name = \"b\""));
    }

    #[test]
    fn merges_architecture_all_packages_into_one_row() {
        let lock = Lock::new(
            "trixie",
            vec![row("a", "x", "arm64", &[]), row("a", "x", "amd64", &[])],
        );
        assert_eq!(lock.packages.len(), 1);
        assert_eq!(lock.packages[0].serves, ["amd64", "arm64"]);
    }

    #[test]
    fn merges_rows_of_sets_only_if_dependencies_match() {
        let same = Lock::new(
            "trixie",
            vec![
                row("a", "x", "amd64", &["b"]),
                row("a", "y", "amd64", &["b"]),
            ],
        );
        assert_eq!(same.packages.len(), 1);
        assert_eq!(same.packages[0].sets, ["x", "y"]);
        let other = Lock::new(
            "trixie",
            vec![row("a", "x", "amd64", &["b"]), row("a", "y", "amd64", &[])],
        );
        assert_eq!(other.packages.len(), 2);
    }

    #[test]
    fn part_contains_packages_and_dependencies_or_is_none() {
        let rows = ["amd64", "arm64"].map(|architecture| {
            vec![
                row("a", "x", architecture, &["b", "docs"]),
                row("b", "x", architecture, &[]),
                row("c", "x", architecture, &[]),
                row("docs", "x", architecture, &[]),
            ]
        });
        let lock = Lock::new("trixie", rows.concat());
        let part = |package: &str, architecture: &str| {
            let set = format!(
                "debian = \"trixie\"\n[set.x]\narchitectures = [\"{architecture}\"]\n\
                 suites = [\"trixie\"]\npackages = [\"{package}\"]\nignore = [\"docs\"]\n"
            );
            lock.part(&Config::parse(&set).unwrap())
        };
        let expected = vec![row("a", "x", "arm64", &["b"]), row("b", "x", "arm64", &[])];
        assert_eq!(part("a", "arm64").unwrap().packages, expected);
        assert!(part("d", "arm64").is_none());
        assert!(part("a", "s390x").is_none());
    }

    #[test]
    fn reports_invalid_locks_with_the_line() {
        let good = Lock::new("trixie", vec![row("a", "x", "amd64", &["b"])])
            .to_text()
            .unwrap();
        for (from, to, expected) in [
            ("version = 1\n", "version = 2\n", "it has version 2"),
            ("sha256 = \"", "sha256 = \"0", "is not a SHA-256 digest"),
            (
                "pool/main",
                "pool/../..",
                "is not the path of a package below pool/",
            ),
            ("size = 3", "size = -3", "line "),
            ("depends", "dependz", "unknown field `dependz`"),
            (
                "name = \"a\"",
                "name = \"a b\"",
                "\"a b\" is not a package name",
            ),
            (
                "archive = \"debian\"",
                "archive = \"elsewhere\"",
                "unknown variant `elsewhere`",
            ),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let message = Lock::parse(&bad).unwrap_err();
            assert!(
                message.contains(expected) && !message.contains('\n'),
                "{message:?} does not say {expected:?}"
            );
        }
    }
}
