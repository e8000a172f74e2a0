//! Checks that every symbol and symbol version can be resolved.
//!
//! A program fails with `symbol lookup error` or ``version `…' not found`` if a library is older
//! than the one it was linked with. So each symbol and version is looked up where the loader would
//! look.
//!
//! Source: glibc, elf/dl-lookup.c, `do_lookup_x`, and elf/dl-version.c, `_dl_check_map_versions`.
//! musl ignores versions: its ldso/dynlink.c, `find_sym`, looks up names only.

use std::collections::{BTreeMap, BTreeSet};

use crate::elf::Elf;
use crate::elf::symbols::{Key, Symbols, Wanted, of_any_version, of_version, unversioned};
use crate::finding::{Fault, Findings};
use crate::load_scope::{Object, Scope};
use crate::printable::printable;
use crate::tree::Id;

/// glibc's library for debuggers, which is in most images. The debugger that opens it defines the
/// symbols it needs.
const FOR_DEBUGGERS: &[u8] = b"libthread_db.so.1";

/// Index of which files define which symbols, sorted by symbol.
pub struct Definitions(Vec<(Key, Id)>);

impl Definitions {
    pub fn of<'a>(files: impl Iterator<Item = (Id, &'a Elf)>) -> Definitions {
        let symbols = files.filter_map(|(id, elf)| Some((id, elf.symbols.as_ref()?)));
        let mut all: Vec<(Key, Id)> = symbols
            .flat_map(|(id, symbols)| symbols.defined.iter().map(move |key| (*key, id)))
            .collect();
        all.sort_unstable();
        all.dedup();
        Definitions(all)
    }

    fn definers(&self, key: Key) -> impl Iterator<Item = Id> {
        let start = self.0.partition_point(|(other, _)| *other < key);
        let same = self.0[start..].iter();
        same.take_while(move |(other, _)| *other == key)
            .map(|(_, id)| *id)
    }

    /// The first file accepted by `serves` that defines the symbol.
    fn find(
        &self,
        wanted: &Wanted,
        symbols: &Symbols,
        musl: bool,
        serves: impl Fn(Id) -> bool,
    ) -> Option<Id> {
        let version = wanted.version.filter(|_| !musl);
        let version = version.and_then(|place| symbols.needed_versions.get(usize::from(place)));
        let name = &wanted.name;
        let keys = match version {
            Some(needed) => [of_version(name, &needed.version), of_any_version(name)],
            None => [unversioned(name); 2],
        };
        let mut definers = keys.into_iter().flat_map(|key| self.definers(key));
        definers.find(|id| serves(*id))
    }
}

/// Resolves the symbols of files, scope by scope.
pub struct Lookup<'a> {
    definitions: &'a Definitions,
    /// For each file, the files that resolved its symbols in an earlier scope.
    served_by: BTreeMap<Id, BTreeSet<Id>>,
    /// The faults of each file, with its path.
    faults: BTreeMap<Id, (String, BTreeSet<Fault>)>,
}

impl<'a> Lookup<'a> {
    pub fn new(definitions: &'a Definitions) -> Self {
        Lookup {
            definitions,
            served_by: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Checks all files that a program loads.
    pub fn check_program(&mut self, scope: &Scope) {
        let Some(program) = scope.objects.first() else {
            return;
        };
        // Without a loader, nothing is resolved at run time.
        if program.elf.interpreter.is_none() {
            return;
        }
        let loader = scope.names.values().flatten().map(|(id, _)| *id);
        let ids: BTreeSet<Id> = scope.objects.iter().map(|it| it.id).chain(loader).collect();
        let unknown = scope.objects.iter().any(|it| it.elf.symbols.is_none());
        for object in &scope.objects {
            self.check_versions(object, scope, true);
            let served = self.served_by.get(&object.id);
            if !unknown && !served.is_some_and(|by| by.is_subset(&ids)) {
                let program = Some(printable(&program.path));
                self.check_symbols(object, scope.musl, program, |id| ids.contains(&id));
            }
        }
    }

    /// Checks a library that no program needs. A program may have opened other libraries before it,
    /// so its symbols may come from any file of the image.
    pub fn check_library(&mut self, scope: &Scope) {
        if let Some(library) = scope.objects.first() {
            self.check_versions(library, scope, false);
            if library.elf.soname.as_deref() != Some(FOR_DEBUGGERS) {
                self.check_symbols(library, scope.musl, None, |_| true);
            }
        }
    }

    pub fn report(self, findings: &mut Findings) {
        for (subject, faults) in self.faults.into_values() {
            for fault in faults {
                findings.add(subject.clone(), fault);
            }
        }
    }

    fn check_versions(&mut self, object: &Object, scope: &Scope, at_start: bool) {
        let Some(symbols) = object.elf.symbols.as_ref().filter(|_| !scope.musl) else {
            return;
        };
        for needed in &symbols.needed_versions {
            let library = scope.names.get(&needed.file).copied().flatten();
            let Some(own) = library.and_then(|(_, elf)| elf.symbols.as_ref()) else {
                continue;
            };
            // The loader accepts a library that defines no versions at all.
            if !own.versions.is_empty() && !own.versions.contains(&needed.version) {
                let fault = Fault::NoVersion {
                    version: printable(&needed.version),
                    library: printable(&needed.file),
                    at_start,
                };
                self.faults_of(object).insert(fault);
            }
        }
    }

    fn check_symbols(
        &mut self,
        object: &Object,
        musl: bool,
        program: Option<String>,
        serves: impl Fn(Id) -> bool,
    ) {
        // A missing version makes missing symbols redundant.
        let Some(symbols) = object.elf.symbols.as_ref() else {
            return;
        };
        if self.faults.contains_key(&object.id) {
            return;
        }
        let mut definers = BTreeSet::new();
        let mut missing = Vec::new();
        for wanted in &symbols.wanted {
            match self.definitions.find(wanted, symbols, musl, &serves) {
                Some(id) => {
                    definers.insert(id);
                }
                None => missing.push(wanted),
            }
        }
        match missing.first() {
            None => {
                self.served_by.insert(object.id, definers);
            }
            Some(first) => {
                let fault = Fault::NoSymbol {
                    symbol: printable(&first.name),
                    more: missing.len() - 1,
                    program,
                };
                self.faults_of(object).insert(fault);
            }
        }
    }

    fn faults_of(&mut self, object: &Object) -> &mut BTreeSet<Fault> {
        let new = || (printable(&object.path), BTreeSet::new());
        &mut self.faults.entry(object.id).or_insert_with(new).1
    }
}
