//! Layers: tars with PAX records, sparse files and links. The first byte selects the compression.
//! Each is read and unpacked.

use std::io;

use slipway_oci::{MediaType, unpack};

use super::one_layer::OneLayer;

/// Limit on the uncompressed tar, in bytes.
const LIMIT: u64 = 16 << 20;

pub fn run(input: &[u8]) {
    let Some((choice, blob)) = input.split_first() else {
        return;
    };
    let media_type = match choice {
        b'g' => MediaType::LayerGzip,
        b'z' => MediaType::LayerZstd,
        _ => MediaType::LayerTar,
    };
    let layout = OneLayer::new(media_type, blob);
    let image = layout.image();
    for (blob, diff_id) in image.layers() {
        let read = layout.open().read_layer(blob, diff_id, LIMIT, |entry| {
            // `read_layer` itself reports errors of a body.
            let _ = io::copy(entry.body, &mut io::sink());
            Ok(())
        });
        // `unpack` has no limit of its own, so only small layers are unpacked.
        if read.is_ok() {
            let _ = unpack(&layout.open(), &image, &layout.directory().join("root"));
        }
    }
}
