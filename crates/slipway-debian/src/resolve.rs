//! Chooses the packages of a set: those wanted and what they depend on.
//!
//! This is no general solver. Within a stable release nearly every relation is met by the newest
//! version, so it takes the preferred version of each package (the old pin, else the newest) and
//! when two choices clash it strikes out one of them and begins again. Each round strikes out one
//! more, so it ends. `Breaks` does not count, and `Conflicts` leads to no other choice: packages are
//! unpacked into trees of their own, never installed over each other. But two that cannot be
//! installed together have files of the same names, and which ones a compiler would find is for a
//! person to decide.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use crate::error::Error;
use crate::index::Index;
use crate::package::Package;
use crate::relation::Relation;

/// What is to be resolved.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the set, for errors.
    pub set: &'a str,
    pub architecture: &'a str,
    pub packages: &'a [String],
    /// Names left out: a dependency that may be met by one of them counts as met.
    pub ignore: &'a [String],
}

/// A chosen package with the names of the chosen packages that it depends on, sorted.
#[derive(Debug)]
pub struct Resolved {
    pub package: Package,
    pub depends: Vec<String>,
}

/// Resolves one set for one architecture, sorted by name.
///
/// `pins` are packages of an old lock that can still be had. Each is kept unless what is wanted now
/// rules it out. One that the index no longer lists is known by the names of its dependencies only,
/// not by their versions; since packages of one source mostly ask for each other's exact version,
/// such a pin moves when its siblings do.
pub fn resolve(request: &Request, index: &Index, pins: &[Package]) -> Result<Vec<Resolved>, Error> {
    let mut solver = Solver {
        request,
        index,
        pins: pins.iter().map(|pin| (pin.name.as_str(), pin)).collect(),
        struck_out: HashSet::new(),
    };
    loop {
        match solver.attempt() {
            Ok(resolved) => return Ok(resolved),
            Err(Stop::Clash(package)) => {
                solver
                    .struck_out
                    .insert((package.name, package.version.to_string()));
            }
            Err(Stop::Error(e)) => return Err(e),
        }
    }
}

struct Solver<'a> {
    request: &'a Request<'a>,
    index: &'a Index<'a>,
    pins: BTreeMap<&'a str, &'a Package>,
    struck_out: HashSet<(String, String)>,
}

enum Stop {
    /// This choice does not go with the others.
    Clash(Box<Package>),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

type Chosen = BTreeMap<String, Package>;

impl Solver<'_> {
    fn attempt(&self) -> Result<Vec<Resolved>, Stop> {
        let mut chosen = Chosen::new();
        let mut depends: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut queue = VecDeque::new();
        for name in &self.request.packages.iter().collect::<BTreeSet<_>>() {
            let Some(package) = self.candidates(name)?.into_iter().next() else {
                return Err(Stop::Error(Error::NoPackage {
                    set: self.request.set.into(),
                    architecture: self.request.architecture.into(),
                    package: (*name).clone(),
                    elsewhere: String::new(),
                }));
            };
            queue.push_back(package.clone());
            chosen.insert((*name).clone(), package);
        }
        while let Some(package) = queue.pop_front() {
            let needed = depends.entry(package.name.clone()).or_default();
            for group in &package.depends {
                let Some(target) = self.satisfy(&package, group, &chosen)? else {
                    continue;
                };
                if target.name != package.name {
                    needed.insert(target.name.clone());
                }
                if !chosen.contains_key(&target.name) {
                    chosen.insert(target.name.clone(), target.clone());
                    queue.push_back(target);
                }
            }
        }
        self.check_siblings(&chosen)?;
        self.check_conflicts(&chosen)?;
        let resolved = chosen.into_iter().map(|(name, package)| {
            let depends = depends
                .remove(&name)
                .unwrap_or_default()
                .into_iter()
                .collect();
            Resolved { package, depends }
        });
        Ok(resolved.collect())
    }

