//! Layouts: written layouts can be read, altered ones are rejected.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use fixture::{directory, file, layout, tar};
use slipway_oci::layout::{LayoutWriter, Part, Taken, merge, merge_parts};
use slipway_oci::{Algorithm, Descriptor, Digest, Document, Error, Index, Layout, MediaType};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A layout for `platform`. Its image has one layer of its own and one that all images share.
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

/// Rewrites `index.json` so that it lists one blob.
fn set_index(layout: &Path, descriptor: &Descriptor) -> Result<Layout, Error> {
    let index = Index::new(vec![descriptor.clone()]);
    let json = serde_json::to_vec(&index).unwrap();
    fs::write(layout.join("index.json"), json).unwrap();
    Layout::open(layout)
}

#[test]
fn layouts_round_trip() {
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
fn a_missing_platform_is_an_error_that_lists_the_available_ones() {
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
fn rejects_altered_blobs_of_every_kind() {
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
fn rejects_truncated_extended_or_missing_blobs_of_every_kind() {
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
fn merging_two_platforms_stores_shared_blobs_once() {
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
fn merging_is_independent_of_the_order_of_layouts() {
    let place = Place::new();
    let arm = place.image("arm", "linux/arm64");
    let amd = place.image("amd", "linux/amd64");
    let one = merge(&place.at("1"), &[arm.clone(), amd.clone()]).unwrap();
    let two = merge(&place.at("2"), &[amd.clone(), arm]).unwrap();
    assert_eq!(one.index(), two.index());
    // Merging an index gives the same result as merging its images.
    let again = merge(&place.at("3"), &[two]).unwrap();
    assert_eq!(one.index(), again.index());
    let error = merge(&place.at("4"), &[one, amd]).unwrap_err();
    assert!(matches!(error, Error::PlatformTwice { .. }), "{error}");
    assert!(!place.at("4").exists());
}

#[test]
fn an_image_is_replaced_only_if_its_part_gives_way() {
    let place = Place::new();
    let part = |name: &str, gives_way| Part {
        name: name.to_owned(),
        layout: place.image(name, "linux/arm64"),
        taken: Taken::Everything,
        gives_way,
    };
    let parts = [part("old", false), part("new", false)];
    let error = merge_parts(&place.at("refused"), &parts, Default::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "linux/arm64 is in old and again in new; name each platform once"
    );
    let other = layout(&place.at("other"), "linux/arm64/v8", &[]);
    let wanted = other.images().unwrap()[0].descriptor();
    for old_is_first in [true, false] {
        let mut parts = vec![
            Part {
                gives_way: true,
                ..part(&format!("old-{old_is_first}"), true)
            },
            Part {
                name: "other".to_owned(),
                layout: other.clone(),
                taken: Taken::Documents,
                gives_way: false,
            },
        ];
        if !old_is_first {
            parts.reverse();
        }
        let directory = place.at(&format!("made-{old_is_first}"));
        let annotations = [("a".to_owned(), "b".to_owned())].into();
        let made = merge_parts(&directory, &parts, annotations).unwrap();
        let index = made.read_index(made.top().unwrap()).unwrap();
        assert_eq!(index.value().manifests, std::slice::from_ref(&wanted));
        assert_eq!(index.value().annotations["a"], "b");
    }
}

#[test]
fn merging_keeps_attestations_of_merged_images() {
    let place = Place::new();
    let one = place.image("one", "linux/arm64");
    let image = one.images().unwrap()[0].descriptor();
    let attestation = |subject: Digest| {
        let mut attestation = image.clone();
        attestation.platform = None;
        let keys = ["vnd.docker.reference.type", "vnd.docker.reference.digest"];
        let values = ["attestation-manifest".to_owned(), subject.to_string()];
        let pairs = keys.map(str::to_owned).into_iter().zip(values);
        attestation.annotations.extend(pairs);
        attestation
    };
    let [own, foreign] = [image.digest, Digest::of(b"gone")].map(attestation);
    let index = Index::new(vec![own.clone(), image.clone(), foreign]);
    let document = Document::new(MediaType::Index, index).unwrap();
    let bytes = document.bytes();
    let top = put(&one, MediaType::Index, Digest::of(bytes), bytes);
    let one = set_index(&place.at("one"), &top).unwrap();
    let made = merge(&place.at("made"), &[one]).unwrap();
    let index = made.read_index(made.top().unwrap()).unwrap();
    assert_eq!(index.value().manifests, [image, own]);
}

#[test]
fn merging_rejects_altered_layers_and_leaves_nothing_behind() {
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
fn rejects_directories_that_are_not_layouts_with_the_reason() {
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
fn rejects_oversized_documents_before_reading_them() {
    let place = Place::new();
    let layout = place.image("one", "linux/arm64");
    for size in [5 << 20, u64::MAX] {
        let mut descriptor = layout.index().manifests[0].clone();
        descriptor.size = size;
        let error = set_index(&place.at("one"), &descriptor)
            .unwrap()
            .images()
            .unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
}

#[test]
fn rejects_deeply_nested_and_multiplying_indexes() {
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

/// Adds a blob with these bytes to a layout.
fn put(layout: &Layout, media_type: MediaType, digest: Digest, bytes: &[u8]) -> Descriptor {
    let blob = Descriptor::new(media_type, digest, bytes.len() as u64);
    let path = layout.blob_path(&blob);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    blob
}

#[test]
fn entries_of_other_tools_do_not_hide_images() {
    let place = Place::new();
    let one = place.image("one", "linux/arm64");
    let image = one.images().unwrap().remove(0);
    // An artifact attached to an image. Source: OCI image-spec 1.1, manifest.md, "Guidelines for
    // Artifact Usage".
    let empty = put(
        &one,
        "application/vnd.oci.empty.v1+json".to_owned().into(),
        Digest::of(b"{}"),
        b"{}",
    );
    let artifact = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"application/vnd.in-toto+json",
            "config":{},"layers":[],"subject":{},"annotations":null}}"#,
        MediaType::Manifest,
        serde_json::to_string(&empty).unwrap(),
        serde_json::to_string(&image.descriptor()).unwrap(),
    );
    let bytes = artifact.as_bytes();
    let artifact = put(&one, MediaType::Manifest, Digest::of(bytes), bytes);

    let entry = |extra: &str, digest: Digest, size: u64| {
        let media_type = MediaType::Manifest;
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{extra}}}"#)
    };
    let (digest, size) = (image.descriptor().digest, image.descriptor().size);
    let attests = r#","artifactType":"application/vnd.in-toto+json""#;
    let buildkit = format!(
        r#","annotations":{{"vnd.docker.reference.digest":"{digest}","vnd.docker.reference.type":"attestation-manifest"}},
            "platform":{{"architecture":"unknown","os":"unknown"}}"#
    );
    let nameless = r#","annotations":null,"platform":{"architecture":"","os":""}"#;
    for (others, own) in [
        (vec![entry(attests, artifact.digest, artifact.size)], ""),
        (vec![entry("", artifact.digest, artifact.size)], ""),
        (vec![entry(&buildkit, artifact.digest, artifact.size)], ""),
        (vec![], nameless),
        (
            vec![],
            r#","platform":{"architecture":"arm 64","os":"linux"}"#,
        ),
        (vec![r#"{"mediaType":7}"#.to_owned(), "null".to_owned()], ""),
        (
            vec![entry("", artifact.digest, artifact.size).replace("oci.image.manifest", "other")],
            "",
        ),
    ] {
        let entries = [others, vec![entry(own, digest, size)]].concat().join(",");
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{entries}],"annotations":null}}"#);
        let bytes = index.as_bytes();
        let top = put(&one, MediaType::Index, Digest::of(bytes), bytes);
        let read = set_index(&place.at("one"), &top).unwrap();
        let found: Vec<Digest> = read
            .images()
            .unwrap()
            .iter()
            .map(|it| it.descriptor().digest)
            .collect();
        assert_eq!(found, [digest], "{index}");
    }
}

#[test]
fn reads_and_checks_sha512_blobs() {
    let place = Place::new();
    let one = place.image("one", "linux/arm64");
    let image = one.images().unwrap().remove(0);
    let bytes = fs::read(one.blob_path(&image.descriptor())).unwrap();
    let digest = Digest::with(Algorithm::Sha512, &bytes);
    let manifest = put(&one, MediaType::Manifest, digest, &bytes);
    let read = set_index(&place.at("one"), &manifest).unwrap();
    assert_eq!(read.images().unwrap()[0].descriptor().digest, digest);

    let mut writer = LayoutWriter::create(&place.at("other")).unwrap();
    writer
        .add_blob(&manifest, &read.blob_path(&manifest))
        .unwrap();
    let other = writer.finish(manifest.clone()).unwrap();
    assert!(other.blob_path(&manifest).ends_with(digest.blob_path()));

    fs::write(read.blob_path(&manifest), vec![b' '; bytes.len()]).unwrap();
    let error = read.images().unwrap_err();
    assert!(matches!(error, Error::BlobDigest { .. }), "{error}");
}

#[test]
fn rejects_entries_that_are_neither_image_nor_index() {
    let place = Place::new();
    place.image("one", "linux/arm64");
    let media_type = MediaType::Other("application/vnd.example".to_owned());
    let strange = Descriptor::new(media_type, Digest::of(b""), 0);
    let error = set_index(&place.at("one"), &strange)
        .unwrap()
        .images()
        .unwrap_err();
    assert!(matches!(error, Error::WrongMediaType { .. }), "{error}");
}

#[test]
fn dropping_a_writer_leaves_nothing_behind() {
    let place = Place::new();
    drop(LayoutWriter::create(&place.at("one")).unwrap());
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
}
