//! Guesses the entrypoint and the platform of a package from its files: the program with the
//! package's name, and the machine in its ELF header.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use slipway_oci::{Platform, StorePath};
use slipway_verify::Machine;

/// The platform of this machine.
pub fn this_machine() -> Result<Platform> {
    platform_of(Path::new("/proc/self/exe"))
        .context("this machine has no name among platforms; name one with --platform")
}

/// The platform of this machine with the microarchitecture level of its processor, to choose the
/// best of several images.
pub fn this_processor() -> Result<Platform> {
    let machine = this_machine()?;
    match processor_level() {
        Some(level) => Ok(format!("{machine}/v{level}").parse()?),
        None => Ok(machine),
    }
}

/// Source: System V ABI, AMD64 Architecture Processor Supplement, "Microarchitecture levels".
#[cfg(target_arch = "x86_64")]
fn processor_level() -> Option<u8> {
    macro_rules! has {
        ($($feature:tt)*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    if !has!("cmpxchg16b" "popcnt" "sse3" "sse4.1" "sse4.2" "ssse3") {
        Some(1)
    } else if !has!("avx" "avx2" "bmi1" "bmi2" "f16c" "fma" "lzcnt" "movbe" "xsave") {
        Some(2)
    } else if !has!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl") {
        Some(3)
    } else {
        Some(4)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_level() -> Option<u8> {
    None
}

/// The platform of a program, from its ELF header. `None` if the file cannot be read; packing
/// reports that error later.
fn platform_of(program: &Path) -> Option<Platform> {
    Machine::of_file(program).ok()??.platform()
}

/// The main program of a package: the path itself if it is a program, the only program in `bin`, or
/// the program in `bin` with the package's name.
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

/// The platform of the programs in these packages. `None` if there are no programs, or if they
/// differ.
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

/// The executable files in the package's `bin`, sorted. Skips hidden files, which are the wrapped
/// originals of wrapper scripts.
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

/// Whether the path is an executable file or a link to one.
pub fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Removes the version from a package name: `hello` for `hello-2.12.1`. The version starts at the
/// first dash that is followed by a digit (Nix manual, `builtins.parseDrvName`).
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
    fn finds_the_only_program_or_the_one_with_the_package_name() {
        assert_eq!(main_of("hello-2.12.1", &["hi"]).unwrap(), "hi");
        assert_eq!(main_of("hello-2.12.1", &["hi", "hello"]).unwrap(), "hello");
        assert_eq!(main_of("hello-2.12.1", &["hi", "hello-2.12.1"]), None);
        assert_eq!(main_of("hello", &["hi", ".hi-wrapped"]).unwrap(), "hi");
        assert_eq!(main_of("hello", &[]), None);
    }

    #[test]
    fn removes_a_version_that_starts_with_a_digit() {
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
    fn detects_a_platform_only_if_all_programs_agree() {
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