    /// The package that meets a group of alternatives; `None` when one is ignored.
    fn satisfy(
        &self,
        dependent: &Package,
        group: &[Relation],
        chosen: &Chosen,
    ) -> Result<Option<Package>, Stop> {
        if let Some(package) = group.iter().find_map(|wanted| {
            chosen
                .get(&wanted.name)
                .filter(|package| wanted.accepts(&package.version))
                .or_else(|| {
                    chosen
                        .values()
                        .find(|package| self.provides(package, wanted))
                })
        }) {
            return Ok(Some(package.clone()));
        }
        let mut clash = None;
        for wanted in group {
            if self.is_ignored(&wanted.name) {
                return Ok(None);
            }
            let fitting = self
                .candidates(&wanted.name)?
                .into_iter()
                .find(|p| wanted.accepts(&p.version));
            match (fitting, chosen.get(&wanted.name)) {
                (Some(package), None) => return Ok(Some(package)),
                (Some(_), Some(in_the_way)) => clash = Some(in_the_way.clone()),
                (None, _) => {
                    if let Some(package) = self.provider(wanted, chosen)? {
                        return Ok(Some(package));
                    }
                }
            }
        }
        if let Some(in_the_way) = clash {
            return Err(Stop::Clash(Box::new(in_the_way)));
        }
        // Another version of the dependent may ask for something that can be had.
        let others = self.candidates(&dependent.name)?;
        if others
            .iter()
            .any(|other| other.version != dependent.version)
        {
            return Err(Stop::Clash(Box::new(dependent.clone())));
        }
        let names: Vec<String> = group.iter().map(ToString::to_string).collect();
        let reason = format!(
            "{dependent} depends on {}, which none of its suites has",
            names.join(" | ")
        );
        Err(self.unsatisfiable(reason).into())
    }

    /// Versions of a package in the order of preference: the pin, then from the highest down.
    fn candidates(&self, name: &str) -> Result<Vec<Package>, Error> {
        let mut packages = self.index.versions_of(name)?;
        if let Some(pin) = self.pins.get(name) {
            let pinned = match packages
                .iter()
                .position(|package| package.is_same_file(pin))
            {
                Some(at) => packages.remove(at),
                None => {
                    let provides = packages.first().map(|newest| newest.provides.clone());
                    Package {
                        provides: provides.unwrap_or_default(),
                        ..(*pin).clone()
                    }
                }
            };
            packages.insert(0, pinned);
        }
        packages.retain(|p| {
            !self
                .struck_out
                .contains(&(p.name.clone(), p.version.to_string()))
        });
        Ok(packages)
    }

    fn provider(&self, wanted: &Relation, chosen: &Chosen) -> Result<Option<Package>, Error> {
        let mut names = self.index.providers_of(&wanted.name);
        names.retain(|name| !self.is_ignored(name) && !chosen.contains_key(*name));
        names.sort_by_key(|name| !self.pins.contains_key(name));
        for name in names {
            let fitting = self
                .candidates(name)?
                .into_iter()
                .find(|package| self.provides(package, wanted));
            if fitting.is_some() {
                return Ok(fitting);
            }
        }
        Ok(None)
    }

    /// Policy 7.5: only a versioned Provides meets a versioned relation.
    fn provides(&self, package: &Package, wanted: &Relation) -> bool {
        package.provides.iter().any(|provided| {
            provided.name == wanted.name
                && match (&provided.version, &wanted.version) {
                    (_, None) => true,
                    (None, Some(_)) => false,
                    (Some((_, version)), Some(_)) => wanted.accepts(version),
                }
        })
    }

    fn check_siblings(&self, chosen: &Chosen) -> Result<(), Stop> {
        let listed = |package: &Package| -> Result<bool, Error> {
            Ok(self
                .index
                .versions_of(&package.name)?
                .iter()
                .any(|other| other.is_same_file(package)))
        };
        for pin in chosen.values() {
            let has_successor = !self.index.versions_of(&pin.name)?.is_empty();
            if listed(pin)? || !has_successor {
                continue;
            }
            for sibling in chosen.values().filter(|other| other.source == pin.source) {
                if sibling.version != pin.version && listed(sibling)? {
                    return Err(Stop::Clash(Box::new(pin.clone())));
                }
            }
        }
        Ok(())
    }

