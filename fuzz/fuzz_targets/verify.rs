//! Verification of an image whose only layer, a tar, is the input.

#![no_main]

mod one_layer;

use libfuzzer_sys::fuzz_target;
use one_layer::OneLayer;
use slipway_oci::MediaType;

fuzz_target!(|tar: &[u8]| {
    OneLayer::with(|layout| {
        layout.write(MediaType::LayerTar, tar);
        let reports = slipway_verify::verify(&layout.open(), None).expect("the image is found");
        for report in reports {
            let shown = report.to_string();
            let escaped = |c: char| c.is_control() && c != '\n';
            assert!(!shown.contains(escaped), "{shown:?}");
        }
    });
});
