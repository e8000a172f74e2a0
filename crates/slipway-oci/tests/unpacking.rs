//! Unpacking: layers lie over each other as in a container, and no entry gets out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fixture::{Entry, directory, file, hard_link, layout, symlink, tar};
use slipway_oci::{Error, MediaType, unpack};
use tar::EntryType;
use tempfile::TempDir;

/// Unpacks an image with these layers to `root` in a directory of its own.
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
fn later_layers_lie_over_earlier_ones_however_they_are_compressed() {
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
fn modes_are_kept_but_the_owner_may_write_and_nobody_becomes_root() {
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
fn a_whiteout_hides_what_is_below_it() {
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
fn an_opaque_whiteout_hides_a_directory_but_not_what_its_own_layer_adds() {
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
fn a_whiteout_hides_a_link_and_not_what_it_points_to() {
    let root = unpacked(&[
        &[file("data/x", "kept"), symlink("link", "data")],
        &[file(".wh.link", "")],
    ])
    .unwrap();
    assert_eq!(root.names(""), ["data"]);
    assert_eq!(root.content("data/x"), "kept");
}

#[test]
fn hard_links_within_the_image_are_made() {
    let root = unpacked(&[&[file("a", "one"), hard_link("b", "a"), hard_link("c", "./b")]]);
    assert_eq!(root.unwrap().content("c"), "one");
}

#[test]
fn a_link_is_followed_as_in_a_container() {
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
fn an_absolute_link_leads_to_the_images_own_root() {
    let root = unpacked(&[&[symlink("out", "/tmp"), file("out/slipway-escaped", "x")]]).unwrap();
    assert_eq!(root.content("tmp/slipway-escaped"), "x");
    assert!(!PathBuf::from("/tmp/slipway-escaped").exists());
}

#[test]
fn a_name_that_leads_out_is_refused() {
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
fn a_link_out_is_not_written_through() {
    let root = unpacked(&[&[symlink("a", "../outside"), file("a", "x")]]).unwrap();
    assert_eq!(root.content("a"), "x");
    let root = unpacked(&[&[symlink("a", "../outside")], &[directory("a")]]).unwrap();
    assert!(root.at("a").symlink_metadata().unwrap().is_dir());
}

#[test]
fn what_cannot_be_unpacked_is_refused_by_name() {
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
fn a_tar_that_is_cut_off_is_refused() {
    let whole = tar(&[file("a", "content")]);
    assert!(unpack_tars(vec![whole[..700].to_vec()]).is_err());
}

#[test]
fn a_layer_that_is_not_what_the_config_says_is_refused() {
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
