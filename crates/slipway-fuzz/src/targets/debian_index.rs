//! Debian's `Packages` (deb822), and the resolution of the package `a` in it.

use slipway_debian::index::Index;
use slipway_debian::package::Archive;
use slipway_debian::resolve::{Request, resolve};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
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
}
