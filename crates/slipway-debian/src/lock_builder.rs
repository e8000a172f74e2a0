//! Builds a lock from the configuration, the previous lock and the current indices of the mirrors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::config::{Config, Set};
use crate::deb;
use crate::error::Error;
use crate::fetch::Download;
use crate::hash::Sha256;
use crate::index::Index;
use crate::lock::{Lock, Locked};
use crate::nar;
use crate::package::{Archive, Package};
use crate::resolve::{Request, Resolved, resolve};
use crate::suites::Suites;

/// The inputs of a new lock.
pub struct LockBuilder<'a> {
    pub config: &'a Config,
    /// The previous lock. Its pins are kept where possible.
    pub old: Option<&'a Lock>,
    /// Hashes of pinned files that no mirror has any more.
    pub gone: &'a BTreeSet<Sha256>,
    pub suites: &'a Suites<'a>,
    /// Cache directory for packages that are downloaded to hash one of their files.
    pub cache: PathBuf,
}

/// One set and one architecture to resolve.
struct Part<'a> {
    name: &'a str,
    set: &'a Set,
    architecture: &'a str,
}

impl LockBuilder<'_> {
    /// Resolves every set for each of its architectures and returns the new lock.
    pub fn run(&self) -> Result<Lock, Error> {
        let parts: Vec<Part> = self
            .config
            .sets
            .iter()
            .flat_map(|(name, set)| {
                set.architectures.iter().map(move |architecture| Part {
                    name,
                    set,
                    architecture,
                })
            })
            .collect();
        let texts = self.fetch_indices(&parts)?;
        let mut indices: BTreeMap<(&[String], &str), Index> = BTreeMap::new();
        for part in &parts {
            indices
                .entry((&part.set.suites, part.architecture))
                .or_insert_with(|| {
                    let mut index = Index::default();
                    for suite in &part.set.suites {
                        if let Some(text) = texts.get(&(suite.as_str(), part.architecture)) {
                            index.add(Archive::of_suite(suite), text);
                        }
                    }
                    index
                });
        }
        let mut availability = HashMap::new();
        let mut rows = Vec::new();
        for part in &parts {
            let index = &indices[&(part.set.suites.as_slice(), part.architecture)];
            let pins = self.pins(part, index, &mut availability)?;
            let request = Request {
                set: part.name,
                architecture: part.architecture,
                packages: &part.set.packages,
                ignore: &part.set.ignore,
            };
            let resolved = resolve(&request, index, &pins);
            for resolved in resolved.map_err(|e| self.explain(e, part, index))? {
                rows.push(self.row(part, resolved)?);
            }
        }
        let mut lock = Lock::new(&self.config.debian, rows);
        if let Some(old) = self.old {
            lock.repositories.clone_from(&old.repositories);
            lock.bases.clone_from(&old.bases);
            lock.go.clone_from(&old.go);
        }
        Ok(lock)
    }

    /// Downloads the `Packages` file of each suite and architecture once, keyed by both.
    fn fetch_indices<'p>(
        &self,
        parts: &[Part<'p>],
    ) -> Result<HashMap<(&'p str, &'p str), String>, Error> {
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for part in parts {
            for suite in &part.set.suites {
                wanted.entry(suite).or_default().insert(part.architecture);
            }
        }
        let mut texts = HashMap::new();
        for (suite, architectures) in wanted {
            let architectures: Vec<&str> = architectures.into_iter().collect();
            let fetched = self.suites.packages(suite, &architectures)?;
            texts.extend(
                architectures
                    .into_iter()
                    .map(|architecture| (suite, architecture))
                    .zip(fetched),
            );
        }
        Ok(texts)
    }

    /// Adds a hint to a missing-package error: the package that may be meant, or the architectures
    /// that have the package. This may read further indices; failures to read them are not reported
    /// as errors.
    fn explain(&self, e: Error, part: &Part, index: &Index) -> Error {
        let Error::NoPackage {
            set,
            architecture,
            package,
            ..
        } = e
        else {
            return e;
        };
        let with_suffix = [format!("{package}-dev"), format!("lib{package}-dev")];
        let mut meant = with_suffix.iter().filter(|name| index.has(name));
        let elsewhere = match meant.next() {
            Some(meant) => format!("; {meant} is"),
            None => self.elsewhere(&package, &part.set.suites, index),
        };
        Error::NoPackage {
            set,
            architecture,
            package,
            elsewhere,
        }
    }

    /// Returns a hint on a package that the index lacks. Checks the architectures of the
    /// configuration first, then similar names, then all other architectures.
    fn elsewhere(&self, package: &str, suites: &[String], index: &Index) -> String {
        let sets = self.config.sets.values();
        let wanted: BTreeSet<&String> = sets.flat_map(|set| &set.architectures).collect();
        let is_there_for = |found: Vec<String>| format!("; it is there for {}", found.join(", "));
        let (found, _) = self.architectures_of(package, suites, |name| wanted.contains(name));
        if !found.is_empty() {
            return is_there_for(found);
        }
        if let Some(nearest) = index.nearest(package) {
            return format!("; {nearest} is");
        }
        let looking = format!("looking for {package} among the packages of other architectures");
        self.suites.progress.note(&looking);
        match self.architectures_of(package, suites, |name| !wanted.contains(name)) {
            (found, _) if !found.is_empty() => is_there_for(found),
            (_, true) => {
                ", nor for another architecture; is it the name of a binary package of Debian?"
                    .into()
            }
            (_, false) => "; is it the name of a binary package of Debian? Not all architectures \
                           could be looked into"
                .into(),
        }
    }

    /// Returns the architectures accepted by `of_these` that have the package, and whether every
    /// index could be read.
    fn architectures_of(
        &self,
        package: &str,
        suites: &[String],
        of_these: impl Fn(&String) -> bool,
    ) -> (Vec<String>, bool) {
        let has = |suite: &str, text: &String| {
            let mut index = Index::default();
            index.add(Archive::of_suite(suite), text);
            index.has(package)
        };
        let mut found = BTreeSet::new();
        let mut all = true;
        for suite in suites {
            let Ok(architectures) = self.suites.architectures(suite) else {
                all = false;
                continue;
            };
            for architecture in architectures.into_iter().filter(&of_these) {
                match self.suites.packages(suite, &[&architecture]) {
                    Ok(texts) if texts.iter().any(|text| has(suite, text)) => {
                        found.insert(architecture);
                    }
                    Ok(_) => {}
                    Err(_) => all = false,
                }
            }
        }
        (found.into_iter().collect(), all)
    }

    /// Returns the previous pins that are still available: listed in the index or present on a
    /// mirror. For packages that this part has not pinned yet, it takes the pins of other sets with
    /// the same suites, so that the sets share files.
    fn pins(
        &self,
        part: &Part,
        index: &Index,
        availability: &mut HashMap<Sha256, bool>,
    ) -> Result<Vec<Package>, Error> {
        let neighbours = self
            .config
            .sets
            .iter()
            .filter(|(name, set)| *name != part.name && set.suites == part.set.suites)
            .map(|(name, _)| name.as_str());
        let old = std::iter::once(part.name)
            .chain(neighbours)
            .flat_map(|set| {
                self.old
                    .into_iter()
                    .flat_map(move |lock| lock.pins(set, part.architecture))
            });
        let mut pins: Vec<Package> = Vec::new();
        for pin in old {
            if pins.iter().any(|package| package.name == pin.name) {
                continue;
            }
            let package = pin.to_package();
            let listed = index
                .versions_of(&pin.name)?
                .iter()
                .any(|other| other.is_same_file(&package));
            let available = match availability.get(&pin.sha256) {
                _ if self.gone.contains(&pin.sha256) => false,
                _ if listed => true,
                Some(known) => *known,
                None => {
                    let urls = self.suites.mirrors.urls(pin.archive, pin.path.as_str());
                    let exists = self.suites.fetcher.exists(&urls)?;
                    availability.insert(pin.sha256, exists);
                    exists
                }
            };
            if available {
                pins.push(package);
            }
        }
        Ok(pins)
    }

    fn row(&self, part: &Part, resolved: Resolved) -> Result<Locked, Error> {
        let Resolved { package, depends } = resolved;
        let executable = part.set.executables.get(&package.name);
        let executable_sha256 = match executable {
            Some(path) => Some(self.hash_executable(&package, path)?),
            None => None,
        };
        Ok(Locked {
            name: package.name,
            version: package.version,
            architecture: package.architecture,
            serves: vec![part.architecture.into()],
            sets: vec![part.name.into()],
            source: package.source,
            archive: package.archive,
            path: package.path,
            size: package.size,
            sha256: package.sha256,
            depends,
            executable: executable.cloned(),
            executable_sha256,
        })
    }

    fn hash_executable(&self, package: &Package, path: &str) -> Result<Sha256, Error> {
        let same =
            |row: &&Locked| row.sha256 == package.sha256 && row.executable.as_deref() == Some(path);
        let known = self
            .old
            .and_then(|lock| lock.packages.iter().find(same))
            .and_then(|row| row.executable_sha256);
        if let Some(known) = known {
            return Ok(known);
        }
        let download = download(package, self.suites, &self.cache);
        self.suites
            .fetcher
            .fetch_all(std::slice::from_ref(&download), self.suites.progress)?;
        Ok(nar::hash_of_executable(&deb::extract(
            &download.destination,
            path,
        )?))
    }
}

fn download(package: &Package, suites: &Suites, cache: &Path) -> Download {
    Download {
        label: package.to_string(),
        urls: suites.mirrors.urls(package.archive, package.path.as_str()),
        size: package.size,
        sha256: package.sha256,
        destination: cache
            .join(package.sha256.to_string())
            .join(package.path.file_name()),
    }
}
