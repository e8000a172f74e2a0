//! Index over the `Packages` files of the suites that a set is resolved from.
//!
//! A file has about 70 000 stanzas, and a resolution uses a few hundred. The index therefore stores
//! names only and parses a stanza on request.

use std::collections::HashMap;

use crate::deb822;
use crate::error::Error;
use crate::package::{Archive, Package};
use crate::relation::parse_field;

/// The packages of one architecture in several suites.
#[derive(Default)]
pub struct Index<'a> {
    by_name: HashMap<&'a str, Vec<(Archive, &'a str)>>,
    /// Maps a virtual package to the names of the packages that provide it.
    providers: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Index<'a> {
    /// Adds the stanzas of a `Packages` file.
    pub fn add(&mut self, archive: Archive, packages: &'a str) {
        for stanza in deb822::stanzas(packages) {
            let Some((_, name)) = deb822::fields(stanza).find(|(field, _)| *field == "Package")
            else {
                continue;
            };
            self.by_name
                .entry(name)
                .or_default()
                .push((archive, stanza));
            if stanza.contains("\nProvides:") {
                let provides = deb822::fields(stanza).find(|(field, _)| *field == "Provides");
                for group in provides.map_or("", |(_, value)| value).split(',') {
                    let virtual_name = group
                        .trim()
                        .split([' ', '(', ':'])
                        .next()
                        .unwrap_or_default();
                    let names = self.providers.entry(virtual_name).or_default();
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
        }
    }

    /// Returns all packages with this name, highest version first.
    pub fn versions_of(&self, name: &str) -> Result<Vec<Package>, Error> {
        let stanzas = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let mut packages = stanzas
            .iter()
            .map(|(archive, stanza)| parse_package(*archive, stanza))
            .collect::<Result<Vec<_>, _>>()?;
        packages.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(packages)
    }

    /// Reports whether a package with this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Returns the most similar package name, at an edit distance of at most two.
    pub fn nearest(&self, name: &str) -> Option<&'a str> {
        let distance = |other: &str| strsim::osa_distance(name, other);
        let near = self
            .by_name
            .keys()
            .filter(|other| other.len().abs_diff(name.len()) <= 2)
            .map(|other| (distance(other), *other))
            .filter(|(distance, _)| *distance <= 2);
        near.min().map(|(_, other)| other)
    }

    /// Returns the names of the packages that provide a virtual package, sorted.
    pub fn providers_of(&self, name: &str) -> Vec<&'a str> {
        let mut names = self.providers.get(name).cloned().unwrap_or_default();
        names.sort_unstable();
        names
    }
}

fn parse_package(archive: Archive, stanza: &str) -> Result<Package, Error> {
    let fields: HashMap<&str, &str> = deb822::fields(stanza).collect();
    let name = fields.get("Package").copied().unwrap_or_default();
    let bad = |reason: String| Error::BadIndex {
        what: format!("package {name} in the mirror's index"),
        reason,
    };
    let field = |key: &str| {
        fields
            .get(key)
            .copied()
            .ok_or_else(|| bad(format!("it has no field {key}")))
    };
    let relations = |key: &str| {
        let text = fields.get(key).copied().unwrap_or_default();
        parse_field(text).ok_or_else(|| bad(format!("malformed field {key}: {text}")))
    };
    let mut depends = relations("Pre-Depends")?;
    depends.extend(relations("Depends")?);
    // `Source` has a version in parentheses if it differs from the binary version.
    let source = fields
        .get("Source")
        .map_or(name, |text| text.split(' ').next().unwrap_or(text));
    Ok(Package {
        name: name.into(),
        version: field("Version")?.parse().map_err(|e| bad(format!("{e}")))?,
        architecture: field("Architecture")?.into(),
        source: source.into(),
        archive,
        path: field("Filename")?.parse().map_err(bad)?,
        size: field("Size")?
            .parse()
            .map_err(|e| bad(format!("Size: {e}")))?,
        sha256: field("SHA256")?.parse().map_err(|e| bad(format!("{e}")))?,
        depends,
        provides: relations("Provides")?.into_iter().flatten().collect(),
        conflicts: relations("Conflicts")?.into_iter().flatten().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn stanza(name: &str, version: &str, more: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}\
             Filename: pool/main/x/{name}_{version}_amd64.deb\nSize: 10\nSHA256: {HASH}\n\n"
        )
    }

    #[test]
    fn lists_versions_of_all_suites_highest_first() {
        let trixie = stanza("openssl", "3.5.1-1", "");
        let security = stanza("openssl", "3.5.1-1+deb13u1", "Source: openssl-src (3.5)\n");
        let mut index = Index::default();
        index.add(Archive::Debian, &trixie);
        index.add(Archive::DebianSecurity, &security);
        let found = index.versions_of("openssl").unwrap();
        assert_eq!(found[0].version.as_str(), "3.5.1-1+deb13u1");
        assert_eq!(
            (found[0].archive, found[0].source.as_str()),
            (Archive::DebianSecurity, "openssl-src")
        );
        assert_eq!(
            (found[1].archive, found[1].source.as_str()),
            (Archive::Debian, "openssl")
        );
        assert!(index.versions_of("nothing").unwrap().is_empty());
    }

    #[test]
    fn finds_providers_of_virtual_packages() {
        let text = stanza("mawk", "1", "Provides: awk\n")
            + &stanza("gawk", "1", "Provides: awk (= 5), other\n");
        let mut index = Index::default();
        index.add(Archive::Debian, &text);
        assert_eq!(index.providers_of("awk"), ["gawk", "mawk"]);
        assert_eq!(index.versions_of("gawk").unwrap()[0].provides.len(), 2);
    }

    #[test]
    fn reports_malformed_stanzas_with_the_package_name() {
        let text = stanza("bad", "1", "Depends: a (>= \n").replace("Size: 10", "Size: ten");
        let mut index = Index::default();
        index.add(Archive::Debian, &text);
        let message = index.versions_of("bad").unwrap_err().to_string();
        assert!(message.contains("package bad"), "{message}");
    }
}
