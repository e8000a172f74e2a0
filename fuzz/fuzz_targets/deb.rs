//! Debian packages: an ar archive with a compressed tar in it.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slipway_debian::deb;
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new().expect("a temporary directory"));
static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| DIRECTORY.path().join("a.deb"));

fuzz_target!(|file: &[u8]| {
    fs::write(&*PACKAGE, file).expect("the package");
    let _ = deb::extract(&PACKAGE, "usr/bin/tool");
});
