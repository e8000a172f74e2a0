//! Tells which crates need a native library from Debian. The table, native-libraries.toml, is also
//! read by the builds in `nix/`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;
use slipway_debian::contents_index::{File, Kind};

use crate::project::cargo::Crate;

const TABLE: &str = include_str!("native-libraries.toml");

#[derive(Deserialize)]
pub struct NativeLibraries {
    library: Vec<Library>,
}

/// A row of the table: the needs of one crate. The table documents its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    #[serde(rename = "crate")]
    name: String,
    packages: Vec<String>,
    #[serde(default)]
    own: Vec<String>,
    #[serde(default)]
    optional: Vec<String>,
    #[serde(default)]
    tools: BTreeSet<String>,
}

/// Native dependencies of a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Crates, each with the packages that it needs to compile.
    pub packages: Vec<(String, Vec<String>)>,
    /// Crates that compile a bundled library, each with the packages that they would use instead.
    pub own: Vec<(String, Vec<String>)>,
    /// Crates that are not in the table, each with the pkg-config modules that it looks for.
    pub modules: Vec<(String, Vec<File>)>,
    /// Crates that are not in the table, each with the library that it may link with.
    pub unknown: Vec<(String, File)>,
    /// Programs that build scripts run, as named in `lib.targets`.
    pub tools: BTreeSet<String>,
}

impl NativeLibraries {
    pub fn read() -> Result<Self> {
        toml::from_str(TABLE).context("native-libraries.toml")
    }

    /// The needs of these crates. Each crate is listed once.
    pub fn needs(&self, crates: &[Crate]) -> Needs {
        let mut needs = Needs::default();
        let mut seen = BTreeSet::new();
        for one in crates.iter().filter(|one| seen.insert(&one.name)) {
            let row = self.library.iter().find(|row| row.name == one.name);
            needs
                .tools
                .extend(row.iter().flat_map(|row| row.tools.clone()));
            match row {
                Some(row) if row.packages.is_empty() || row.has_own(one) => {
                    let choice = [&row.packages[..], &row.optional].concat();
                    if !choice.is_empty() {
                        needs.own.push((one.name.clone(), choice));
                    }
                }
                Some(row) => needs
                    .packages
                    .push((one.name.clone(), row.packages.clone())),
                None if !one.modules.is_empty() => {
                    let file = |name: &String| file(Kind::PkgConfig, name);
                    let modules = one.modules.iter().map(file).collect();
                    needs.modules.push((one.name.clone(), modules));
                }
                None => {
                    let library = one.links.iter().map(|name| file(Kind::Library, name));
                    needs
                        .unknown
                        .extend(library.map(|file| (one.name.clone(), file)));
                }
            }
        }
        needs
    }
}

fn file(kind: Kind, name: &str) -> File {
    File {
        kind,
        name: name.to_owned(),
    }
}

impl Library {
    fn has_own(&self, one: &Crate) -> bool {
        one.features
            .iter()
            .any(|feature| self.own.contains(feature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, features: &[&str], links: Option<&str>) -> Crate {
        Crate {
            name: name.into(),
            features: features.iter().map(|name| (*name).into()).collect(),
            links: links.map(String::from),
            modules: Vec::new(),
        }
    }

    fn needs(one: Crate) -> Needs {
        NativeLibraries::read().unwrap().needs(&[one])
    }

    #[test]
    fn crate_that_links_with_a_library_needs_its_package() {
        let needs = needs(krate("openssl-sys", &["default"], Some("openssl")));
        assert_eq!(
            needs.packages,
            [("openssl-sys".into(), vec!["libssl-dev".into()])]
        );
    }

    #[test]
    fn crate_with_a_bundled_copy_needs_nothing() {
        let needs = needs(krate("libsqlite3-sys", &["bundled", "cc"], Some("sqlite3")));
        assert!(needs.packages.is_empty());
        assert_eq!(
            needs.own,
            [("libsqlite3-sys".into(), vec!["libsqlite3-dev".into()])]
        );
    }

    #[test]
    fn lists_the_programs_that_a_build_script_runs() {
        let needs = needs(krate("clang-sys", &["runtime"], Some("clang")));
        assert!(needs.tools.iter().eq(["bindgenHook"]));
    }

    #[test]
    fn looks_up_the_system_deps_modules_of_an_unknown_crate() {
        let modules = |name: &str| {
            let mut one = krate(name, &[], Some("x"));
            one.modules = vec!["x11".into()];
            needs(one).modules
        };
        let file = "pkg-config:x11".parse().unwrap();
        assert_eq!(modules("strange-sys"), [("strange-sys".into(), vec![file])]);
        assert!(modules("openssl-sys").is_empty());
    }

    #[test]
    fn names_an_unknown_crate_that_links_with_a_library() {
        let library = "lib:odd".parse().unwrap();
        assert_eq!(
            needs(krate("strange-sys", &[], Some("odd"))).unknown,
            [("strange-sys".into(), library)]
        );
        assert_eq!(needs(krate("serde", &[], None)), Needs::default());
    }

    #[test]
    fn table_is_sorted_and_names_each_crate_once() {
        let table = NativeLibraries::read().unwrap();
        let (need, bring): (Vec<&Library>, Vec<&Library>) = table
            .library
            .iter()
            .partition(|row| !row.packages.is_empty());
        for rows in [&need, &bring] {
            assert!(rows.is_sorted_by(|a, b| a.name < b.name));
        }
        assert!(
            need.iter()
                .all(|row| bring.iter().all(|other| other.name != row.name))
        );
    }
}
