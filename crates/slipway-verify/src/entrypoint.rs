//! A container engine starts one program; this finds it as the engine would.

use slipway_oci::config::Execution;

use crate::finding::Fault;
use crate::printable::printable;
use crate::report::Findings;
use crate::tree::{Found, Kind, Tree, join};

/// What engines use where an image sets no PATH.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Scripts that run scripts, as in the kernel (BINPRM, `search_binary_handler`).
const SCRIPT_LIMIT: usize = 5;

/// Gives the program that the image runs, fit to be printed; none if it does not say.
pub fn check(tree: &Tree, execution: &Execution, findings: &mut Findings) -> Option<String> {
    let word = execution.entrypoint.iter().chain(&execution.cmd).next()?;
    let directory = execution.working_dir.as_deref().unwrap_or("/");
    let name = printable(word.as_bytes());
    let path = if word.starts_with('/') {
        word.clone().into_bytes()
    } else if word.contains('/') {
        join(directory.as_bytes(), word.as_bytes())
    } else {
        let path = variable(execution, "PATH").unwrap_or(USUAL_PATH);
        let Some(found) = in_path(tree, path, word) else {
            let path = printable(path.as_bytes());
            findings.add(name.clone(), Fault::NotInPath { path });
            return Some(name);
        };
        found
    };
    match tree.find(&path) {
        Err(_) => findings.add(name.clone(), Fault::NoProgram),
        Ok(found) => check_program(tree, &found, findings),
    }
    Some(name)
}

/// The value of a variable that the image sets.
pub fn variable<'a>(execution: &'a Execution, name: &str) -> Option<&'a str> {
    let mut values = execution.env.iter().filter_map(|it| it.split_once('='));
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
            // The checks of ELF files look at it.
            Kind::Elf(_) | Kind::BrokenElf(_) => return,
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
