//! Property tests: reading arbitrary input never panics, and values survive a round trip.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;

use fixture::{directory, file, layout, symlink, tar};
use proptest::prelude::*;
use slipway_oci::{Digest, Layout, MediaType, Platform, unpack};

/// Limit of an unpacked layer, in bytes.
const LIMIT: u64 = 1 << 20;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn platforms_round_trip(text in "[a-z0-9/]{0,30}") {
        if let Ok(platform) = text.parse::<Platform>() {
            prop_assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
    }

    #[test]
    fn digests_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
        let digest = Digest::of(&bytes);
        prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn any_tar_is_read_or_rejected(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
        cut in any::<usize>(),
    ) {
        let mut tar = tar(&[directory("a"), file("a/b", "text"), symlink("c", "a/b")]);
        for (at, byte) in changes {
            // Changes headers instead of the zeros at the end.
            let at = at % 2048;
            tar[at] = byte;
        }
        if cut % 4 == 0 {
            tar.truncate(cut % 2048);
        }
        let place = tempfile::tempdir().unwrap();
        let layout = layout(&place.path().join("layout"), "linux/arm64", &[(MediaType::LayerTar, tar)]);
        let image = layout.images().unwrap().remove(0);
        let (blob, diff_id) = image.layers().next().unwrap();
        let mut entries = 0;
        let _ = layout.read_layer(blob, diff_id, LIMIT, |_| {
            entries += 1;
            Ok(())
        });
        prop_assert!(entries < 10);
        let _ = unpack(&layout, &image, &place.path().join("root"));
    }

    #[test]
    fn any_index_is_read_or_rejected(at in any::<usize>(), text in "[\\[\\]{}\":,a-z0-9]{0,8}") {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("layout");
        layout(&path, "linux/arm64", &[(MediaType::LayerTar, tar(&[directory("a")]))]);
        let index = path.join("index.json");
        let mut bytes = fs::read(&index).unwrap();
        let at = at % bytes.len();
        let end = (at + text.len()).min(bytes.len());
        bytes.splice(at..end, text.bytes());
        fs::write(&index, bytes).unwrap();
        if let Ok(layout) = Layout::open(&path) {
            let _ = layout.images();
            let _ = layout.manifests();
        }
    }
}
