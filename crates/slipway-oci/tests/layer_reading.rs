//! Reading layers: digests are checked, and no tar makes the reader buffer more than a header.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;

use fixture::{Entry, directory, file, layout, symlink, tar};
use slipway_oci::{EntryKind, Error, Layout, MediaType};
use tar::EntryType;
use tempfile::TempDir;

const KINDS: [MediaType; 3] = [
    MediaType::LayerTar,
    MediaType::LayerGzip,
    MediaType::LayerZstd,
];

fn layout_of_layer(kind: MediaType, tar: Vec<u8>) -> (Layout, TempDir) {
    let place = tempfile::tempdir().unwrap();
    let layout = layout(&place.path().join("layout"), "linux/arm64", &[(kind, tar)]);
    (layout, place)
}

/// Reads the only layer, and returns the name, kind and content of each entry.
fn read(layout: &Layout, limit: u64) -> Result<Vec<(String, EntryKind, String)>, Error> {
    let image = layout.images()?.remove(0);
    let (blob, diff_id) = image.layers().next().unwrap();
    let mut entries = Vec::new();
    layout.read_layer(blob, diff_id, limit, |entry| {
        let mut content = String::new();
        let read = entry.body.read_to_string(&mut content);
        read.map_err(Error::io("read", "a body".as_ref()))?;
        let name = String::from_utf8(entry.name).unwrap();
        content += &String::from_utf8(entry.target).unwrap();
        entries.push((name, entry.kind, content));
        Ok(())
    })?;
    Ok(entries)
}

fn blob(layout: &Layout) -> std::path::PathBuf {
    let image = layout.images().unwrap().remove(0);
    let (blob, _) = image.layers().next().unwrap();
    layout.blob_path(blob)
}

#[test]
fn reads_entries_in_order_with_every_compression() {
    for kind in KINDS {
        let tar = tar(&[directory("a"), file("a/b", "text"), symlink("c", "a/b")]);
        let (layout, _place) = layout_of_layer(kind, tar);
        let expected = [
            ("a", EntryKind::Directory, ""),
            ("a/b", EntryKind::File, "text"),
            ("c", EntryKind::Symlink, "a/b"),
        ];
        let expected = expected.map(|(name, kind, text)| (name.into(), kind, text.into()));
        assert_eq!(read(&layout, u64::MAX).unwrap(), expected);
    }
}

#[test]
fn reports_altered_blobs_wherever_the_change_is() {
    for kind in KINDS {
        // Incompressible text, so that the blob is long enough to alter in several places.
        let text: String = (0..20_000u32)
            .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 90))
            .collect();
        let text: &'static str = text.leak();
        let (layout, _place) = layout_of_layer(kind.clone(), tar(&[file("a", text)]));
        let path = blob(&layout);
        let whole = fs::read(&path).unwrap();
        for place in [0, 5, whole.len() / 2, whole.len() - 1] {
            let mut altered = whole.clone();
            altered[place] ^= 0x55;
            fs::write(&path, altered).unwrap();
            let error = read(&layout, u64::MAX).unwrap_err();
            assert!(
                matches!(error, Error::BlobDigest { .. }),
                "{kind}, {place}: {error}"
            );
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(
            read(&layout, u64::MAX),
            Err(Error::BlobSize { .. })
        ));
    }
}

#[test]
fn rejects_layers_that_unpack_to_more_than_the_limit() {
    for kind in KINDS {
        let text: &'static str = "x".repeat(100_000).leak();
        let tar = tar(&[file("a", text)]);
        let size = tar.len() as u64;
        let (layout, _place) = layout_of_layer(kind, tar);
        assert!(read(&layout, size).is_ok());
        let error = read(&layout, size - 1).unwrap_err();
        assert!(matches!(error, Error::LayerTooLarge { .. }), "{error}");
        let error = read(&layout, 1000).unwrap_err();
        assert!(matches!(error, Error::LayerTooLarge { .. }), "{error}");
    }
}

