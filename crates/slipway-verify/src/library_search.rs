//! Checks that the loader and all shared libraries of each program are present, with the search
//! order of the loader.
//!
//! Source: ld.so(8), "Rpath token expansion" and the search order; for musl its ldso/dynlink.c,
//! which treats RPATH and RUNPATH alike and contains the libraries of the C standard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::Machine;
use crate::elf::{self, Elf};
use crate::finding::{Fault, Findings};
use crate::image_contents::Contents;
use crate::load_scope::{Object, Scope};
use crate::printable::printable;
use crate::symbol_lookup::{Definitions, Lookup};
use crate::tree::{Id, Kind, Tree, join};

/// Deepest nesting of includes in ld.so.conf.
const INCLUDE_LIMIT: usize = 8;

/// Numbers of programs and libraries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub programs: usize,
    pub libraries: usize,
}

/// Checks that every ELF file is for `machine` and can be loaded.
///
/// The libraries of a program must be found with the search order of its loader. A library that no
/// program needs is opened at run time by a program that knows its path and may have loaded other
/// libraries first; so its dependencies only need to exist somewhere in the image.
pub fn check(
    contents: &Contents,
    machine: Option<Machine>,
    library_path: &[Vec<u8>],
    findings: &mut Findings,
) -> Counts {
    let tree = &contents.tree;
    let Some(machine) = machine.or_else(|| usual_machine(tree)) else {
        return Counts::default();
    };
    let mut programs = Vec::new();
    let mut libraries = Vec::new();
    let mut names = BTreeSet::new();
    tree.for_each(|path, id, node| {
        let elf = match &node.kind {
            Kind::Elf(elf) => elf,
            Kind::BrokenElf(reason) => {
                return findings.add(printable(path), Fault::BrokenElf(reason));
            }
            _ => return,
        };
        if elf.machine != machine {
            let (found, expected) = (elf.machine, machine);
            return findings.add(printable(path), Fault::OtherMachine { found, expected });
        }
        let page = machine.page_size();
        if elf.kind != elf::Kind::Other && elf.alignment < page {
            let alignment = elf.alignment;
            findings.add(printable(path), Fault::SmallAlignment { alignment, page });
        }
        if elf.executable_stack && elf.kind != elf::Kind::Other {
            findings.add(printable(path), Fault::ExecutableStack);
        }
        if elf.text_relocations {
            findings.add(printable(path), Fault::TextRelocations);
        }
        if let (elf::Kind::Program, Some(reason)) = (elf.kind, elf.obstacle) {
            findings.add(printable(path), Fault::CannotStart(reason));
        }
        let object = Object {
            path: path.to_vec(),
            id,
            elf,
            parent: None,
        };
        match elf.kind {
            elf::Kind::Program => programs.push(object),
            elf::Kind::Library => {
                names.extend(elf.soname.clone());
                names.extend(path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec));
                libraries.push(object);
            }
            elf::Kind::Other => {}
        }
    });
    let counts = Counts {
        programs: programs.len(),
        libraries: libraries.len(),
    };

    let search = Search {
        tree,
        machine,
        library_path,
        defaults: default_directories(contents),
    };
    let files = programs.iter().chain(&libraries);
    let definitions = Definitions::of(files.map(|it| (it.id, it.elf)));
    let mut lookup = Lookup::new(&definitions);
    let mut missing = BTreeMap::new();
    let mut loaded = BTreeSet::new();
    for program in programs {
        search.check_interpreter(&program, findings);
        let mut own = BTreeMap::new();
        let scope = search.load(program, &mut own);
        loaded.extend(scope.objects.iter().map(|it| it.id));
        if own.is_empty() {
            lookup.check_program(&scope);
        }
        missing.extend(own);
    }
    for library in libraries {
        if !loaded.contains(&library.id) {
            let mut own = BTreeMap::new();
            let scope = search.load(library, &mut own);
            own.retain(|(_, name), _| !names.contains(name));
            if own.is_empty() {
                lookup.check_library(&scope);
            }
            missing.extend(own);
        }
    }
    lookup.report(findings);
    for ((path, library), other) in missing {
        let library = printable(&library);
        let fault = match other {
            Some(at) => Fault::LibraryOfOtherMachine {
                library,
                at: printable(&at),
            },
            None => Fault::NoLibrary { library },
        };
        findings.add(printable(&path), fault);
    }
    counts
}

