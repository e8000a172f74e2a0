//! Reading a layer: its digests are proven, and no tar makes the reader hold more than a header.

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

fn made_of(kind: MediaType, tar: Vec<u8>) -> (Layout, TempDir) {
    let place = tempfile::tempdir().unwrap();
    let layout = layout(&place.path().join("layout"), "linux/arm64", &[(kind, tar)]);
    (layout, place)
}

/// Reads the one layer, and gives what each entry holds.
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
fn entries_come_in_order_however_the_layer_is_compressed() {
    for kind in KINDS {
        let tar = tar(&[directory("a"), file("a/b", "text"), symlink("c", "a/b")]);
        let (layout, _place) = made_of(kind, tar);
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
fn an_altered_blob_is_said_to_be_altered_wherever_the_change_is() {
    for kind in KINDS {
        // Text that cannot be compressed away, so that there are places to change.
        let text: String = (0..20_000u32)
            .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 90))
            .collect();
        let text: &'static str = text.leak();
        let (layout, _place) = made_of(kind.clone(), tar(&[file("a", text)]));
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
fn a_layer_that_unpacks_to_more_than_the_limit_is_refused() {
    for kind in KINDS {
        let text: &'static str = "x".repeat(100_000).leak();
        let tar = tar(&[file("a", text)]);
        let size = tar.len() as u64;
        let (layout, _place) = made_of(kind, tar);
        assert!(read(&layout, size).is_ok());
        let error = read(&layout, size - 1).unwrap_err();
        assert!(matches!(error, Error::LayerTooLarge { .. }), "{error}");
        let error = read(&layout, 1000).unwrap_err();
        assert!(matches!(error, Error::LayerTooLarge { .. }), "{error}");
    }
}

#[test]
fn a_long_name_is_taken_and_an_endless_one_refused() {
    let named = |name: &'static str| {
        let long = Entry(EntryType::GNULongName, "././@LongLink", name, 0);
        tar(&[long, file("short", "text")])
    };
    let long: &'static str = "n".repeat(4000).leak();
    let (layout, _place) = made_of(MediaType::LayerZstd, named(long));
    assert_eq!(read(&layout, u64::MAX).unwrap()[0].0, long);

    let endless = "n".repeat(8 << 20).leak();
    let (layout, _place) = made_of(MediaType::LayerZstd, named(endless));
    let error = read(&layout, u64::MAX).unwrap_err().to_string();
    assert!(
        error.ends_with("an entry has a header of more than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn what_is_no_tar_is_refused() {
    let (layout, _place) = made_of(MediaType::LayerGzip, vec![b'x'; 2048]);
    let error = read(&layout, u64::MAX).unwrap_err();
    assert!(matches!(error, Error::Tar { .. }), "{error}");
}

#[test]
fn documents_under_dockers_names_are_read() {
    let (layout, _place) = made_of(MediaType::LayerGzip, tar(&[file("a", "text")]));
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
