//! The files of logins that `docker login` and `podman login` write.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slipway_registry::{Repository, fuzzing};

static REPOSITORIES: LazyLock<Vec<Repository>> = LazyLock::new(|| {
    let names = ["h.example/team/app", "app"].into_iter();
    names.filter_map(|it| it.parse().ok()).collect()
});

fuzz_target!(|file: &[u8]| {
    for repository in REPOSITORIES.iter() {
        fuzzing::auth_file(file, repository);
    }
});
