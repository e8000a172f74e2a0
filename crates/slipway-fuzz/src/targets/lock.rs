//! `slipway.toml` and `slipway.lock` of other people's projects.

use slipway_debian::config::Config;
use slipway_debian::config_edit;
use slipway_debian::lock::Lock;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Lock::parse(text) {
        Ok(lock) => {
            let written = lock.to_text().expect("a lock can be written");
            let again = Lock::parse(&written).expect("a written lock can be read");
            assert_eq!(written, again.to_text().expect("it can be written again"));
        }
        Err(reason) => assert!(!reason.contains('\n'), "{reason:?}"),
    }
    match Config::parse(text) {
        Ok(config) => {
            for set in config.sets.keys() {
                edits(text, set);
            }
        }
        Err(reason) => assert!(!reason.contains('\n'), "{reason:?}"),
    }
}

/// Adds a package to a set. The result lists the package and is otherwise the same configuration.
fn edits(text: &str, set: &str) {
    let package = "zlib1g-dev".to_owned();
    let Ok(edited) = config_edit::add_packages(text, set, std::slice::from_ref(&package)) else {
        return;
    };
    let config = Config::parse(&edited).expect("an edited configuration can be read");
    assert!(config.sets[set].packages.contains(&package), "{edited}");
}