/// The machine of most ELF files.
fn usual_machine(tree: &Tree) -> Option<Machine> {
    let mut counts: BTreeMap<Machine, usize> = BTreeMap::new();
    tree.for_each(|_, _, node| {
        if let Kind::Elf(elf) = &node.kind {
            *counts.entry(elf.machine).or_default() += 1;
        }
    });
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(machine, _)| machine)
}

/// A library that was found: its path, its id and its ELF data.
type Place<'a> = (Vec<u8>, Id, &'a Elf);

/// Missing libraries by path of the file that needs them and library name. The value is the path of
/// a library of that name for another machine, if there is one.
type Missing = BTreeMap<(Vec<u8>, Vec<u8>), Option<Vec<u8>>>;

struct Search<'a> {
    tree: &'a Tree,
    machine: Machine,
    library_path: &'a [Vec<u8>],
    defaults: Vec<Vec<u8>>,
}

impl<'a> Search<'a> {
    fn check_interpreter(&self, program: &Object, findings: &mut Findings) {
        let Some(path) = &program.elf.interpreter else {
            return;
        };
        let interpreter = printable(path);
        let subject = printable(&program.path);
        match self.tree.find(path) {
            Err(_) => findings.add(subject, Fault::NoInterpreter { interpreter }),
            Ok(found) if self.tree.node(found.id).mode & 0o111 == 0 => {
                findings.add(subject, Fault::InterpreterNotExecutable { interpreter });
            }
            Ok(_) => match self.elf_at(path) {
                None => findings.add(subject, Fault::InterpreterNotElf { interpreter }),
                Some((_, elf)) if elf.machine != self.machine => {
                    let found = elf.machine;
                    let fault = Fault::InterpreterOfOtherMachine { interpreter, found };
                    findings.add(subject, fault);
                }
                Some((_, elf)) => {
                    if let Some(reason) = elf.obstacle {
                        let fault = Fault::InterpreterCannotStart {
                            interpreter,
                            reason,
                        };
                        findings.add(subject, fault);
                    }
                }
            },
        }
    }

