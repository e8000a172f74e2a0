//! The files that `docker login` and `podman login` write. Runs no credential helper.

use slipway_registry::{Repository, fuzzing};

pub fn run(file: &[u8]) {
    for name in ["h.example/team/app", "app"] {
        let repository: Repository = name.parse().expect("the name is valid");
        if let Err(reason) = fuzzing::auth_file(file, &repository) {
            assert!(!reason.contains('\n'), "{reason:?}");
        }
    }
}
