//! Indexes, manifests and configs of OCI and Docker.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use slipway_oci::{ImageConfig, Index, Manifest};
use slipway_registry::fuzzing;

pub fn run(json: &[u8]) {
    round_trip::<Index>(json);
    round_trip::<Manifest>(json);
    round_trip::<ImageConfig>(json);
    fuzzing::manifest(json);
}

/// What was read can be written, and what was written is read as the same value.
fn round_trip<T: Debug + DeserializeOwned + PartialEq + Serialize>(json: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(json) {
        let written = serde_json::to_vec(&value).expect("it can be written");
        let again: T = serde_json::from_slice(&written).expect("it can be read again");
        assert_eq!(again, value);
    }
}