    /// Loads the dependencies of `first` recursively, breadth first as the loader does.
    fn load(&self, first: Object<'a>, missing: &mut Missing) -> Scope<'a> {
        let interpreter = first.elf.interpreter.as_deref().unwrap_or_default();
        let musl = base_name(interpreter).starts_with(b"ld-musl");
        // The loader counts as loaded under its own name.
        let loader = self.elf_at(interpreter);
        let mut names = BTreeMap::from([(base_name(interpreter).to_vec(), loader)]);
        if let Some(name) = loader.and_then(|(_, elf)| elf.soname.clone()) {
            names.insert(name, loader);
        }
        let mut loaded = BTreeSet::from([first.id]);
        let mut objects = vec![first];
        let mut pending = VecDeque::from([0]);
        while let Some(current) = pending.pop_front() {
            let Object { path, elf, .. } = &objects[current];
            let (path, elf) = (path.clone(), *elf);
            for name in &elf.needed {
                if names.contains_key(name) || (musl && is_part_of_musl(name)) {
                    continue;
                }
                match self.find(name, current, &objects, musl) {
                    Ok((found, id, elf)) => {
                        names.insert(name.clone(), Some((id, elf)));
                        if let Some(soname) = &elf.soname {
                            let place = names.entry(soname.clone());
                            place.or_insert(Some((id, elf)));
                        }
                        if loaded.insert(id) {
                            pending.push_back(objects.len());
                            objects.push(Object {
                                path: found,
                                id,
                                elf,
                                parent: Some(current),
                            });
                        }
                    }
                    Err(other) => {
                        missing.insert((path.clone(), name.clone()), other);
                    }
                }
            }
        }
        Scope {
            objects,
            names,
            musl,
        }
    }

    /// Finds the library that `objects[user]` gets for `name`. The error is the path of a library
    /// for another machine, if there is one.
    fn find(
        &self,
        name: &[u8],
        user: usize,
        objects: &[Object<'a>],
        musl: bool,
    ) -> Result<Place<'a>, Option<Vec<u8>>> {
        let mut other = None;
        let mut try_path = |path: Vec<u8>| {
            let (id, elf) = self.elf_at(&path)?;
            if elf.machine == self.machine {
                return Some((path, id, elf));
            }
            // The loader skips libraries for other machines.
            other = other.take().or(Some(path));
            None
        };
        if name.contains(&b'/') {
            return try_path(expand(name, &objects[user].path)).ok_or(other);
        }
        let directories = self.directories(user, objects, musl);
        let found = directories
            .into_iter()
            .find_map(|it| try_path(join(&it, name)));
        found.ok_or(other)
    }

    /// The directories that the loader searches for dependencies of `objects[user]`, in order.
    fn directories(&self, user: usize, objects: &[Object], musl: bool) -> Vec<Vec<u8>> {
        let mut directories = Vec::new();
        let mut add = |object: &Object, list: &[Vec<u8>]| {
            directories.extend(list.iter().map(|it| expand(it, &object.path)));
        };
        let mut ancestors = Vec::new();
        let mut next = Some(user);
        while let Some(index) = next {
            ancestors.push(&objects[index]);
            next = objects[index].parent;
        }
        let user = &objects[user];
        if musl {
            for object in ancestors {
                add(object, &object.elf.rpath);
                add(object, &object.elf.runpath);
            }
        } else if user.elf.runpath.is_empty() {
            // The loader ignores the RPATH of a file that has a RUNPATH.
            for object in ancestors.iter().filter(|it| it.elf.runpath.is_empty()) {
                add(object, &object.elf.rpath);
            }
        }
        directories.extend(self.library_path.iter().cloned());
        if !musl {
            directories.extend(user.elf.runpath.iter().map(|it| expand(it, &user.path)));
        }
        directories.extend(self.defaults.iter().cloned());
        directories
    }

    fn elf_at(&self, path: &[u8]) -> Option<(Id, &'a Elf)> {
        let found = self.tree.find(path).ok()?;
        match &self.tree.node(found.id).kind {
            Kind::Elf(elf) => Some((found.id, elf)),
            _ => None,
        }
    }
}

/// Whether musl contains this library: it is the whole C library in one file. Source: musl,
/// ldso/dynlink.c, `load_library`.
fn is_part_of_musl(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b"lib").unwrap_or_default();
    let parts = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];
    parts.iter().any(|part| rest.starts_with(part.as_bytes()))
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Replaces `$ORIGIN` with the directory of `user`.
fn expand(text: &[u8], user: &[u8]) -> Vec<u8> {
    let origin = &user[..user.len() - base_name(user).len()];
    let origin = origin.strip_suffix(b"/").unwrap_or(origin);
    let mut expanded = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let token = [&b"$ORIGIN"[..], b"${ORIGIN}"];
        match token.iter().find_map(|token| rest.strip_prefix(*token)) {
            Some(after) => {
                expanded.extend(origin);
                rest = after;
            }
            None => {
                expanded.push(first);
                rest = after;
            }
        }
    }
    expanded
}

/// Directories that glibc and musl search last: those in ld.so.conf and the built-in ones, which
/// differ between distributions.
fn default_directories(contents: &Contents) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    configured(contents, b"/etc/ld.so.conf", 0, &mut directories);
    for library in ["/lib64", "/usr/lib64", "/lib", "/usr/local/lib", "/usr/lib"] {
        let library = library.as_bytes();
        directories.push(library.to_vec());
        // Debian's directories for each architecture, such as aarch64-linux-gnu.
        let names = contents.tree.names_in(library).into_iter();
        let triplets = names.filter(|name| String::from_utf8_lossy(name).contains("-linux-"));
        directories.extend(triplets.map(|triplet| join(library, &triplet)));
    }
    directories
}

/// The directories listed in a configuration file of ld.so. Source: ldconfig(8).
fn configured(contents: &Contents, path: &[u8], depth: usize, directories: &mut Vec<Vec<u8>>) {
    if depth > INCLUDE_LIMIT || contents.tree.find(path).is_err() {
        return;
    }
    let Some(text) = contents.configuration.get(path) else {
        return;
    };
    for line in String::from_utf8_lossy(text).lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line
            .split([' ', '\t', ',', ':'])
            .filter(|word| !word.is_empty());
        match words.next() {
            Some("include") => {
                for pattern in words {
                    let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
                    let matching = contents.configuration.keys().filter(|path| {
                        let path = String::from_utf8_lossy(path);
                        let rest = path.strip_prefix(before);
                        rest.is_some_and(|rest| rest.ends_with(after) && !rest.contains('/'))
                    });
                    for path in matching {
                        configured(contents, path, depth + 1, directories);
                    }
                }
            }
            Some("hwcap") | None => {}
            Some(first) => {
                let all = std::iter::once(first).chain(words);
                directories.extend(all.filter(|it| it.starts_with('/')).map(|it| it.into()));
            }
        }
    }
}
