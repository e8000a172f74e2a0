//! Tells the Debian packages of well-known pkg-config modules and libraries, without an index.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use slipway_debian::contents_index::{File, Kind};

const TABLE: &str = include_str!("known-files.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KnownFiles {
    pkg_config: BTreeMap<String, String>,
    lib: BTreeMap<String, String>,
}

impl KnownFiles {
    pub fn read() -> Result<Self> {
        toml::from_str(TABLE).context("known-files.toml")
    }

    /// The package that has a file, if the table has it.
    pub fn package(&self, file: &File) -> Option<&String> {
        match file.kind {
            Kind::PkgConfig => self.pkg_config.get(&file.name),
            Kind::Library => self.lib.get(&file.name),
            Kind::Header | Kind::Program => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_packages_by_the_kind_of_file() {
        let known = KnownFiles::read().unwrap();
        let package = |file: &str| known.package(&file.parse().unwrap());
        assert_eq!(package("pkg-config:gtk+-3.0").unwrap(), "libgtk-3-dev");
        assert_eq!(package("lib:pcap").unwrap(), "libpcap0.8-dev");
        assert_eq!(package("lib:no-such-library"), None);
        assert_eq!(package("header:pcap.h"), None);
    }
}
