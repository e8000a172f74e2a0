//! Human-readable differences between two locks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::lock::{Lock, Locked};
use crate::package::Archive;

/// A package or a base image that was updated, added or removed. Displayed as `~ openssl 3.5.1 → 3.5.2`, `+ zlib1g
/// 1.3` or `- zlib1g 1.3`.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    /// Versions, or digests of a base image, that only the old lock has (`old`) or only the new lock has (`new`), sorted. There
    /// can be several if sets hold different versions.
    pub old: Vec<String>,
    pub new: Vec<String>,
    /// Whether a new version comes from the security archive.
    pub security: bool,
}

impl Change {
    /// Lists all differences, sorted by package name. The same update for several architectures is
    /// one change.
    pub fn between(old: Option<&Lock>, new_lock: &Lock) -> Vec<Self> {
        let before = old.map(versions).unwrap_or_default();
        let after = versions(new_lock);
        let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        let only = |here: Option<&BTreeSet<(&str, String)>>,
                    there: Option<&BTreeSet<(&str, String)>>| {
            let rest = here
                .into_iter()
                .flatten()
                .filter(|row| !there.is_some_and(|rows| rows.contains(*row)));
            let versions: BTreeSet<String> = rest.map(|(_, version)| version.clone()).collect();
            versions.into_iter().collect::<Vec<_>>()
        };
        names
            .into_iter()
            .map(|name| {
                let new = only(after.get(name), before.get(name));
                let fixes = |row: &Locked| {
                    row.name == name
                        && row.archive == Archive::DebianSecurity
                        && new.contains(&row.version.to_string())
                };
                Self {
                    name: name.into(),
                    old: only(before.get(name), after.get(name)),
                    security: new_lock.packages.iter().any(fixes),
                    new,
                }
            })
            .filter(|change| !change.old.is_empty() || !change.new.is_empty())
            .collect()
    }
}

/// Maps the name of each package to its (architecture, version) pairs, and the reference of each base
/// image to its (platform, digest) pairs.
fn versions(lock: &Lock) -> BTreeMap<&str, BTreeSet<(&str, String)>> {
    let mut versions: BTreeMap<&str, BTreeSet<(&str, String)>> = BTreeMap::new();
    for row in &lock.packages {
        versions
            .entry(&row.name)
            .or_default()
            .insert((&row.architecture, row.version.to_string()));
    }
    for row in &lock.bases {
        versions
            .entry(&row.reference)
            .or_default()
            .insert((&row.platform, row.digest.clone()));
    }
    versions
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old.join(", "), self.new.join(", "));
        match (old.is_empty(), new.is_empty()) {
            (true, _) => write!(f, "+ {} {new}", self.name),
            (_, true) => write!(f, "- {} {old}", self.name),
            _ => write!(f, "~ {} {old} → {new}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(rows: &[(&str, &str, &str)]) -> Lock {
        let mut text = String::from("version = 1\nrelease = \"trixie\"\n");
        for (name, version, architecture) in rows {
            let hash = crate::hash::Sha256::of(format!("{name}{version}{architecture}").as_bytes());
            text += &format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\narchitecture = \"{architecture}\"\n\
                 for = []\nsets = []\nsource = \"{name}\"\narchive = \"debian\"\npath = \"pool/x.deb\"\nsize = 1\n\
                 sha256 = \"{hash}\"\ndepends = []\n"
            );
        }
        Lock::parse(&text).unwrap()
    }

    #[test]
    fn lists_each_changed_package_once() {
        let old = lock(&[
            ("a", "1", "amd64"),
            ("a", "1", "arm64"),
            ("b", "1", "all"),
            ("same", "1", "all"),
        ]);
        let new = lock(&[
            ("a", "2", "amd64"),
            ("a", "2", "arm64"),
            ("c", "1", "all"),
            ("same", "1", "all"),
        ]);
        let shown: Vec<String> = Change::between(Some(&old), &new)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["~ a 1 → 2", "- b 1", "+ c 1"]);
        assert!(Change::between(Some(&new), &new).is_empty());
    }
}
