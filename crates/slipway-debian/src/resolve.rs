//! Dependency resolution: selects the requested packages of a set and their dependencies.
//!
//! This is not a general solver. Within a stable release nearly every relation is satisfied by the
//! newest version. The solver takes the preferred version of each package (the previous pin,
//! otherwise the newest). When two choices conflict, or one depends on something that is not
//! available, it excludes one and starts again. Each round excludes one more version, so it
//! terminates.
//!
//! `Breaks` is ignored, and `Conflicts` is an error instead of a reason to choose another version.
//! Packages are unpacked into separate trees and never overwrite each other, but two conflicting
//! packages contain files with the same names, and only the user can decide which ones a compiler
//! should find.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use crate::error::Error;
use crate::index::Index;
use crate::package::Package;
use crate::relation::Relation;

/// The set and architecture to resolve.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the set, for error messages.
    pub set: &'a str,
    pub architecture: &'a str,
    pub packages: &'a [String],
    /// Package names to skip: a dependency that one of them can satisfy counts as satisfied.
    pub ignore: &'a [String],
}

/// A selected package and the sorted names of the selected packages it depends on.
#[derive(Debug)]
pub struct Resolved {
    pub package: Package,
    pub depends: Vec<String>,
}

/// Resolves one set for one architecture. The result is sorted by name.
///
/// `pins` are packages of an old lock that are still available. Each pin is kept unless the new
/// requirements exclude it. A pin that the index no longer lists has dependency names without
/// versions. Packages of one source usually require each other's exact version, so such a pin is
/// updated together with the other packages of its source.
pub fn resolve(request: &Request, index: &Index, pins: &[Package]) -> Result<Vec<Resolved>, Error> {
    let mut solver = Solver {
        request,
        index,
        pins: pins.iter().map(|pin| (pin.name.as_str(), pin)).collect(),
        struck_out: HashSet::new(),
    };
    let mut unsatisfiable = None;
    loop {
        match solver.attempt() {
            Ok(resolved) => return Ok(resolved),
            Err(Stop::Clash(package)) => solver.strike_out(*package),
            Err(Stop::Unsatisfiable(package, error)) => {
                unsatisfiable.get_or_insert(error);
                solver.strike_out(*package);
            }
            Err(Stop::Error(error)) => {
                let excluded = matches!(error, Error::NoPackage { .. });
                return Err(unsatisfiable.filter(|_| excluded).unwrap_or(error));
            }
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
    /// This choice conflicts with the others; exclude it and start again.
    Clash(Box<Package>),
    /// This choice depends on something that is not available; exclude it and start again. If
    /// nothing can take its place, the error says why.
    Unsatisfiable(Box<Package>, Error),
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

    /// Returns the package that satisfies a group of alternatives, or `None` if one of them is
    /// ignored.
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
        // Another version of the dependent, or an alternative to it, may have satisfiable
        // dependencies.
        let names: Vec<String> = group.iter().map(ToString::to_string).collect();
        let reason = format!(
            "{dependent} depends on {}, which none of its suites has",
            names.join(" | ")
        );
        let error = self.unsatisfiable(reason);
        Err(Stop::Unsatisfiable(Box::new(dependent.clone()), error))
    }

    fn strike_out(&mut self, package: Package) {
        self.struck_out
            .insert((package.name, package.version.to_string()));
    }

    /// Returns the versions of a package in order of preference: the pin first, then the highest
    /// version.
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

    /// Reports whether a package provides `wanted`. Only a versioned `Provides` satisfies a
    /// versioned relation (Debian Policy 7.5).
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

    /// Builds a `Packages` file from lines of the form `name version [field: value; …]`.
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
    fn follows_dependencies_including_cycles() {
        let lines = "a 1 [Depends: b]\n b 1 [Pre-Depends: c]\n c 1 [Depends: b]\n d 1";
        assert_eq!(resolved("a", "", lines), "a 1 → b; b 1 → c; c 1 → b");
    }

    #[test]
    fn prefers_the_highest_version_of_all_suites() {
        assert_eq!(resolved("a", "", "a 1.9\n a 1.10\n a 1.2"), "a 1.10");
    }

    #[test]
    fn prefers_the_first_available_alternative() {
        let lines = "a 1 [Depends: missing | b | c]\n b 1\n c 1";
        assert_eq!(resolved("a", "", lines), "a 1 → b; b 1");
    }

    #[test]
    fn prefers_an_alternative_that_is_already_selected() {
        let lines = "a 1 [Depends: b | c]\n b 1\n c 1";
        assert_eq!(resolved("a c", "", lines), "a 1 → c; c 1");
    }

    #[test]
    fn does_not_replace_ignored_packages_by_alternatives() {
        let lines = "a 1 [Depends: b (>= 9), debconf | debconf-2.0]\n debconf 1\n cdebconf 1 [Provides: debconf-2.0]";
        assert_eq!(resolved("a", "b debconf", lines), "a 1");
    }

    #[test]
    fn satisfies_virtual_packages_with_providers() {
        let lines = "a 1 [Depends: awk]\n mawk 1 [Provides: awk]\n gawk 1 [Provides: awk]";
        assert_eq!(resolved("a", "", lines), "a 1 → gawk; gawk 1");
        assert_eq!(resolved("a", "gawk", lines), "a 1 → mawk; mawk 1");
        assert_eq!(resolved("a mawk", "", lines), "a 1 → mawk; mawk 1");
    }

    #[test]
    fn requires_versioned_provides_for_versioned_relations() {
        let lines = "a 1 [Depends: v (>= 2)]\n x 1 [Provides: v]\n y 1 [Provides: v (= 1)]\n z 1 [Provides: v (= 3)]";
        assert_eq!(resolved("a", "", lines), "a 1 → z; z 1");
    }

    #[test]
    fn selects_an_older_version_if_required() {
        let lines = "a 1 [Depends: c]\n b 1 [Depends: c (<< 2)]\n c 1\n c 2";
        assert_eq!(resolved("a b", "", lines), "a 1 → c; b 1 → c; c 1");
    }

    #[test]
    fn reports_unsatisfiable_relations_with_the_dependent() {
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
    fn keeps_a_pin_when_a_newer_version_exists() {
        let lines = "a 1 [Depends: b]\n a 2 [Depends: b]\n b 1\n b 2";
        let pins = [pin("a", "1", "b"), pin("b", "1", "")];
        assert_eq!(try_resolve("a", "", lines, &pins).unwrap(), "a 1 → b; b 1");
    }

    #[test]
    fn keeps_an_available_pin_that_the_index_no_longer_lists() {
        let lines = "a 2 [Depends: b]\n b 2";
        assert_eq!(
            try_resolve("a", "", lines, &[pin("a", "1", "b")]).unwrap(),
            "a 1 → b; b 2"
        );
    }

    #[test]
    fn updates_only_unavailable_pins() {
        let lines = "a 1 [Depends: b (>= 1)]\n b 2\n c 1\n c 2";
        let pins = [pin("a", "1", "b"), pin("c", "1", "")]; // the pin b 1 is gone
        assert_eq!(
            try_resolve("a c", "", lines, &pins).unwrap(),
            "a 1 → b; b 2; c 1"
        );
    }

    #[test]
    fn updates_a_pin_when_another_package_requires_it() {
        let lines = "a 2 [Depends: b (>= 2)]\n b 1\n b 2";
        assert_eq!(
            try_resolve("a", "", lines, &[pin("b", "1", "")]).unwrap(),
            "a 2 → b; b 2"
        );
    }

    #[test]
    fn updates_a_pin_that_depends_on_an_unavailable_exact_version() {
        let lines =
            "a-dev 1 [Depends: a (= 1); Source: a]\n a-dev 2 [Depends: a (= 2); Source: a]\n a 2";
        assert_eq!(
            try_resolve("a-dev", "", lines, &[pin("a-dev", "1", "a")]).unwrap(),
            "a 2; a-dev 2 → a"
        );
    }

    #[test]
    fn updates_an_unlisted_pin_with_packages_of_the_same_source() {
        let lines = "a-dev 2 [Depends: a (= 2); Source: a]\n a 2";
        assert_eq!(
            try_resolve("a-dev", "", lines, &[pin("a-dev", "1", "a")]).unwrap(),
            "a 2; a-dev 2 → a"
        );
    }

    #[test]
    fn takes_the_next_alternative_if_a_dependency_of_the_first_is_not_available() {
        let lines = "a 1 [Depends: b | d]\n b 1 [Depends: c]\n c 1 [Depends: missing]\n d 1";
        assert_eq!(resolved("a", "", lines), "a 1 → d; d 1");
        let lines = "a 1 [Depends: b]\n b 1 [Depends: c]\n c 1 [Depends: missing]";
        assert_eq!(
            try_resolve("a", "", lines, &[]).unwrap_err(),
            "set test (amd64): c 1 (amd64) depends on missing, which none of its suites has"
        );
    }

    /// Compares with `resolutions.txt`: archives, and what `apt-get install a` of Debian bookworm
    /// selects from them, generated by `make-resolutions`. The differences are on purpose:
    ///
    /// - apt only considers the newest version of each package.
    /// - A conflict is an error, and not a reason to choose another package.
    /// - apt follows a dependency to its end before it looks at the next one. Here a package's own
    ///   dependencies are all selected first, so alternatives may already be selected.
    #[test]
    fn selects_the_packages_that_apt_selects() {
        // The last difference: what apt selects, and what is selected here.
        const OTHER_CHOICES: [(&str, &str); 4] = [
            ("a 1; c 1; f 1", "a 1; c 1; e 1; f 1"),
            ("a 1; b 1; c 2; e 1; f 2", "a 1; b 1; c 2; d 2; e 1; f 2"),
            ("a 1; c 1; e 1", "a 1; c 1; f 2"),
            ("a 1; b 1; c 2; d 1; e 1", "a 1; b 1; c 2; e 1"),
        ];
        let table = include_str!("../tests/resolutions.txt");
        for case in table.trim_end().split("\n\n") {
            let (archive, apt) = case.rsplit_once("\nresult: ").unwrap();
            let selected = match try_resolve("a", "", archive, &[]) {
                Ok(selected) => selected,
                Err(error) => {
                    assert!(
                        apt == "none" || error.contains("conflicts"),
                        "{case}\n{error}"
                    );
                    continue;
                }
            };
            let names = selected.split("; ").map(|it| it.split(" →").next());
            let selected = names.flatten().collect::<Vec<_>>().join("; ");
            let is_newest = |package: &str| {
                let newer = format!("\n{} 2", &package[..1]);
                package.ends_with(" 2") || !archive.contains(&newer)
            };
            assert!(
                selected == apt
                    || !selected.split("; ").all(is_newest)
                    || OTHER_CHOICES.contains(&(apt, &selected)),
                "{case}\nhere: {selected}"
            );
        }
    }
}
