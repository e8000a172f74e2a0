//! `slipway.toml` and `slipway.lock`, as a repository of others may have them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_debian::config::Config;
use slipway_debian::config_edit;
use slipway_debian::lock::Lock;

fuzz_target!(|text: &str| {
    if let Ok(lock) = Lock::parse(text) {
        let written = lock.to_text().expect("what was read can be written");
        let again = Lock::parse(&written).expect("what was written can be read");
        assert_eq!(written, again.to_text().expect("it can be written again"));
    }
    match Config::parse(text) {
        Ok(config) => {
            for set in config.sets.keys() {
                let _ = config_edit::add_packages(text, set, &["zlib1g-dev".to_owned()]);
            }
        }
        Err(reason) => assert!(!reason.contains('\n'), "{reason:?}"),
    }
});
