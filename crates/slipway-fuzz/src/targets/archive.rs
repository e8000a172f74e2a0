//! Image archives: the tar of an OCI layout, or the output of `docker save`.

use std::fs;

use slipway_oci::layout::oci_archive;

pub fn run(file: &[u8]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let archive = directory.path().join("archive");
    fs::write(&archive, file).expect("the archive can be written");
    if let Ok(layout) = oci_archive::read(&archive, &directory.path().join("layout")) {
        let _ = layout.verify();
        let _ = layout.about_images();
    }
}
