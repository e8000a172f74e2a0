//! Indexes, manifests and configs of OCI and Docker.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_oci::{ImageConfig, Index, Manifest};
use slipway_registry::fuzzing;

fuzz_target!(|json: &[u8]| {
    if let Ok(index) = serde_json::from_slice::<Index>(json) {
        let written = serde_json::to_vec(&index).expect("what was read can be written");
        let again: Index = serde_json::from_slice(&written).expect("it can be read again");
        assert_eq!(index, again);
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(json) {
        let written = serde_json::to_vec(&manifest).expect("what was read can be written");
        let again: Manifest = serde_json::from_slice(&written).expect("it can be read again");
        assert_eq!(manifest, again);
    }
    if let Ok(config) = serde_json::from_slice::<ImageConfig>(json) {
        let written = serde_json::to_vec(&config).expect("what was read can be written");
        let again: ImageConfig = serde_json::from_slice(&written).expect("it can be read again");
        assert_eq!(config, again);
    }
    fuzzing::manifest(json);
});
