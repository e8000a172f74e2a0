//! A layout with an image of one layer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use slipway_oci::{Digest, Image, Layout, MediaType};
use tempfile::TempDir;

pub struct OneLayer(TempDir);

impl OneLayer {
    /// Writes the layout. The DiffID is correct if the layer is not compressed.
    pub fn new(media_type: MediaType, layer: &[u8]) -> Self {
        let it = Self(tempfile::tempdir().expect("a temporary directory"));
        fs::create_dir_all(it.directory().join("blobs/sha256")).expect("a directory of blobs");
        it.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        let config = json!({
            "os": "linux",
            "architecture": "amd64",
            "config": {
                "Entrypoint": ["bin/tool"],
                "Env": ["PATH=/bin:/usr/bin", "LD_LIBRARY_PATH=/opt/lib"],
                "User": "user:group",
                "WorkingDir": "/home",
            },
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer)]},
        });
        let layer = it.blob(&media_type, layer);
        let config = it.blob(&MediaType::Config, config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let manifest = it.blob(&MediaType::Manifest, manifest.to_string().as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        it.write("index.json", index.to_string().as_bytes());
        it
    }

    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    pub fn open(&self) -> Layout {
        Layout::open(self.directory()).expect("the layout is valid")
    }

    pub fn image(&self) -> Image {
        let images = self.open().images().expect("the image is valid");
        images.into_iter().next().expect("there is one image")
    }

    fn blob(&self, media_type: &MediaType, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.write(&digest.blob_path(), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.directory().join(name), bytes).expect("the file can be written");
    }
}
