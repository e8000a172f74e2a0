//! `slipway.toml`: the hand-written list of Debian packages to resolve.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::package::is_package_name;

/// The contents of `slipway.toml`.
#[derive(Debug)]
pub struct Config {
    /// Codename of the Debian release.
    pub debian: String,
    /// Mirrors of the Debian archive, for machines that do not configure any. Nix also accepts URLs
    /// of single files here, with the placeholders `{crate}` and `{version}`, or `{program}`.
    pub mirrors: Vec<String>,
    /// Mirrors of the security archive. Default: each of `mirrors` with the suffix `-security`.
    pub security_mirrors: Vec<String>,
    /// References of base images in registries.
    pub bases: Vec<String>,
    /// Package sets. Each set is resolved independently.
    pub sets: BTreeMap<String, Set>,
    /// How the project's Go modules are compiled.
    pub go: Go,
    /// What `slipway release` writes.
    pub release: Release,
}

/// The keys of `slipway.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    debian: Option<String>,
    /// The table, or the value of `debian` in files from before there was a table.
    release: Option<ReleaseKey>,
    #[serde(default)]
    mirrors: Vec<String>,
    #[serde(default)]
    security_mirrors: Vec<String>,
    #[serde(default)]
    bases: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, Set>,
    #[serde(default)]
    go: Go,
}

enum ReleaseKey {
    Codename(String),
    Table(Box<Release>),
}

impl<'de> Deserialize<'de> for ReleaseKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = ReleaseKey;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the table [release]")
            }

            fn visit_str<E>(self, codename: &str) -> Result<ReleaseKey, E> {
                Ok(ReleaseKey::Codename(codename.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReleaseKey, A::Error> {
                let table = Release::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ReleaseKey::Table(Box::new(table)))
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

/// The table `[release]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    /// Name of the files. Default: the name of the program that the image runs.
    pub name: Option<String>,
    /// Platforms, such as `linux/arm64` or `windows/amd64`. Default: those that the flake marks.
    pub platforms: Vec<String>,
    /// The C libraries of programs for Linux: `glibc`, `musl` or both. Default: `glibc`.
    pub libc: Vec<String>,
    /// The oldest version of glibc that programs for Linux run with, such as `2.28`.
    pub glibc: Option<String>,
    /// How programs for Linux get Debian's libraries: `static` or `bundled`. Default: `static`.
    pub libraries: Option<String>,
    /// Formats of the archives for systems other than Windows: `tar.gz`, `tar.zst`, `zip`. Default:
    /// `tar.gz`. Archives for Windows are zips.
    pub archives: Vec<String>,
    /// Name of the archives, with the placeholders `{name}`, `{version}`, `{os}` and `{arch}`.
    /// Default: `{name}_{version}_{os}_{arch}`.
    pub archive_name: Option<String>,
    /// Manifests for package managers: `aur`, `homebrew`, `nix`, `scoop`. Default: none.
    pub manifests: Vec<String>,
    /// URL of an archive, for manifests, with the placeholders `{file}`, `{tag}`, `{name}` and
    /// `{version}`.
    pub url: Option<String>,
    /// Formats of packages for Linux distributions: `archlinux`, `deb`, `rpm`. Default: none.
    pub packages: Vec<String>,
    /// Who maintains the packages and the manifest for the AUR: `NAME <MAIL>`.
    pub maintainer: Option<String>,
    /// What the program does, for packages and manifests: a line, and perhaps details in further lines,
    /// for packages. Default: that of Cargo.toml.
    pub description: Option<String>,
    /// SPDX expression, for packages and manifests. Default: that of Cargo.toml.
    pub license: Option<String>,
    /// URL, for packages and manifests. Default: the repository in Cargo.toml.
    pub homepage: Option<String>,
    /// Further files and directories for the archives. Licenses, the readme and the changelog in
    /// the project's directory are included anyway.
    pub files: Vec<String>,
    /// systemd units of packages: files of the project.
    pub units: Vec<String>,
    /// Configuration of packages: from a path in a system, such as `/etc/tool.toml`, to the file or
    /// directory of the project.
    pub config: BTreeMap<String, String>,
    /// Scripts of packages: files of the project.
    pub scripts: Scripts,
    /// Whether release notes name the authors of commits.
    pub authors: bool,
}

/// The scripts of packages, with the names that Debian has for them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scripts {
    pub preinst: Option<String>,
    pub postinst: Option<String>,
    pub prerm: Option<String>,
    pub postrm: Option<String>,
}

/// The table `[go]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Go {
    /// Version of the toolchain, such as `1.27.4`. Default: the newest of what go.mod asks for and
    /// what Slipway pins.
    pub version: Option<String>,
    /// Build tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A list of packages that is resolved together with its dependencies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Debian names of the architectures to resolve for, such as `amd64`.
    pub architectures: Vec<String>,
    /// Suites to search. The resolver takes the highest version among them.
    pub suites: Vec<String>,
    pub packages: Vec<String>,
    /// Package names that dependency resolution skips.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Maps a package to the one file to extract from its data archive.
    #[serde(default)]
    pub executables: BTreeMap<String, String>,
}

