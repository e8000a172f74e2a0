//! Layouts: what is written is read back, and what was tampered with is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use fixture::{directory, file, layout, tar};
use slipway_oci::layout::{LayoutWriter, merge};
use slipway_oci::{Descriptor, Digest, Document, Error, Index, Layout, MediaType};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A layout for `platform` whose image has a layer of its own and one that all share.
    fn image(&self, name: &str, platform: &str) -> Layout {
        let shared = tar(&[directory("etc"), file("etc/passwd", "root")]);
        let own = tar(&[file("app", "for one platform")]);
        let layers = [(MediaType::LayerGzip, shared), (MediaType::LayerZstd, own)];
        layout(&self.at(name), platform, &layers)
    }
}

fn blobs(layout: &Layout) -> usize {
    fs::read_dir(layout.directory().join("blobs/sha256"))
        .unwrap()
        .count()
}

/// Rewrites `index.json` to name one blob.
fn name(layout: &Path, descriptor: &Descriptor) -> Result<Layout, Error> {
    let index = Index::new(vec![descriptor.clone()]);
    let json = serde_json::to_vec(&index).unwrap();
    fs::write(layout.join("index.json"), json).unwrap();
    Layout::open(layout)
}

#[test]
fn an_image_is_read_as_it_was_written() {
    let place = Place::new();
    let written = place.image("one", "linux/arm64");
    let read = Layout::open(&place.at("one")).unwrap();
    assert_eq!(read.images().unwrap(), written.images().unwrap());
    read.verify().unwrap();

    let image = read.image(&"linux/arm64/v8".parse().unwrap()).unwrap();
    assert_eq!(image.layers().count(), 2);
    assert_eq!(read.index().manifests, [image.descriptor()]);
    let mark = fs::read_to_string(place.at("one/oci-layout")).unwrap();
    assert_eq!(mark, r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert_eq!(fs::read_dir(place.at("one")).unwrap().count(), 3);
}

#[test]
fn a_platform_that_is_not_there_is_an_error_that_says_what_is() {
    let place = Place::new();
    let error = place
        .image("one", "linux/arm64")
        .image(&"linux/riscv64".parse().unwrap())
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with("has no image for linux/riscv64; it has linux/arm64"),
        "{message}"
    );
}

