//! Debian's indices (deb822): `Release`, and `Packages` with a resolution of the package `a`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_debian::index::Index;
use slipway_debian::package::Archive;
use slipway_debian::release::Release;
use slipway_debian::resolve::{Request, resolve};

fuzz_target!(|text: &str| {
    let _ = Release::parse(text);
    let mut index = Index::default();
    index.add(Archive::Debian, text);
    let _ = index.nearest("libc6");
    let request = Request {
        set: "fuzz",
        architecture: "amd64",
        packages: &["a".to_owned()],
        ignore: &["ignored".to_owned()],
    };
    let _ = resolve(&request, &index, &[]);
});
