//! Archives: writing an image to an archive and reading it back preserves it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use fixture::{directory, file, layout, symlink, tar};
use flate2::write::GzEncoder;
use slipway_oci::layout::{merge, oci_archive};
use slipway_oci::{Digest, Layout, MediaType};

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

/// A layout with an index of two platforms.
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
fn oci_archives_round_trip() {
    let place = tempfile::tempdir().unwrap();
    let before = index(place.path());
    let mut bytes = Vec::new();
    oci_archive::write(&before, &before.index().manifests, &mut bytes).unwrap();
    let file = place.path().join("image.tar");
    fs::write(&file, &bytes).unwrap();
    let after = oci_archive::read(&file, &place.path().join("after")).unwrap();
    after.verify().unwrap();
    assert_eq!(after.index(), before.index());
    assert_eq!(after.images().unwrap(), before.images().unwrap());

    let mut again = Vec::new();
    oci_archive::write(&after, &after.index().manifests, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn reads_compressed_archives() {
    let place = tempfile::tempdir().unwrap();
    let before = index(place.path());
    let mut bytes = Vec::new();
    oci_archive::write(&before, &before.index().manifests, &mut bytes).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Default::default());
    gzip.write_all(&bytes).unwrap();
    let compressed = [
        gzip.finish().unwrap(),
        zstd::encode_all(&bytes[..], 1).unwrap(),
    ];
    for (number, bytes) in compressed.iter().enumerate() {
        let file = place.path().join(format!("{number}.tar"));
        fs::write(&file, bytes).unwrap();
        let after = oci_archive::read(&file, &place.path().join(format!("{number}"))).unwrap();
        after.verify().unwrap();
        assert_eq!(after.index(), before.index());

        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        assert!(oci_archive::read(&file, &place.path().join("cut")).is_err());
    }
}

#[test]
fn finds_entries_by_name_or_tag() {
    let place = tempfile::tempdir().unwrap();
    let all = index(place.path());
    let arm64 = all.image(&"linux/arm64".parse().unwrap()).unwrap();
    let tops = [
        oci_archive::named(&arm64.descriptor(), "h.example/one:1"),
        oci_archive::named(all.top().unwrap(), "two"),
    ];
    let mut bytes = Vec::new();
    oci_archive::write(&all, &tops, &mut bytes).unwrap();
    let file = place.path().join("image.tar");
    fs::write(&file, &bytes).unwrap();
    let layout = oci_archive::read(&file, &place.path().join("after")).unwrap();
    assert!(layout.top().is_err());
    for (name, top) in [
        ("h.example/one:1", &tops[0]),
        ("1", &tops[0]),
        ("two", &tops[1]),
    ] {
        assert_eq!(layout.clone().of_name(name).unwrap().top().unwrap(), top);
    }
    let error = layout.of_name("three").unwrap_err().to_string();
    assert!(
        error.ends_with("has nothing of the name three; it has h.example/one:1, two"),
        "{error}"
    );
}

#[test]
fn an_archive_of_one_image_omits_the_blobs_of_others() {
    let place = tempfile::tempdir().unwrap();
    let layout = index(place.path());
    let arm64 = layout.image(&"linux/arm64".parse().unwrap()).unwrap();
    let top = ["one:1", "two:2"].map(|name| oci_archive::named(&arm64.descriptor(), name));
    let mut bytes = Vec::new();
    oci_archive::write(&layout, &top, &mut bytes).unwrap();
    let entries = entries(&bytes);
    // config, manifest and two layers, one of which is listed twice
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
fn docker_archives_store_layers_uncompressed() {
    let place = tempfile::tempdir().unwrap();
    let layout = image(&place.path().join("one"), "linux/arm64");
    let image = layout.images().unwrap().remove(0);
    let mut bytes = Vec::new();
    let names = ["localhost/app:1".to_owned()];
    oci_archive::write_docker(&layout, &image, &names, &mut bytes).unwrap();
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
        assert_eq!(Digest::of(tar), diff_id);
    }
}

#[test]
fn reads_docker_archives_with_configs_layers_and_names() {
    let place = tempfile::tempdir().unwrap();
    let layout = image(&place.path().join("one"), "linux/arm64");
    let image = layout.images().unwrap().remove(0);
    let names = ["localhost/app:1", "localhost/app:2"].map(str::to_owned);
    let mut bytes = Vec::new();
    oci_archive::write_docker(&layout, &image, &names, &mut bytes).unwrap();
    let file = place.path().join("image.tar");
    fs::write(&file, &bytes).unwrap();
    let read = oci_archive::read(&file, &place.path().join("read")).unwrap();
    read.verify().unwrap();
    let of_two = read.clone().of_name("localhost/app:2").unwrap();
    assert_eq!(of_two.top().unwrap().digest, read.top().unwrap().digest);
    let found = of_two.images().unwrap().remove(0);
    assert_eq!(found.config().bytes(), image.config().bytes());
    for (layer, diff_id) in found.layers() {
        assert_eq!(layer.digest, diff_id);
        read.read_layer(layer, diff_id, u64::MAX, |_| Ok(()))
            .unwrap();
    }
}

/// A config with one layer.
fn config(layer: &[u8]) -> String {
    let digest = Digest::of(layer);
    format!(
        r#"{{"architecture":"amd64","os":"linux","config":null,"rootfs":{{"type":"layers","diff_ids":["{digest}"]}}}}"#
    )
}

#[test]
fn reads_archives_of_older_docker_versions() {
    let place = tempfile::tempdir().unwrap();
    let layer = tar(&[file("app", "text")]);
    let config = config(&layer);
    // Two images share a layer; the second refers to it by a link.
    let manifest = r#"[{"Config":"1.json","RepoTags":["app:1"],"Layers":["a/layer.tar"]},
        {"Config":"1.json","RepoTags":null,"Layers":["b/layer.tar"]}]"#;
    let mut bytes = Vec::new();
    let mut writer = tar::Builder::new(&mut bytes);
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        writer.append_data(&mut header, name, content).unwrap();
    };
    add("1.json", config.as_bytes());
    add("a/VERSION", b"1.0");
    add("a/layer.tar", &layer);
    add("manifest.json", manifest.as_bytes());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    writer
        .append_link(&mut link, "b/layer.tar", "../a/layer.tar")
        .unwrap();
    writer.finish().unwrap();
    drop(writer);
    let file = place.path().join("saved.tar");
    fs::write(&file, &bytes).unwrap();
    let read = oci_archive::read(&file, &place.path().join("read")).unwrap();
    read.verify().unwrap();
    assert_eq!(read.images().unwrap().len(), 2);
    assert_eq!(
        read.index().manifests[0].digest,
        read.index().manifests[1].digest
    );
}

