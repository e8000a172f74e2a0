//! Which crates need a C library of Debian's, by a table that the builds in `nix/` read too.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cargo::Crate;

const TABLE: &str = include_str!("native-libraries.toml");

#[derive(Deserialize)]
pub struct NativeLibraries {
    library: Vec<Library>,
}

/// A row: what one crate needs. The table says what its fields mean.
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

/// What a program needs to be linked with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Crates, each with the packages that it does not compile without.
    pub packages: Vec<(String, Vec<String>)>,
    /// Crates that compile a library of their own, each with the packages that they would take.
    pub own: Vec<(String, Vec<String>)>,
    /// Crates that link with something the table does not know.
    pub unknown: Vec<String>,
    /// What builds run, as `lib.targets` names it.
    pub tools: BTreeSet<String>,
}

impl NativeLibraries {
    pub fn read() -> Result<Self> {
        toml::from_str(TABLE).context("native-libraries.toml")
    }

    /// What these crates need, each once.
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
                None if one.links => needs.unknown.push(one.name.clone()),
                None => (),
            }
        }
        needs
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

    fn krate(name: &str, features: &[&str], links: bool) -> Crate {
        Crate {
            name: name.into(),
            features: features.iter().map(|name| (*name).into()).collect(),
            links,
        }
    }

    fn needs(one: Crate) -> Needs {
        NativeLibraries::read().unwrap().needs(&[one])
    }

    #[test]
    fn a_crate_that_links_with_a_library_needs_its_package() {
        let needs = needs(krate("openssl-sys", &["default"], true));
        assert_eq!(
            needs.packages,
            [("openssl-sys".into(), vec!["libssl-dev".into()])]
        );
    }

    #[test]
    fn a_crate_that_compiles_its_own_copy_needs_nothing() {
        let needs = needs(krate("libsqlite3-sys", &["bundled", "cc"], true));
        assert!(needs.packages.is_empty());
        assert_eq!(
            needs.own,
            [("libsqlite3-sys".into(), vec!["libsqlite3-dev".into()])]
        );
    }

    #[test]
    fn what_the_build_of_a_crate_runs_is_named() {
        let needs = needs(krate("clang-sys", &["runtime"], true));
        assert!(needs.tools.iter().eq(["bindgenHook"]));
    }

    #[test]
    fn a_crate_that_links_with_something_unknown_is_named() {
        assert_eq!(
            needs(krate("strange-sys", &[], true)).unknown,
            ["strange-sys"]
        );
        assert_eq!(needs(krate("serde", &[], false)), Needs::default());
    }

    #[test]
    fn the_table_names_each_crate_once_and_in_order() {
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
