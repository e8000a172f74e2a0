//! Fuzz targets for everything that Slipway reads and others wrote: images, packages, locks,
//! logins and the responses of servers.
//!
//! A target is a function that takes any bytes and panics if it finds a fault. Two programs run
//! them: `cargo test` replays the corpus and a thousand mutations of it, so that targets keep
//! working, and `make fuzz` searches for new inputs with libFuzzer.

#![allow(
    clippy::expect_used,
    reason = "a panic is how a target reports a fault"
)]

mod targets {
    pub mod archive;
    pub mod auth_file;
    pub mod deb;
    pub mod debian_index;
    pub mod debian_relation;
    pub mod elf;
    pub mod goreleaser;
    pub mod http_headers;
    pub mod layer;
    pub mod lock;
    pub mod manifest;
    mod one_layer;
    pub mod reference;
    pub mod release;
    pub mod token_response;
    pub mod verify;
}

/// A function that reads untrusted input.
pub struct Target {
    /// The directory of its seeds below `corpus/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

/// All targets, sorted by name.
pub const TARGETS: &[Target] = &[
    Target::new("archive", targets::archive::run),
    Target::new("auth_file", targets::auth_file::run),
    Target::new("deb", targets::deb::run),
    Target::new("debian_index", targets::debian_index::run),
    Target::new("debian_relation", targets::debian_relation::run),
    Target::new("elf", targets::elf::run),
    Target::new("goreleaser", targets::goreleaser::run),
    Target::new("http_headers", targets::http_headers::run),
    Target::new("layer", targets::layer::run),
    Target::new("lock", targets::lock::run),
    Target::new("manifest", targets::manifest::run),
    Target::new("reference", targets::reference::run),
    Target::new("release", targets::release::run),
    Target::new("token_response", targets::token_response::run),
    Target::new("verify", targets::verify::run),
];

impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run }
    }

    /// The target with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
