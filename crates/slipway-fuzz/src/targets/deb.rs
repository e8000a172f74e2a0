//! Debian packages: an ar archive that contains a compressed tar.

use std::io::Write;

use slipway_debian::deb;
use tempfile::NamedTempFile;

pub fn run(file: &[u8]) {
    let mut package = NamedTempFile::new().expect("a temporary file");
    package.write_all(file).expect("the package can be written");
    let _ = deb::extract(package.path(), "usr/bin/tool");
}
