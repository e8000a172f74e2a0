//! Finds the package that contains a file, to suggest a dependency when a compiler, linker or
//! pkg-config reports that a file is missing.
//!
//! Source of the format: Debian Wiki, "DebianRepository/Format", "Contents indices".

use std::fmt;
use std::fs::File as OpenFile;
use std::io::{BufRead, BufReader};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;

use crate::error::Error;
use crate::fetch::Download;
use crate::index::Index;
use crate::package::Archive;
use crate::suites::Suites;

/// A file to search for, identified the way a build tool refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    pub kind: Kind,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `NAME.pc`
    PkgConfig,
    /// The library that the linker option `-lNAME` refers to.
    Library,
    /// A path as in `#include <PATH>`.
    Header,
    /// A program by the name that runs it.
    Program,
}

const PREFIXES: [(Kind, &str); 4] = [
    (Kind::PkgConfig, "pkg-config:"),
    (Kind::Library, "lib:"),
    (Kind::Header, "header:"),
    (Kind::Program, "program:"),
];

/// The text is not a valid file name in the form `KIND:NAME`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not pkg-config:NAME, lib:NAME, header:PATH or program:NAME")]
pub struct BadFile(String);

impl FromStr for File {
    type Err = BadFile;

    fn from_str(text: &str) -> Result<Self, BadFile> {
        let mut known = PREFIXES.iter();
        let parsed = known.find_map(|(kind, prefix)| Some((*kind, text.strip_prefix(prefix)?)));
        match parsed {
            Some((kind, name)) => Self::new(kind, name),
            None => Err(BadFile(text.to_owned())),
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = PREFIXES.iter().find(|(kind, _)| *kind == self.kind);
        write!(
            f,
            "{}{}",
            prefix.map_or("", |(_, prefix)| prefix),
            self.name
        )
    }
}

impl File {
    /// Creates a file after checking that the name is non-empty, has no whitespace and is not an
    /// absolute path.
    pub fn new(kind: Kind, name: &str) -> Result<Self, BadFile> {
        let file = Self {
            kind,
            name: name.to_owned(),
        };
        let is_word = !name.is_empty() && !name.contains(char::is_whitespace);
        match is_word && !name.starts_with('/') {
            true => Ok(file),
            false => Err(BadFile(file.to_string())),
        }
    }

    /// Ranks a path: 0 is the best match. Returns `None` if the path does not match this file.
    fn distance(&self, path: &str) -> Option<usize> {
        let name = &self.name;
        let is_multiarch = |part: &str| part.contains("-linux-");
        match self.kind {
            Kind::PkgConfig => {
                let directory = path.strip_suffix(&format!("/pkgconfig/{name}.pc"))?;
                let directory = directory.strip_prefix("usr/")?;
                let parts: Vec<&str> = directory.split('/').collect();
                let usual = match parts[..] {
                    ["lib" | "share"] => true,
                    ["lib", part] => is_multiarch(part),
                    _ => false,
                };
                usual.then_some(0)
            }
            Kind::Library => {
                let (directory, file) = path.strip_prefix("usr/lib/")?.rsplit_once('/')?;
                let end = file.strip_prefix("lib")?.strip_prefix(name.as_str())?;
                let kind = [".so", ".a"].iter().position(|known| *known == end)?;
                let (first, more) = directory.split_once('/').unwrap_or((directory, ""));
                // Providers of an alternative (update-alternatives) use a subdirectory.
                is_multiarch(first).then_some(2 * kind + usize::from(!more.is_empty()))
            }
            Kind::Header => {
                let directory = path.strip_suffix(name.as_str())?;
                let directory = directory.strip_prefix("usr/include/")?;
                match directory.strip_suffix('/') {
                    None => directory.is_empty().then_some(0),
                    Some(directory) if is_multiarch(directory) => Some(0),
                    Some(_) => Some(1),
                }
            }
            Kind::Program => {
                let (directory, file) = path.rsplit_once('/')?;
                let known = ["usr/bin", "usr/sbin"].contains(&directory);
                (known && file == name).then_some(0)
            }
        }
    }

    /// The usual names of a package that contains the file.
    fn usual_packages(&self) -> [String; 2] {
        if self.kind == Kind::Program {
            return [self.name.clone(), format!("{}-compiler", self.name)];
        }
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        let name = name.strip_suffix(".h").unwrap_or(name);
        let name = name.to_lowercase().replace('_', "-");
        [format!("lib{name}-dev"), format!("{name}-dev")]
    }
}

/// A package that contains the requested file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    distance: usize,
    is_not_for_development: bool,
    package: String,
}

