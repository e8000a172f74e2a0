//! What a package is for is mostly plain from what is in it: the program that bears its name, for
//! the machine that it was compiled for.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use slipway_oci::{Platform, StorePath};
use slipway_verify::Machine;

/// The platform that this program runs on.
pub fn this_machine() -> Result<Platform> {
    platform_of(Path::new("/proc/self/exe"))
        .context("this machine has no name among platforms; name one with --platform")
}

/// The platform that a program is for; a program that can't be read will be said when it is packed.
fn platform_of(program: &Path) -> Option<Platform> {
    Machine::of_file(program).ok()??.platform()
}

/// The program that running a package means: the path itself if it is one, the only one in its
/// `bin`, or the one there that is called as the package is.
pub fn main_program(package: &StorePath) -> Option<PathBuf> {
    if is_program(package.as_path()) {
        return Some(package.as_path().to_owned());
    }
    let mut programs = programs(package);
    match &programs[..] {
        [_] => programs.pop(),
        _ => {
            let name = without_version(package.name());
            programs.into_iter().find(|program| program.ends_with(name))
        }
    }
}

/// The platform that programs in these packages are for, if there are any and they agree.
pub fn platform(packages: &[StorePath]) -> Option<Platform> {
    let files = packages.iter().flat_map(|package| {
        let itself = is_program(package.as_path()).then(|| package.as_path().to_owned());
        programs(package).into_iter().chain(itself)
    });
    let platforms: BTreeSet<Platform> = files.filter_map(|file| platform_of(&file)).collect();
    let mut platforms = platforms.into_iter();
    match (platforms.next(), platforms.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What can be run in the package's `bin`, sorted; hidden files are what wrappers there call.
fn programs(package: &StorePath) -> Vec<PathBuf> {
    let entries = fs::read_dir(package.as_path().join("bin"));
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| !hidden(path) && is_program(path))
        .collect();
    files.sort();
    files
}

fn hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether it is an executable file, or a link to one.
pub fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// `hello` of `hello-2.12.1`: a version begins with a digit after a dash, as Nix has it
/// (Nix manual, `builtins.parseDrvName`).
fn without_version(name: &str) -> &str {
    let version = name
        .match_indices('-')
        .find(|(at, _)| name[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(name, |(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store path with these programs in `bin`.
    fn package(directory: &Path, name: &str, programs: &[&str]) -> StorePath {
        let path = directory.join(format!("{}-{name}", "0".repeat(32)));
        fs::create_dir_all(path.join("bin")).unwrap();
        for program in programs {
            let file = path.join("bin").join(program);
            fs::copy("/proc/self/exe", &file).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o555)).unwrap();
        }
        path.to_str().unwrap().parse().unwrap()
    }

    fn main_of(name: &str, programs: &[&str]) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let package = package(directory.path(), name, programs);
        let found = main_program(&package)?;
        Some(found.file_name().unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn the_program_of_a_package_is_the_only_one_or_the_one_of_its_name() {
        assert_eq!(main_of("hello-2.12.1", &["hi"]).unwrap(), "hi");
        assert_eq!(main_of("hello-2.12.1", &["hi", "hello"]).unwrap(), "hello");
        assert_eq!(main_of("hello-2.12.1", &["hi", "hello-2.12.1"]), None);
        assert_eq!(main_of("hello", &["hi", ".hi-wrapped"]).unwrap(), "hi");
        assert_eq!(main_of("hello", &[]), None);
    }

    #[test]
    fn a_version_begins_with_a_digit() {
        for (name, without) in [
            ("hello-2.12.1", "hello"),
            ("git-minimal-2.0-x86", "git-minimal"),
            ("hello", "hello"),
            ("a-", "a-"),
        ] {
            assert_eq!(without_version(name), without);
        }
    }

    #[test]
    fn the_platform_is_that_of_all_programs() {
        let directory = tempfile::tempdir().unwrap();
        let own = package(directory.path(), "own", &["one", "other"]);
        let none = package(directory.path(), "none", &[]);
        let of_this_machine = this_machine().ok();
        assert_eq!(platform(&[own.clone(), none.clone()]), of_this_machine);
        assert_eq!(platform(&[none]), None);
        let foreign = package(directory.path(), "foreign", &["one"]);
        let mut header = fs::read(foreign.as_path().join("bin/one")).unwrap();
        (header[4], header[5], header[18], header[19]) = (2, 2, 0, 22);
        let program = foreign.as_path().join("bin/one");
        fs::remove_file(&program).unwrap();
        fs::write(&program, header).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(platform(&[own, foreign]), None);
    }
}
