//! A layout on disk with an image of one layer.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use slipway_oci::{Digest, Image, Layout, MediaType};
use tempfile::TempDir;

pub struct OneLayer {
    directory: TempDir,
    /// The blobs of the last image.
    blobs: Vec<PathBuf>,
}

thread_local! {
    static LAYOUT: RefCell<OneLayer> = RefCell::new(OneLayer::new());
}

impl OneLayer {
    /// Calls a function with the layout of this process.
    pub fn with(use_it: impl FnOnce(&mut OneLayer)) {
        LAYOUT.with_borrow_mut(use_it);
    }

    fn new() -> OneLayer {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("blobs/sha256")).expect("the directory of blobs");
        let mark = r#"{"imageLayoutVersion":"1.0.0"}"#;
        fs::write(directory.path().join("oci-layout"), mark).expect("the mark");
        OneLayer {
            directory,
            blobs: Vec::new(),
        }
    }

    /// Replaces the image. The DiffID is right if the layer is not compressed.
    pub fn write(&mut self, media_type: MediaType, layer: &[u8]) -> Image {
        for blob in self.blobs.drain(..) {
            let _ = fs::remove_file(blob);
        }
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
        let layer = self.blob(&media_type, layer);
        let config = self.blob(&MediaType::Config, config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let manifest = self.blob(&MediaType::Manifest, manifest.to_string().as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        let path = self.directory.path().join("index.json");
        fs::write(path, index.to_string()).expect("the index");
        let images = self.open().images().expect("the image");
        images.into_iter().next().expect("one image")
    }

    pub fn open(&self) -> Layout {
        Layout::open(self.directory.path()).expect("the layout")
    }

    fn blob(&mut self, media_type: &MediaType, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let path = self.directory.path().join(digest.blob_path());
        fs::write(&path, bytes).expect("the blob");
        self.blobs.push(path);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }
}