impl Config {
    /// Reads and validates the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::at(path))?;
        Self::parse(&text).map_err(|reason| Error::Config {
            path: path.into(),
            reason,
        })
    }

    /// Parses and validates the text. The error message is one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys: Keys = toml::from_str(text).map_err(|e| one_line(text, &e))?;
        let (codename, release) = match keys.release {
            Some(ReleaseKey::Codename(codename)) => (Some(codename), Release::default()),
            Some(ReleaseKey::Table(release)) => (None, *release),
            None => (None, Release::default()),
        };
        let Some(debian) = keys.debian.or(codename) else {
            return Err(
                "debian is missing; it is the codename of a release, such as: debian = \"trixie\""
                    .into(),
            );
        };
        let config = Self {
            debian,
            mirrors: keys.mirrors,
            security_mirrors: keys.security_mirrors,
            bases: keys.bases,
            sets: keys.set,
            go: keys.go,
            release,
        };
        for (name, set) in &config.sets {
            let complain = |what: String| Err(format!("set {name}: {what}"));
            if set.architectures.is_empty() || set.suites.is_empty() || set.packages.is_empty() {
                return complain(
                    "architectures, suites and packages must each name something".into(),
                );
            }
            if let Some(bad) = set
                .packages
                .iter()
                .chain(&set.ignore)
                .find(|name| !is_package_name(name))
            {
                return complain(format!("{bad:?} is not a package name"));
            }
            let word = |text: &&String| {
                text.is_empty() || text.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            };
            if let Some(bad) = set.architectures.iter().chain(&set.suites).find(word) {
                return complain(format!(
                    "{bad:?} is not the name of an architecture or a suite"
                ));
            }
            for (package, path) in &set.executables {
                if !set.packages.contains(package) {
                    return complain(format!(
                        "executables names {package}, which packages does not"
                    ));
                }
                if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                    return complain(format!(
                        "{path:?} is not a path within a package, such as usr/bin/sh"
                    ));
                }
            }
        }
        if let Some(glibc) = &config.release.glibc {
            let is_number =
                |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if !glibc.contains('.') || !glibc.split('.').all(is_number) {
                return Err(format!(
                    "release: {glibc:?} is not a version of glibc, such as 2.28"
                ));
            }
        }
        match &config.go.version {
            Some(version) if !is_go_version(version) => Err(format!(
                "go: {version:?} is not a version of Go, such as 1.27.4"
            )),
            _ => Ok(config),
        }
    }
}

/// Whether the text is a version of a Go toolchain, without the prefix `go`: `1.27.4`, `1.28rc1`.
pub fn is_go_version(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (numbers, suffix) = text.split_at(end);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let pre = suffix
        .strip_prefix("rc")
        .or_else(|| suffix.strip_prefix("beta"));
    numbers.contains('.')
        && numbers.split('.').all(is_number)
        && (suffix.is_empty() || pre.is_some_and(is_number))
}

/// Formats a TOML parse error as one line, `line 3: …`. The parser's own format shows a multi-line
/// excerpt.
pub fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => format!(
            "line {}: {message}",
            text[..span.start.min(text.len())].matches('\n').count() + 1
        ),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
debian = "trixie"

[set.bootstrap]
architectures = ["amd64"]
suites = ["trixie"]
packages = ["busybox-static"]
[set.bootstrap.executables]
busybox-static = "usr/bin/busybox"
"#;

    #[test]
    fn parses_a_valid_file() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(
            config.sets["bootstrap"].executables["busybox-static"],
            "usr/bin/busybox"
        );
    }

    #[test]
    fn reports_each_mistake_in_one_line() {
        for (from, to, expected) in [
            (
                "debian",
                "debain",
                "line 2: unknown field `debain`, expected one of `debian`, `release`",
            ),
            ("debian = \"trixie\"", "", "debian is missing"),
            ("debian = \"trixie\"", "release = 1", "line 2: invalid type"),
            ("suites = [\"trixie\"]", "", "missing field `suites`"),
            ("[\"amd64\"]", "\"amd64\"", "line 5: invalid type"),
            (
                "[\"amd64\"]",
                "[]",
                "set bootstrap: architectures, suites and packages must each name something",
            ),
            (
                "packages = [\"busybox-static\"]",
                "packages = [\"Busy Box\"]",
                "\"Busy Box\" is not a package name",
            ),
            (
                "[\"trixie\"]",
                "[\"../trixie\"]",
                "\"../trixie\" is not the name of an architecture or a suite",
            ),
            (
                "usr/bin/busybox",
                "../busybox",
                "is not a path within a package",
            ),
            (
                "busybox-static = ",
                "bash = ",
                "executables names bash, which packages does not",
            ),
            ("[set.bootstrap]", "[set.bootstrap", "line 4: "),
        ] {
            let message = Config::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(
                message.contains(expected) && !message.contains('\n'),
                "{message:?} does not say {expected:?}"
            );
        }
    }
    #[test]
    fn release_is_a_table_or_in_older_files_the_codename() {
        let old = Config::parse(&GOOD.replace("debian = ", "release = ")).unwrap();
        assert_eq!(old.debian, "trixie");
        let table = format!("{GOOD}\n[release]\nplatforms = [\"linux/arm64\"]\n");
        let new = Config::parse(&table).unwrap();
        assert_eq!(new.debian, "trixie");
        assert_eq!(new.release.platforms, ["linux/arm64"]);
        let wrong = Config::parse(&table.replace("platforms", "platform")).unwrap_err();
        assert!(wrong.contains("unknown field `platform`"), "{wrong}");
    }
}