impl Suites<'_> {
    /// Returns the package that contains each file, in the order of `files`, searching the given
    /// suites and architecture.
    pub fn packages_with(
        &self,
        files: &[File],
        suites: &[String],
        architecture: &str,
    ) -> Result<Vec<Result<String, Error>>, Error> {
        let mut found: Vec<Vec<Candidate>> = vec![Vec::new(); files.len()];
        let mut has_index = false;
        // Search the architecture's own index first; it usually has every file.
        for part in [architecture, "all"] {
            if has_index && found.iter().all(|candidates| !candidates.is_empty()) {
                break;
            }
            for suite in suites {
                let here = self.of_a_mirror(suite, |dists, release| {
                    let name = format!("Contents-{part}.gz");
                    let Some(download) = self.listed(dists, release, "main", &name) else {
                        return Ok(None);
                    };
                    self.fetch_indices(std::slice::from_ref(&download))?;
                    search(&download, files).map(Some)
                })?;
                for (candidates, more) in found.iter_mut().zip(here.iter().flatten()) {
                    candidates.extend(more.iter().cloned());
                }
                has_index |= here.is_some();
            }
        }
        if !has_index {
            return Err(Error::BadIndex {
                what: suites.join(", "),
                reason: "the mirror has no index of files (Contents); name the package itself"
                    .into(),
            });
        }
        let pick = |(file, candidates)| self.pick(file, candidates, suites, architecture);
        Ok(files.iter().zip(found).map(pick).collect())
    }

    /// Returns the best-ranked package that contains the file.
    fn pick(
        &self,
        file: &File,
        mut candidates: Vec<Candidate>,
        suites: &[String],
        architecture: &str,
    ) -> Result<String, Error> {
        candidates.sort();
        candidates.dedup();
        let best = candidates.first().cloned();
        let Some(best) = best else {
            return Err(Error::NoFile {
                file: file.to_string(),
                suites: suites.join(", "),
                architecture: architecture.to_owned(),
            });
        };
        let is_as_good = |other: &&Candidate| {
            (other.distance, other.is_not_for_development)
                == (best.distance, best.is_not_for_development)
        };
        let equal: Vec<String> = candidates
            .iter()
            .filter(is_as_good)
            .map(|candidate| candidate.package.clone())
            .collect();
        if equal.len() == 1 {
            return Ok(best.package);
        }
        let usual = file.usual_packages();
        if let Some(package) = usual.iter().find(|package| equal.contains(package)) {
            return Ok(package.clone());
        }
        // Several packages are interchangeable: prefer the package that depends on one of them.
        for suite in suites {
            for text in self.packages(suite, &[architecture])? {
                let mut index = Index::default();
                index.add(Archive::of_suite(suite), &text);
                for package in usual.iter().filter(|package| index.has(package)) {
                    let versions = index.versions_of(package)?;
                    let mut depends = versions.iter().flat_map(|it| &it.depends).flatten();
                    if depends.any(|relation| equal.contains(&relation.name)) {
                        return Ok(package.clone());
                    }
                }
            }
        }
        Err(Error::SeveralPackages {
            file: file.to_string(),
            packages: equal,
        })
    }
}

/// Searches one `Contents` index for each of the files.
fn search(index: &Download, files: &[File]) -> Result<Vec<Vec<Candidate>>, Error> {
    let path = &index.destination;
    let file = OpenFile::open(path).map_err(Error::at(path))?;
    let mut lines = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file));
    let mut found: Vec<Vec<Candidate>> = vec![Vec::new(); files.len()];
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines
            .read_until(b'\n', &mut line)
            .map_err(Error::at(path))?;
        if read == 0 {
            return Ok(found);
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            continue;
        };
        // The last column lists the packages; the path itself may contain spaces.
        let Some((file, packages)) = text.trim_end().rsplit_once(char::is_whitespace) else {
            continue;
        };
        for (wanted, candidates) in files.iter().zip(&mut found) {
            let Some(distance) = wanted.distance(file.trim_end()) else {
                continue;
            };
            candidates.extend(packages.split(',').map(|package| {
                let (section, name) = package.rsplit_once('/').unwrap_or(("", package));
                Candidate {
                    distance,
                    is_not_for_development: !section.ends_with("libdevel")
                        && !name.ends_with("-dev"),
                    package: name.to_owned(),
                }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(file: &str, path: &str) -> Option<usize> {
        file.parse::<File>().unwrap().distance(path)
    }

    #[test]
    fn parses_and_prints_file_names() {
        for text in ["pkg-config:fontconfig", "lib:openblas", "header:sys/acl.h"] {
            assert_eq!(text.parse::<File>().unwrap().to_string(), text);
        }
        for text in [
            "zlib1g-dev",
            "lib:",
            "header:/usr/include/zlib.h",
            "lib:a b",
            "so:z",
        ] {
            assert!(text.parse::<File>().is_err(), "{text}");
        }
    }

    #[test]
    fn matches_each_kind_only_in_its_directories() {
        let gnu = "usr/lib/aarch64-linux-gnu";
        for (file, path, expected) in [
            ("pkg-config:x", format!("{gnu}/pkgconfig/x.pc"), Some(0)),
            ("pkg-config:x", "usr/share/pkgconfig/x.pc".into(), Some(0)),
            ("pkg-config:x", "usr/share/doc/pkgconfig/x.pc".into(), None),
            ("pkg-config:x", format!("{gnu}/pkgconfig/libx.pc"), None),
            ("lib:x", format!("{gnu}/libx.so"), Some(0)),
            ("lib:x", format!("{gnu}/x-pthread/libx.so"), Some(1)),
            ("lib:x", format!("{gnu}/libx.a"), Some(2)),
            ("lib:x", format!("{gnu}/libx.so.1"), None),
            ("lib:x", "usr/lib/gcc/libx.so".into(), None),
            ("header:x.h", "usr/include/x.h".into(), Some(0)),
            (
                "header:x.h",
                "usr/include/aarch64-linux-gnu/x.h".into(),
                Some(0),
            ),
            ("header:x.h", "usr/include/x2/x.h".into(), Some(1)),
            ("header:x.h", "usr/include/libx.h".into(), None),
            ("header:x.h", "usr/share/x.h".into(), None),
            ("program:x", "usr/bin/x".into(), Some(0)),
            ("program:x", "usr/share/x/bin/x".into(), None),
        ] {
            assert_eq!(distance(file, &path), expected, "{file} {path}");
        }
    }
}
