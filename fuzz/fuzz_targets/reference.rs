//! Image references: a reference that is printed and parsed again is the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_oci::Platform;
use slipway_registry::{Reference, Repository};

fuzz_target!(|text: &str| {
    match text.parse::<Reference>() {
        Ok(reference) => {
            let shown = reference.to_string();
            assert_eq!(shown.parse().ok(), Some(reference), "{shown}");
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
    let _ = text.parse::<Repository>();
    if let Ok(platform) = text.parse::<Platform>() {
        let shown = platform.to_string();
        assert_eq!(shown.parse().ok(), Some(platform), "{shown}");
    }
});
