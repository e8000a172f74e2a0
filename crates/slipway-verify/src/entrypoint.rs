//! Checks the program that a container engine would start, and its user, group and working
//! directory.

use slipway_oci::config::RuntimeConfig;

use crate::elf;
use crate::finding::{Fault, Findings};
use crate::go_build::GoBuild;
use crate::image_contents::Contents;
use crate::paths::package_of;
use crate::printable::printable;
use crate::tree::{Found, Kind, Tree, join};

/// The PATH that engines use if an image sets none.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Deepest nesting of scripts whose interpreter is a script, as in the kernel (BINPRM,
/// `search_binary_handler`).
const SCRIPT_LIMIT: usize = 5;

/// The program that an image runs.
pub struct Entrypoint {
    /// Its name, escaped for printing.
    pub name: String,
    pub go: Option<GoBuild>,
}

/// Checks the entrypoint. Returns `None` if the image names none.
pub fn check(tree: &Tree, runtime: &RuntimeConfig, findings: &mut Findings) -> Option<Entrypoint> {
    let word = runtime.entrypoint.iter().chain(&runtime.cmd).next()?;
    let directory = runtime.working_dir.as_deref().unwrap_or("/");
    let name = printable(word.as_bytes());
    let path = if word.starts_with('/') {
        word.clone().into_bytes()
    } else if word.contains('/') {
        join(directory.as_bytes(), word.as_bytes())
    } else {
        let path = variable(runtime, "PATH").unwrap_or(USUAL_PATH);
        let Some(found) = in_path(tree, path, word) else {
            let path = printable(path.as_bytes());
            findings.add(name.clone(), Fault::NotInPath { path });
            return Some(Entrypoint { name, go: None });
        };
        found
    };
    let mut go = None;
    match tree.find(&path) {
        Err(_) => findings.add(name.clone(), Fault::NoProgram),
        Ok(found) => {
            check_program(tree, &found, findings);
            if let Kind::Elf(elf) = &tree.node(found.id).kind {
                go.clone_from(&elf.go);
            }
        }
    }
    Some(Entrypoint { name, go })
}

/// Checks the user and the working directory. The user is `USER[:GROUP]`, each a name or a number.
pub fn check_surroundings(contents: &Contents, runtime: &RuntimeConfig, findings: &mut Findings) {
    let user = runtime.user.as_deref().unwrap_or_default();
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    for (name, file) in [(user, "/etc/passwd"), (group, "/etc/group")] {
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number && !contents.has_name(file, name) {
            findings.add(printable(name.as_bytes()), Fault::NoUser { file });
        }
    }
    // tzset(3)
    let zone = variable(runtime, "TZ").unwrap_or_default();
    let zone = zone.strip_prefix(':').unwrap_or(zone);
    let file = format!("/usr/share/zoneinfo/{zone}");
    if zone.contains('/') && !zone.starts_with('/') && contents.tree.find(file.as_bytes()).is_err()
    {
        let fault = Fault::NoFile {
            package: package_of(file.as_bytes()),
            path: printable(file.as_bytes()),
            more: 0,
        };
        findings.add(printable(format!("TZ={zone}").as_bytes()), fault);
    }
    let Some(directory) = runtime.working_dir.as_deref() else {
        return;
    };
    let found = contents.tree.find(directory.as_bytes());
    if !found.is_ok_and(|it| matches!(contents.tree.node(it.id).kind, Kind::Directory(_))) {
        findings.add(printable(directory.as_bytes()), Fault::NoWorkingDirectory);
    }
}

/// The value of an environment variable of the image.
pub fn variable<'a>(runtime: &'a RuntimeConfig, name: &str) -> Option<&'a str> {
    let mut values = runtime.env.iter().filter_map(|it| it.split_once('='));
    values.find(|(own, _)| *own == name).map(|(_, value)| value)
}

fn in_path(tree: &Tree, path: &str, word: &str) -> Option<Vec<u8>> {
    let directories = path.split(':').filter(|it| it.starts_with('/'));
    let mut paths = directories.map(|it| join(it.as_bytes(), word.as_bytes()));
    paths.find(|path| {
        tree.find(path).is_ok_and(|found| {
            let node = tree.node(found.id);
            node.mode & 0o111 != 0 && !matches!(node.kind, Kind::Directory(_))
        })
    })
}

fn check_program(tree: &Tree, program: &Found, findings: &mut Findings) {
    let mut path = program.path.clone();
    let mut id = program.id;
    for _ in 0..SCRIPT_LIMIT {
        let node = tree.node(id);
        let subject = printable(&path);
        let line = match &node.kind {
            Kind::Directory(_) | Kind::Special(_) | Kind::Symlink(_) => {
                return findings.add(subject, Fault::NotAProgram);
            }
            _ if node.mode & 0o111 == 0 => {
                return findings.add(subject, Fault::NotExecutable { mode: node.mode });
            }
            Kind::File => return findings.add(subject, Fault::NoFormat),
            // ELF files are checked by `loader`.
            Kind::Elf(elf) => {
                if let (true, Some(reason)) = (elf.kind != elf::Kind::Program, elf.obstacle) {
                    findings.add(subject, Fault::CannotStart(reason));
                }
                return;
            }
            Kind::BrokenElf(_) => return,
            Kind::Script(line) => line,
        };
        let mut words = line
            .split(|byte| b" \t\r".contains(byte))
            .filter(|word| !word.is_empty());
        let wanted = words.next().unwrap_or_default();
        let interpreter = printable(wanted);
        match tree.find(wanted) {
            Ok(found) if tree.node(found.id).mode & 0o111 == 0 => {
                return findings.add(subject, Fault::InterpreterNotExecutable { interpreter });
            }
            Ok(found) if !wanted.is_empty() => (path, id) = (found.path, found.id),
            _ => return findings.add(subject, Fault::NoInterpreter { interpreter }),
        }
    }
}
