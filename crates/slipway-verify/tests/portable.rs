//! Programs outside an image: what they need of a system, and the libraries that come with them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "these tests need only some of the fixtures")]
mod fixture;

use std::fs;
use std::path::Path;

use fixture::{Elf, dynamic, library};
use slipway_verify::portable;
use tempfile::TempDir;

/// A directory with ELF files by their paths.
fn directory(files: &[(&str, Elf)]) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for (path, elf) in files {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, elf.bytes()).unwrap();
    }
    place
}

fn tool() -> Elf {
    Elf {
        runpath: "$ORIGIN/../lib/tool",
        ..dynamic(&["libc.so.6", "libone.so.1", "libz.so.1"])
    }
}

fn one() -> Elf {
    Elf {
        runpath: "$ORIGIN",
        wants: &["puts@GLIBC_2.2.5"],
        ..library("libone.so.1", &["libc.so.6", "libtwo.so.2"])
    }
}

fn two() -> Elf {
    Elf {
        wants: &[
            "memcpy@GLIBC_2.14",
            "getrandom@GLIBC_2.25",
            "strlcpy@GLIBC_2.38",
            "dlopen@GLIBC_2.34",
        ],
        runpath: "$ORIGIN",
        ..library("libtwo.so.2", &["libc.so.6", "libm.so.6", "libone.so.1"])
    }
}

#[test]
fn libraries_are_found_relative_to_the_program() {
    let place = directory(&[
        ("bin/tool", tool()),
        ("lib/tool/libone.so.1", one()),
        ("lib/tool/libtwo.so.2", two()),
    ]);
    let at = |path: &str| place.path().canonicalize().unwrap().join(path);
    let glibc = "2.40".parse().unwrap();
    let files = portable(&at("bin/tool"), Some(&glibc)).unwrap();
    let [program, first, second] = &files[..] else {
        panic!("{files:?}");
    };
    assert_eq!(program.libraries, ["libz.so.1"]);
    assert_eq!(program.bundled, [at("lib/tool/libone.so.1")]);
    assert_eq!(first.path, at("lib/tool/libone.so.1"));
    assert_eq!(first.glibc, Some("2.2.5".parse().unwrap()));
    assert_eq!(second.path, at("lib/tool/libtwo.so.2"));
    assert_eq!(second.glibc, Some("2.38".parse().unwrap()));
    assert!(files.iter().all(|it| it.faults.is_empty()), "{files:?}");
}

#[test]
fn a_library_tells_its_newest_symbol_first() {
    let place = directory(&[("libtwo.so.2", two())]);
    let glibc = "2.17".parse().unwrap();
    let files = portable(&place.path().join("libtwo.so.2"), Some(&glibc)).unwrap();
    let faults: Vec<String> = files[0].faults.iter().map(|it| it.to_string()).collect();
    assert_eq!(
        faults,
        [
            "it needs the symbol strlcpy@GLIBC_2.38",
            "it needs the symbol dlopen@GLIBC_2.34",
            "it needs the symbol getrandom@GLIBC_2.25",
        ]
    );
}

#[test]
fn a_library_that_is_not_there_is_that_of_the_system() {
    let place = directory(&[("bin/tool", tool())]);
    let glibc = "2.28".parse().unwrap();
    let program = portable(&place.path().join("bin/tool"), Some(&glibc)).unwrap();
    assert_eq!(program[0].libraries, ["libone.so.1", "libz.so.1"]);
    assert!(portable(Path::new("/missing"), None).is_err());
}
