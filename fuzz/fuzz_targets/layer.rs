//! Layers: tars with PAX records, sparse files and links. The first byte chooses the compression.

#![no_main]

mod one_layer;

use std::io;

use libfuzzer_sys::fuzz_target;
use one_layer::OneLayer;
use slipway_oci::MediaType;

/// Limit on the uncompressed tar, in bytes.
const LIMIT: u64 = 64 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((choice, blob)) = input.split_first() else {
        return;
    };
    let media_type = match choice {
        b'g' => MediaType::LayerGzip,
        b'z' => MediaType::LayerZstd,
        _ => MediaType::LayerTar,
    };
    OneLayer::with(|layout| {
        let image = layout.write(media_type, blob);
        for (blob, diff_id) in image.layers() {
            let _ = layout.open().read_layer(blob, diff_id, LIMIT, |entry| {
                // The callers' limit on what they keep.
                let _ = io::copy(&mut io::Read::take(entry.body, LIMIT), &mut io::sink());
                Ok(())
            });
        }
    });
});
