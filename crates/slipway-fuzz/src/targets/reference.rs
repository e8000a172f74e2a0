//! Image references and platforms, as users type them and images contain them.

use slipway_oci::Platform;
use slipway_registry::{Reference, Repository};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<Reference>() {
        Ok(reference) => {
            let shown = reference.to_string();
            assert_eq!(shown.parse().ok(), Some(reference), "{shown}");
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
    if let Ok(repository) = text.parse::<Repository>() {
        let shown = repository.to_string();
        assert_eq!(shown.parse().ok(), Some(repository), "{shown}");
    }
    if let Ok(platform) = text.parse::<Platform>() {
        let shown = platform.to_string();
        assert_eq!(shown.parse().ok(), Some(platform), "{shown}");
    }
}
