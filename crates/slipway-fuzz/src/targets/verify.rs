//! Verification of an image whose only layer, a tar, is the input.

use slipway_oci::MediaType;

use super::one_layer::OneLayer;

pub fn run(tar: &[u8]) {
    let layout = OneLayer::new(MediaType::LayerTar, tar);
    // A malformed tar is an error, not a finding.
    let Ok(reports) = slipway_verify::verify(&layout.open(), None) else {
        return;
    };
    for report in reports {
        let shown = report.to_string();
        let is_raw = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(is_raw), "{shown:?}");
    }
}
