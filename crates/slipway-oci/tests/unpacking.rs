//! Unpacking: layers are applied as in a container, and no entry is written outside of the root.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use fixture::{Entry, directory, file, hard_link, layout, symlink, tar};
use slipway_oci::{Error, MediaType, unpack};
use tar::EntryType;
use tempfile::TempDir;

/// Unpacks an image with these layers to `root` in a new temporary directory.
fn unpacked(layers: &[&[Entry]]) -> Result<Unpacked, String> {
    unpack_tars(layers.iter().map(|entries| tar(entries)).collect())
}

fn unpack_tars(tars: Vec<Vec<u8>>) -> Result<Unpacked, String> {
    let kinds = [
        MediaType::LayerTar,
        MediaType::LayerGzip,
        MediaType::LayerZstd,
    ];
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("outside"), "untouched").unwrap();
    let layers: Vec<_> = kinds.into_iter().cycle().zip(tars).collect();
    let layout = layout(&place.path().join("layout"), "linux/arm64", &layers);
    let image = layout.images().unwrap().remove(0);
    let result = unpack(&layout, &image, &place.path().join("root"));

    let mut left = vec!["layout", "outside"];
    left.extend(result.is_ok().then_some("root"));
    let mut found: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    found.sort();
    assert_eq!(found, left);
    let outside = fs::read_to_string(place.path().join("outside")).unwrap();
    assert_eq!(outside, "untouched");
    result.map_err(|error| error.to_string())?;
    Ok(Unpacked(place))
}

#[derive(Debug)]
struct Unpacked(TempDir);

impl Unpacked {
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join("root").join(name)
    }

    fn content(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(name)).unwrap();
        let name = |entry: Result<fs::DirEntry, _>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        self.at(name)
            .symlink_metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }
}

#[test]
fn later_layers_override_earlier_ones_with_every_compression() {
    let root = unpacked(&[
        &[directory("etc"), file("etc/a", "1"), file("etc/b", "1")],
        &[file("etc/b", "2"), file("etc/c", "2")],
        &[file("./etc/c", "3"), directory("./")],
    ])
    .unwrap();
    let contents = ["a", "b", "c"].map(|name| root.content(&format!("etc/{name}")));
    assert_eq!(contents, ["1", "2", "3"]);
}

#[test]
fn modes_are_kept_except_owner_write_and_set_id_bits() {
    let root = unpacked(&[&[
        Entry(EntryType::Directory, "tmp", "", 0o1777),
        Entry(EntryType::Directory, "nix", "", 0o555),
        Entry(EntryType::Regular, "nix/a", "a", 0o444),
        Entry(EntryType::Regular, "nix/su", "su", 0o4755),
    ]])
    .unwrap();
    let modes = ["tmp", "nix", "nix/a", "nix/su"].map(|name| root.mode(name));
    assert_eq!(modes, [0o1777, 0o755, 0o644, 0o755]);
}

#[test]
fn files_directories_and_links_replace_each_other() {
    let root = unpacked(&[
        &[
            directory("a"),
            file("a/x", ""),
            file("b", ""),
            symlink("c", "b"),
        ],
        &[file("a", "now a file"), directory("b"), directory("c")],
    ])
    .unwrap();
    assert_eq!(root.content("a"), "now a file");
    assert!(root.at("b").is_dir());
    assert!(root.at("c").symlink_metadata().unwrap().is_dir());
}

#[test]
fn whiteouts_hide_lower_entries() {
    let root = unpacked(&[
        &[file("etc/a", ""), file("etc/b", ""), file("var/x/y", "")],
        &[
            file("etc/.wh.a", ""),
            file(".wh.var", ""),
            file("etc/.wh.none", ""),
        ],
    ])
    .unwrap();
    assert_eq!(root.names(""), ["etc"]);
    assert_eq!(root.names("etc"), ["b"]);
}

#[test]
fn opaque_whiteouts_hide_lower_entries_but_not_those_of_their_layer() {
    let root = unpacked(&[
        &[
            file("etc/a", "1"),
            file("etc/b", "1"),
            file("etc/d/old", "1"),
        ],
        &[
            file("etc/b", "2"),
            file("etc/d/new", "2"),
            file("etc/.wh..wh..opq", ""),
            file("etc/c", "2"),
            file("etc/.wh.c", ""),
        ],
    ])
    .unwrap();
    assert_eq!(root.names("etc"), ["b", "c", "d"]);
    assert_eq!(root.names("etc/d"), ["new"]);
}

#[test]
fn whiteouts_hide_links_instead_of_their_targets() {
    let root = unpacked(&[
        &[file("data/x", "kept"), symlink("link", "data")],
        &[file(".wh.link", "")],
    ])
    .unwrap();
    assert_eq!(root.names(""), ["data"]);
    assert_eq!(root.content("data/x"), "kept");
}

#[test]
fn creates_hard_links_within_the_image() {
    let root = unpacked(&[&[file("a", "one"), hard_link("b", "a"), hard_link("c", "./b")]]);
    assert_eq!(root.unwrap().content("c"), "one");
}