#[test]
fn accepts_long_names_and_rejects_endless_ones() {
    let named = |name: &'static str| {
        let long = Entry(EntryType::GNULongName, "././@LongLink", name, 0);
        tar(&[long, file("short", "text")])
    };
    let long: &'static str = "n".repeat(4000).leak();
    let (layout, _place) = layout_of_layer(MediaType::LayerZstd, named(long));
    assert_eq!(read(&layout, u64::MAX).unwrap()[0].0, long);

    let endless = "n".repeat(8 << 20).leak();
    let (layout, _place) = layout_of_layer(MediaType::LayerZstd, named(endless));
    let error = read(&layout, u64::MAX).unwrap_err().to_string();
    assert!(
        error.ends_with("an entry has a header of more than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn rejects_blobs_that_are_not_tars() {
    let (layout, _place) = layout_of_layer(MediaType::LayerGzip, vec![b'x'; 2048]);
    let error = read(&layout, u64::MAX).unwrap_err();
    assert!(matches!(error, Error::Tar { .. }), "{error}");
}

#[test]
fn reads_documents_with_docker_media_types() {
    let (layout, _place) = layout_of_layer(MediaType::LayerGzip, tar(&[file("a", "text")]));
    let docker = |name: &str| format!("application/vnd.docker.{name}");
    let mut named = layout.index().clone();
    let image = layout.images().unwrap().remove(0);

    let mut manifest = image.manifest().value().clone();
    manifest.media_type = Some(docker("distribution.manifest.v2+json").into());
    manifest.config.media_type = docker("container.image.v1+json").into();
    manifest.layers[0].media_type = docker("image.rootfs.diff.tar.gzip").into();
    let kind = manifest.media_type.clone().unwrap();
    let document = slipway_oci::Document::new(kind, manifest).unwrap();
    fs::write(layout.blob_path(document.descriptor()), document.bytes()).unwrap();
    named.manifests = vec![document.descriptor().clone()];
    let index = serde_json::to_vec(&named).unwrap();
    fs::write(layout.directory().join("index.json"), index).unwrap();

    let layout = Layout::open(layout.directory()).unwrap();
    assert_eq!(read(&layout, u64::MAX).unwrap()[0].2, "text");
}

/// PAX records. In a tar they precede the entry that they describe.
fn records(pairs: &[(&str, &str)]) -> Entry {
    let record = |(key, value): &(&str, &str)| {
        // The length includes its own digits; here there are two.
        let length = key.len() + value.len() + 5;
        format!("{length} {key}={value}\n")
    };
    let text: String = pairs.iter().map(record).collect();
    Entry(EntryType::XHeader, "PaxHeaders/a", text.leak(), 0)
}

#[test]
fn reads_gnu_sparse_files_with_their_holes() {
    let map: &'static str = format!("2\n2\n2\n6\n1\n{}abc", "\0".repeat(502)).leak();
    let first = [
        ("GNU.sparse.size", "9"),
        ("GNU.sparse.offset", "2"),
        ("GNU.sparse.numbytes", "2"),
        ("GNU.sparse.offset", "6"),
        ("GNU.sparse.numbytes", "1"),
    ];
    let second = [
        ("GNU.sparse.size", "9"),
        ("GNU.sparse.name", "real/name"),
        ("GNU.sparse.map", "2,2,6,1"),
    ];
    let third = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "real/name"),
        ("GNU.sparse.realsize", "9"),
    ];
    for (pairs, content, name) in [
        (&first[..], "abc", "a"),
        (&second, "abc", "real/name"),
        (&third, map, "real/name"),
    ] {
        let entries = [records(pairs), file("a", content), file("b", "next")];
        let (layout, _place) = layout_of_layer(MediaType::LayerTar, tar(&entries));
        let expected = [(name, "\0\0ab\0\0c\0\0"), ("b", "next")]
            .map(|(name, text)| (name.to_owned(), EntryKind::File, text.to_owned()));
        assert_eq!(read(&layout, u64::MAX).unwrap(), expected, "{pairs:?}");
    }
}

#[test]
fn rejects_sparse_files_with_an_invalid_map_or_an_excessive_size() {
    for (size, map) in [
        ("9", "2,2,6"),
        ("9", "2,2,3,1"),
        ("6", "2,2,6,1"),
        ("9", "2,2,6,2"),
        ("9", "2,2,6,x"),
        ("9", "18446744073709551615,3"),
    ] {
        let pairs = [("GNU.sparse.size", size), ("GNU.sparse.map", map)];
        let entries = [records(&pairs), file("a", "abc")];
        let (layout, _place) = layout_of_layer(MediaType::LayerTar, tar(&entries));
        let error = read(&layout, u64::MAX).unwrap_err();
        assert!(matches!(error, Error::Tar { .. }), "{map}: {error}");
    }
    let version = [("GNU.sparse.major", "1"), ("GNU.sparse.size", "9")];
    for map in ["", "2\n1\n", "99999999999\n", "x\n"] {
        let entries = [records(&version), file("a", map)];
        let (layout, _place) = layout_of_layer(MediaType::LayerTar, tar(&entries));
        let error = read(&layout, u64::MAX).unwrap_err();
        assert!(matches!(error, Error::Tar { .. }), "{map}: {error}");
    }
    let pairs = [
        ("GNU.sparse.size", "99999999999999"),
        ("GNU.sparse.map", "0,3"),
    ];
    let entries = [records(&pairs), file("a", "abc")];
    let (layout, _place) = layout_of_layer(MediaType::LayerTar, tar(&entries));
    let error = read(&layout, 1 << 40).unwrap_err();
    assert!(matches!(error, Error::LayerTooLarge { .. }), "{error}");
}