#[test]
fn an_altered_blob_is_refused_wherever_it_is() {
    let place = Place::new();
    let layout = place.image("one", "linux/arm64");
    for blob in fs::read_dir(place.at("one/blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&path, bad).unwrap();
        let error = layout.verify().unwrap_err();
        assert!(matches!(error, Error::BlobDigest { .. }), "{error}");
        fs::write(&path, good).unwrap();
    }
    layout.verify().unwrap();
}

#[test]
fn a_truncated_or_longer_or_missing_blob_is_refused_wherever_it_is() {
    let place = Place::new();
    let layout = place.image("one", "linux/arm64");
    for blob in fs::read_dir(place.at("one/blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        let error = layout.verify().unwrap_err();
        assert!(matches!(error, Error::BlobSize { .. }), "{error}");
        fs::write(&path, [&good[..], b"\n"].concat()).unwrap();
        let error = layout.verify().unwrap_err();
        assert!(matches!(error, Error::BlobSize { .. }), "{error}");
        fs::remove_file(&path).unwrap();
        let error = layout.verify().unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn layouts_of_two_platforms_merge_into_an_index_that_stores_shared_blobs_once() {
    let place = Place::new();
    let arm = place.image("arm", "linux/arm64");
    let amd = place.image("amd", "linux/amd64");
    let merged = merge(&place.at("both"), &[arm.clone(), amd.clone()]).unwrap();
    merged.verify().unwrap();

    let [top] = &merged.index().manifests[..] else {
        panic!("index.json names more than the index");
    };
    assert_eq!(top.media_type, MediaType::Index);
    let index: Index = serde_json::from_slice(&fs::read(merged.blob_path(top)).unwrap()).unwrap();
    let platforms: Vec<String> = index
        .manifests
        .iter()
        .map(|manifest| manifest.platform.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    for (one, platform) in [(&arm, "linux/arm64"), (&amd, "linux/amd64")] {
        let platform = platform.parse().unwrap();
        assert_eq!(
            merged.image(&platform).unwrap(),
            one.image(&platform).unwrap()
        );
    }
    // Two shared layers, two configs, two manifests and the index.
    assert_eq!(blobs(&merged), 7);
}

#[test]
fn the_order_of_layouts_does_not_change_the_index() {
    let place = Place::new();
    let arm = place.image("arm", "linux/arm64");
    let amd = place.image("amd", "linux/amd64");
    let one = merge(&place.at("1"), &[arm.clone(), amd.clone()]).unwrap();
    let two = merge(&place.at("2"), &[amd.clone(), arm]).unwrap();
    assert_eq!(one.index(), two.index());
    // An index merges as well as the images in it.
    let again = merge(&place.at("3"), &[two]).unwrap();
    assert_eq!(one.index(), again.index());
    let error = merge(&place.at("4"), &[one, amd]).unwrap_err();
    assert!(matches!(error, Error::PlatformTwice { .. }), "{error}");
    assert!(!place.at("4").exists());
}

#[test]
fn merging_refuses_an_altered_layer_and_leaves_nothing_behind() {
    let place = Place::new();
    let layout = place.image("one", "linux/arm64");
    let image = &layout.images().unwrap()[0];
    let (layer, _) = image.layers().next().unwrap();
    let mut blob = OpenOptions::new()
        .write(true)
        .open(layout.blob_path(layer))
        .unwrap();
    blob.write_all(b"x").unwrap();
    let error = merge(&place.at("merged"), &[layout]).unwrap_err();
    assert!(matches!(error, Error::BlobDigest { .. }), "{error}");
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_is_no_layout_is_refused_with_the_reason() {
    let place = Place::new();
    let refusal = || Layout::open(place.0.path()).unwrap_err().to_string();
    assert!(refusal().ends_with("it has no oci-layout"));
    fs::write(place.at("oci-layout"), "{}").unwrap();
    assert!(refusal().contains("imageLayoutVersion"));
    fs::write(place.at("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(refusal().contains("2.0.0"));
    fs::write(place.at("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    assert!(refusal().ends_with("it has no index.json"));
    fs::write(place.at("index.json"), "[".repeat(1000)).unwrap();
    assert!(refusal().contains("index.json is not what it should be"));
    fs::write(
        place.at("index.json"),
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../x","size":1}]}"#,
    )
    .unwrap();
    assert!(refusal().contains("is not sha256:"));
    let file = fs::File::create(place.at("index.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(refusal().contains("more than"));
}

#[test]
fn a_document_of_absurd_size_is_refused_before_it_is_read() {
    let place = Place::new();
    let layout = place.image("one", "linux/arm64");
    for size in [5 << 20, u64::MAX] {
        let mut descriptor = layout.index().manifests[0].clone();
        descriptor.size = size;
        let error = name(&place.at("one"), &descriptor)
            .unwrap()
            .images()
            .unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
}

#[test]
fn indexes_that_nest_without_end_or_multiply_are_refused() {
    let place = Place::new();
    for (width, depth) in [(1, 10), (100, 3)] {
        let directory = place.at(&width.to_string());
        let mut writer = LayoutWriter::create(&directory).unwrap();
        let mut top = Document::new(MediaType::Index, Index::new(Vec::new())).unwrap();
        for _ in 0..depth {
            let inner = writer.add_document(&top).unwrap();
            top = Document::new(MediaType::Index, Index::new(vec![inner; width])).unwrap();
        }
        let top = writer.add_document(&top).unwrap();
        let error = writer.finish(top).unwrap().images().unwrap_err();
        assert!(matches!(error, Error::TooMany { .. }), "{error}");
    }
}

#[test]
fn what_is_neither_image_nor_index_is_refused() {
    let place = Place::new();
    place.image("one", "linux/arm64");
    let media_type = MediaType::Other("application/vnd.example".to_owned());
    let strange = Descriptor::new(media_type, Digest::of(b""), 0);
    let error = name(&place.at("one"), &strange)
        .unwrap()
        .images()
        .unwrap_err();
    assert!(matches!(error, Error::WrongMediaType { .. }), "{error}");
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_behind() {
    let place = Place::new();
    drop(LayoutWriter::create(&place.at("one")).unwrap());
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
}