#[test]
fn rejects_docker_archives_with_a_missing_file_and_names_it() {
    let place = tempfile::tempdir().unwrap();
    let manifest = r#"[{"Config":"1.json","RepoTags":[],"Layers":["../a/layer.tar"]}]"#;
    let saved = tar(&[
        file("1.json", config(b"").leak()),
        file("manifest.json", manifest),
        symlink("a/layer.tar", "layer.tar"),
    ]);
    let path = place.path().join("saved.tar");
    fs::write(&path, saved).unwrap();
    let error = oci_archive::read(&path, &place.path().join("read")).unwrap_err();
    let error = error.to_string();
    assert!(
        error.ends_with("it has no file a/layer.tar, which its manifest.json names"),
        "{error}"
    );
}

#[test]
fn altered_blobs_are_not_archived() {
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
        oci_archive::write(&layout, tops, std::io::sink()).unwrap_err(),
        oci_archive::write_docker(&layout, &image, &[], std::io::sink()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("was altered"), "{error}");
    }
    fs::write(&path, &bytes[..middle]).unwrap();
    let error = oci_archive::write(&layout, tops, std::io::sink()).unwrap_err();
    assert!(error.to_string().contains("was cut off"), "{error}");
}

#[test]
fn rejects_invalid_archives_and_leaves_nothing_behind() {
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
        let error = oci_archive::read(&path, &archives.join("to")).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(fs::read_dir(&archives).unwrap().count(), 0, "{name}");
    }
    assert!(oci_archive::read(&place.path().join("none"), &archives.join("to")).is_err());
}