#[test]
fn follows_links_as_in_a_container() {
    let root = unpacked(&[
        &[
            directory("usr/lib"),
            symlink("lib", "usr/lib"),
            symlink("lib64", "/lib"),
        ],
        &[file("lib/a", "a"), file("lib64/b", "b")],
        &[file("lib64/.wh.a", "")],
    ])
    .unwrap();
    assert_eq!(root.names("usr/lib"), ["b"]);
    assert!(root.at("lib").is_symlink());
}

#[test]
fn absolute_links_are_resolved_from_the_image_root() {
    let root = unpacked(&[&[symlink("out", "/tmp"), file("out/slipway-escaped", "x")]]).unwrap();
    assert_eq!(root.content("tmp/slipway-escaped"), "x");
    assert!(!PathBuf::from("/tmp/slipway-escaped").exists());
}

#[test]
fn rejects_names_that_lead_out_of_the_root() {
    let refusals: [(&str, &[Entry]); 10] = [
        ("has .. in its name", &[file("../outside", "x")]),
        ("has .. in its name", &[file("a/../../outside", "x")]),
        ("has .. in its name", &[file("a/..", "x")]),
        ("has .. in its name", &[file("../.wh.outside", "")]),
        ("has an absolute name", &[file("/outside", "x")]),
        (
            "out of the image",
            &[symlink("a", ".."), file("a/outside", "x")],
        ),
        (
            "out of the image",
            &[symlink("a", "b/../../.."), file("a/outside", "x")],
        ),
        (
            "out of the image",
            &[symlink("a", ".."), file("a/.wh.outside", "")],
        ),
        (
            "out of the image",
            &[symlink("a", ".."), hard_link("b", "a/outside")],
        ),
        ("has .. in its name", &[hard_link("b", "../outside")]),
    ];
    for (reason, entries) in refusals {
        let message = unpacked(&[entries]).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn replaces_links_that_lead_out_of_the_root() {
    let root = unpacked(&[&[symlink("a", "../outside"), file("a", "x")]]).unwrap();
    assert_eq!(root.content("a"), "x");
    let root = unpacked(&[&[symlink("a", "../outside")], &[directory("a")]]).unwrap();
    assert!(root.at("a").symlink_metadata().unwrap().is_dir());
}

#[test]
fn rejects_invalid_entries_with_the_reason() {
    let refusals: [(&str, &[Entry]); 6] = [
        (
            "many links",
            &[symlink("a", "b"), symlink("b", "a"), file("a/x", "")],
        ),
        ("to no file", &[hard_link("a", "none")]),
        ("to no file", &[directory("d"), hard_link("a", "d")]),
        ("of no file", &[file("d/.wh...", "")]),
        ("of no file", &[file(".wh.", "")]),
        ("neither file", &[Entry(EntryType::Char, "null", "", 0o666)]),
    ];
    for (reason, entries) in refusals {
        let message = unpacked(&[entries]).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn rejects_truncated_tars() {
    let whole = tar(&[file("a", "content")]);
    assert!(unpack_tars(vec![whole[..700].to_vec()]).is_err());
}

#[test]
fn rejects_layers_that_do_not_match_the_config() {
    let place = tempfile::tempdir().unwrap();
    let layer = |content| vec![(MediaType::LayerTar, tar(&[file("a", content)]))];
    let one = layout(&place.path().join("one"), "linux/arm64", &layer("1"));
    let two = layout(&place.path().join("two"), "linux/arm64", &layer("2"));
    let (one, two) = (
        one.images().unwrap().remove(0),
        (two.clone(), two.images().unwrap().remove(0)),
    );

    // The manifest of one image with the config of the other.
    let mut manifest = two.1.manifest().value().clone();
    manifest.config = one.manifest().value().config.clone();
    let manifest = slipway_oci::Document::new(MediaType::Manifest, manifest).unwrap();
    let directory = two.0.directory();
    let blob = two.0.blob_path(manifest.descriptor());
    fs::write(blob, manifest.bytes()).unwrap();
    let config = two.0.blob_path(one.config().descriptor());
    fs::write(config, one.config().bytes()).unwrap();
    let index = slipway_oci::Index::new(vec![manifest.descriptor().clone()]);
    fs::write(
        directory.join("index.json"),
        serde_json::to_vec(&index).unwrap(),
    )
    .unwrap();

    let mixed = slipway_oci::Layout::open(directory).unwrap();
    let image = mixed.images().unwrap().remove(0);
    let error = unpack(&mixed, &image, &place.path().join("root")).unwrap_err();
    assert!(matches!(error, Error::DiffId { .. }), "{error}");
}

#[test]
fn owners_are_kept_if_this_user_may_set_them() {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..5].copy_from_slice(b"data/");
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o750);
    header.set_uid(1234);
    header.set_gid(5678);
    header.set_size(0);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(512 * 3, 0);
    let unpacked = unpack_tars(vec![bytes]).unwrap();
    let metadata = fs::metadata(unpacked.at("data")).unwrap();
    let own = fs::metadata(unpacked.at(".")).unwrap();
    let expected = match own.uid() {
        0 => (1234, 5678),
        uid => (uid, own.gid()),
    };
    assert_eq!((metadata.uid(), metadata.gid()), expected);
    assert_eq!(metadata.mode() & 0o777, 0o750);
}
