//! Archives: an image that went through one is the same image.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use fixture::{directory, file, layout, tar};
use slipway_oci::layout::{archive, merge};
use slipway_oci::{Layout, MediaType};

fn image(at: &Path, platform: &'static str) -> Layout {
    let shared = tar(&[directory("etc"), file("etc/passwd", "root")]);
    let own = tar(&[file("app", platform)]);
    layout(
        at,
        platform,
        &[
            (MediaType::LayerGzip, shared.clone()),
            (MediaType::LayerZstd, own),
            (MediaType::LayerGzip, shared),
        ],
    )
}

/// Two platforms under one index.
fn index(place: &Path) -> Layout {
    let images =
        ["linux/amd64", "linux/arm64"].map(|it| image(&place.join(it.replace('/', "-")), it));
    merge(&place.join("index"), &images).unwrap()
}

fn entries(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(archive);
    let mut entries = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(
            entries.insert(name.clone(), bytes).is_none(),
            "{name} twice"
        );
    }
    entries
}

#[test]
fn a_layout_that_went_through_an_archive_is_the_same() {
    let place = tempfile::tempdir().unwrap();
    let before = index(place.path());
    let mut bytes = Vec::new();
    archive::write(&before, &before.index().manifests, &mut bytes).unwrap();
    let file = place.path().join("image.tar");
    fs::write(&file, &bytes).unwrap();
    let after = archive::read(&file, &place.path().join("after")).unwrap();
    after.verify().unwrap();
    assert_eq!(after.index(), before.index());
    assert_eq!(after.images().unwrap(), before.images().unwrap());

    let mut again = Vec::new();
    archive::write(&after, &after.index().manifests, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn an_archive_of_one_image_leaves_the_others_blobs_out() {
    let place = tempfile::tempdir().unwrap();
    let layout = index(place.path());
    let arm64 = layout.image(&"linux/arm64".parse().unwrap()).unwrap();
    let top = ["one:1", "two:2"].map(|name| archive::named(&arm64.descriptor(), name));
    let mut bytes = Vec::new();
    archive::write(&layout, &top, &mut bytes).unwrap();
    let entries = entries(&bytes);
    // config, manifest and two layers, one of which is there twice
    assert_eq!(
        entries.keys().filter(|it| it.starts_with("blobs/")).count(),
        4
    );
    let index = String::from_utf8(entries["index.json"].clone()).unwrap();
    for name in ["one:1", "two:2"] {
        let annotation = format!(r#""org.opencontainers.image.ref.name":"{name}""#);
        assert!(index.contains(&annotation), "{index}");
    }
}

#[test]
fn a_docker_archive_holds_layers_that_are_not_compressed() {
    let place = tempfile::tempdir().unwrap();
    let layout = image(&place.path().join("one"), "linux/arm64");
    let image = layout.images().unwrap().remove(0);
    let mut bytes = Vec::new();
    let names = ["localhost/app:1".to_owned()];
    archive::write_docker(&layout, &image, &names, &mut bytes).unwrap();
    let entries = entries(&bytes);
    assert_eq!(entries.len(), 4);
    let manifest = String::from_utf8(entries["manifest.json"].clone()).unwrap();
    let layers: Vec<String> = image
        .layers()
        .map(|(_, diff_id)| format!(r#""{}.tar""#, diff_id.hex()))
        .collect();
    let config = image.config().descriptor().digest;
    assert_eq!(
        manifest,
        format!(
            r#"[{{"Config":"{}.json","RepoTags":["localhost/app:1"],"Layers":[{}]}}]"#,
            config.hex(),
            layers.join(",")
        )
    );
    for (_, diff_id) in image.layers() {
        let tar = &entries[&format!("{}.tar", diff_id.hex())];
        assert_eq!(slipway_oci::Digest::of(tar), diff_id);
    }
}

#[test]
fn an_altered_blob_ends_up_in_no_archive() {
    let place = tempfile::tempdir().unwrap();
    let layout = image(&place.path().join("one"), "linux/arm64");
    let image = layout.images().unwrap().remove(0);
    let (blob, _) = image.layers().next().unwrap();
    let path = layout.blob_path(blob);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let tops = &layout.index().manifests;
    for error in [
        archive::write(&layout, tops, std::io::sink()).unwrap_err(),
        archive::write_docker(&layout, &image, &[], std::io::sink()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("was altered"), "{error}");
    }
    fs::write(&path, &bytes[..middle]).unwrap();
    let error = archive::write(&layout, tops, std::io::sink()).unwrap_err();
    assert!(error.to_string().contains("was cut off"), "{error}");
}

#[test]
fn what_is_no_archive_of_a_layout_leaves_nothing_behind() {
    const LONG: &str = r#"{"imageLayoutVersion":"1.0.0", "it": "ends in the middle of this, after the header, .........................................................................................."}"#;
    let place = tempfile::tempdir().unwrap();
    let archives = place.path().join("archives");
    fs::create_dir(&archives).unwrap();
    for (name, bytes) in [
        (
            "text",
            b"not a tar at all, but longer than a block".repeat(20),
        ),
        ("empty", Vec::new()),
        ("docker", tar(&[file("manifest.json", "[]")])),
        ("cut", tar(&[file("oci-layout", LONG)])[..600].to_vec()),
        (
            "elsewhere",
            tar(&[file("blobs/sha256/../../../oci-layout", "{}")]),
        ),
    ] {
        let path = place.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = archive::read(&path, &archives.join("to")).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(fs::read_dir(&archives).unwrap().count(), 0, "{name}");
    }
    assert!(archive::read(&place.path().join("none"), &archives.join("to")).is_err());
}