    fn check_conflicts(&self, chosen: &Chosen) -> Result<(), Error> {
        for package in chosen.values() {
            for conflict in &package.conflicts {
                let is_meant = |other: &&Package| {
                    other.name != package.name
                        && (other.name == conflict.name && conflict.accepts(&other.version)
                            || self.provides(other, conflict))
                };
                if let Some(other) = chosen.values().find(is_meant) {
                    let reason =
                        format!("{package} conflicts with {other}; keep only one of the two");
                    return Err(self.unsatisfiable(reason));
                }
            }
        }
        Ok(())
    }

    fn is_ignored(&self, name: &str) -> bool {
        self.request.ignore.iter().any(|ignored| ignored == name)
    }

    fn unsatisfiable(&self, reason: String) -> Error {
        Error::Unsatisfiable {
            set: self.request.set.into(),
            architecture: self.request.architecture.into(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Sha256;
    use crate::package::Archive;
    use crate::relation::parse_field;

    /// `name version [field: value; …]`, one package a line.
    fn packages(lines: &str) -> String {
        let mut text = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, more) = line.split_once('[').unwrap_or((line, "]"));
            let (name, version) = head.trim().split_once(' ').unwrap();
            let fields = more.trim_end_matches(']').replace("; ", "\n");
            let fields = if fields.is_empty() {
                fields
            } else {
                fields + "\n"
            };
            let hash = Sha256::of(head.trim().as_bytes());
            text += &format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}\
                 Filename: pool/main/x/{name}_{version}.deb\nSize: 1\nSHA256: {hash}\n\n"
            );
        }
        text
    }

    fn pin(name: &str, version: &str, depends: &str) -> Package {
        Package {
            name: name.into(),
            version: version.parse().unwrap(),
            architecture: "amd64".into(),
            source: name.trim_end_matches("-dev").into(),
            archive: Archive::Debian,
            path: format!("pool/main/x/{name}_{version}.deb").parse().unwrap(),
            size: 1,
            sha256: Sha256::of(format!("{name} {version}").as_bytes()),
            depends: parse_field(depends).unwrap(),
            provides: vec![],
            conflicts: vec![],
        }
    }

    fn try_resolve(
        wanted: &str,
        ignore: &str,
        lines: &str,
        pins: &[Package],
    ) -> Result<String, String> {
        let text = packages(lines);
        let mut index = Index::default();
        index.add(Archive::Debian, &text);
        let words = |text: &str| {
            text.split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>()
        };
        let (wanted, ignore) = (words(wanted), words(ignore));
        let request = Request {
            set: "test",
            architecture: "amd64",
            packages: &wanted,
            ignore: &ignore,
        };
        let resolved = resolve(&request, &index, pins).map_err(|e| e.to_string())?;
        let shown = resolved.iter().map(|r| {
            let depends = if r.depends.is_empty() {
                String::new()
            } else {
                format!(" → {}", r.depends.join(","))
            };
            format!("{} {}{depends}", r.package.name, r.package.version)
        });
        Ok(shown.collect::<Vec<_>>().join("; "))
    }

    fn resolved(wanted: &str, ignore: &str, lines: &str) -> String {
        try_resolve(wanted, ignore, lines, &[]).unwrap()
    }

    #[test]
    fn dependencies_are_followed_cycles_included() {
        let lines = "a 1 [Depends: b]\n b 1 [Pre-Depends: c]\n c 1 [Depends: b]\n d 1";
        assert_eq!(resolved("a", "", lines), "a 1 → b; b 1 → c; c 1 → b");
    }

    #[test]
    fn the_highest_version_of_all_suites_is_taken() {
        assert_eq!(resolved("a", "", "a 1.9\n a 1.10\n a 1.2"), "a 1.10");
    }

    #[test]
    fn the_first_alternative_that_exists_is_taken() {
        let lines = "a 1 [Depends: missing | b | c]\n b 1\n c 1";
        assert_eq!(resolved("a", "", lines), "a 1 → b; b 1");
    }

    #[test]
    fn an_alternative_that_is_in_the_set_already_wins() {
        let lines = "a 1 [Depends: b | c]\n b 1\n c 1";
        assert_eq!(resolved("a c", "", lines), "a 1 → c; c 1");
    }

    #[test]
    fn what_is_ignored_is_left_out_and_not_replaced_by_an_alternative() {
        let lines = "a 1 [Depends: b (>= 9), debconf | debconf-2.0]\n debconf 1\n cdebconf 1 [Provides: debconf-2.0]";
        assert_eq!(resolved("a", "b debconf", lines), "a 1");
    }

    #[test]
    fn virtual_packages_are_met_by_who_provides_them() {
        let lines = "a 1 [Depends: awk]\n mawk 1 [Provides: awk]\n gawk 1 [Provides: awk]";
        assert_eq!(resolved("a", "", lines), "a 1 → gawk; gawk 1");
        assert_eq!(resolved("a", "gawk", lines), "a 1 → mawk; mawk 1");
        assert_eq!(resolved("a mawk", "", lines), "a 1 → mawk; mawk 1");
    }

    #[test]
    fn a_versioned_relation_needs_a_versioned_provides() {
        let lines = "a 1 [Depends: v (>= 2)]\n x 1 [Provides: v]\n y 1 [Provides: v (= 1)]\n z 1 [Provides: v (= 3)]";
        assert_eq!(resolved("a", "", lines), "a 1 → z; z 1");
    }

    #[test]
    fn an_older_version_is_taken_when_a_relation_asks_for_it() {
        let lines = "a 1 [Depends: c]\n b 1 [Depends: c (<< 2)]\n c 1\n c 2";
        assert_eq!(resolved("a b", "", lines), "a 1 → c; b 1 → c; c 1");
    }

    #[test]
    fn a_relation_that_nothing_meets_is_an_error_that_says_whose_it_is() {
        let message = try_resolve("a", "", "a 1 [Depends: b (>= 2) | c]\n b 1", &[]).unwrap_err();
        assert_eq!(
            message,
            "set test (amd64): a 1 (amd64) depends on b (>= 2) | c, which none of its suites has"
        );
        let message = try_resolve("nothing", "", "a 1", &[]).unwrap_err();
        assert_eq!(
            message,
            "set test (amd64): package nothing is in none of its suites"
        );
    }

    #[test]
    fn a_pin_stays_though_there_is_a_newer_version() {
        let lines = "a 1 [Depends: b]\n a 2 [Depends: b]\n b 1\n b 2";
        let pins = [pin("a", "1", "b"), pin("b", "1", "")];
        assert_eq!(try_resolve("a", "", lines, &pins).unwrap(), "a 1 → b; b 1");
    }

    #[test]
    fn a_pin_that_the_index_no_longer_lists_stays_when_it_can_be_had() {
        let lines = "a 2 [Depends: b]\n b 2";
        assert_eq!(
            try_resolve("a", "", lines, &[pin("a", "1", "b")]).unwrap(),
            "a 1 → b; b 2"
        );
    }

    #[test]
    fn only_what_is_gone_moves() {
        let lines = "a 1 [Depends: b (>= 1)]\n b 2\n c 1\n c 2";
        let pins = [pin("a", "1", "b"), pin("c", "1", "")]; // the pin b 1 is gone
        assert_eq!(
            try_resolve("a c", "", lines, &pins).unwrap(),
            "a 1 → b; b 2; c 1"
        );
    }

    #[test]
    fn a_pin_moves_when_another_package_needs_it_to() {
        let lines = "a 2 [Depends: b (>= 2)]\n b 1\n b 2";
        assert_eq!(
            try_resolve("a", "", lines, &[pin("b", "1", "")]).unwrap(),
            "a 2 → b; b 2"
        );
    }

    #[test]
    fn a_pin_moves_when_it_asks_for_an_exact_version_that_is_gone() {
        let lines =
            "a-dev 1 [Depends: a (= 1); Source: a]\n a-dev 2 [Depends: a (= 2); Source: a]\n a 2";
        assert_eq!(
            try_resolve("a-dev", "", lines, &[pin("a-dev", "1", "a")]).unwrap(),
            "a 2; a-dev 2 → a"
        );
    }

    #[test]
    fn a_pin_outside_the_index_moves_with_its_siblings() {
        let lines = "a-dev 2 [Depends: a (= 2); Source: a]\n a 2";
        assert_eq!(
            try_resolve("a-dev", "", lines, &[pin("a-dev", "1", "a")]).unwrap(),
            "a 2; a-dev 2 → a"
        );
    }
}
