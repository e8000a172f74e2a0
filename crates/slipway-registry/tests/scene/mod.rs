//! An image of two platforms in a layout, and a client that does not wait long.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::PathBuf;
use std::time::Duration;

use slipway_oci::layout::LayoutWriter;
use slipway_oci::{
    Descriptor, Digest, Document, Image, Index, Layer, Layout, MediaType, Timestamp,
};
use slipway_registry::progress::Silent;
use slipway_registry::{Client, Credentials, Options, Patience, Pushed, Reference, Result, Trust};
use tempfile::TempDir;

/// The larger layer, in bytes.
pub const LARGE: usize = 300_000;

pub struct Scene {
    pub directory: TempDir,
    pub layout: Layout,
}

impl Scene {
    /// Two images, of two layers each; they share one. So there are five blobs and two manifests.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("layout");
        let mut writer = LayoutWriter::create(&path).unwrap();
        let noise = |seed: u8, size: usize| -> Vec<u8> {
            let mut state = u32::from(seed) + 1;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..size).map(|_| next()).collect()
        };
        let mut layer = |bytes: &[u8]| {
            let layer = Layer {
                media_type: MediaType::LayerTar,
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                diff_id: Digest::of(bytes),
                uncompressed_size: bytes.len() as u64,
                paths: Vec::new(),
            };
            writer.add_blob_from(&layer.descriptor(), bytes).unwrap();
            layer
        };
        let shared = layer(&noise(0, LARGE));
        let own = [layer(&noise(1, 1000)), layer(&noise(2, 2000))];
        let mut manifests = Vec::new();
        for (platform, own) in ["linux/amd64", "linux/arm64"].iter().zip(own) {
            let image = Image::new(
                platform.parse().unwrap(),
                Default::default(),
                Timestamp::default(),
                [].into(),
                &[shared.clone(), own],
            );
            manifests.push(writer.add_image(&image.unwrap()).unwrap());
        }
        let index = Document::new(MediaType::Index, Index::new(manifests)).unwrap();
        let top = writer.add_document(&index).unwrap();
        let layout = writer.finish(top).unwrap();
        Self { directory, layout }
    }

    pub fn top(&self) -> &Descriptor {
        self.layout.top().unwrap()
    }

    /// The file of the largest layer.
    pub fn large(&self) -> PathBuf {
        let images = self.layout.images().unwrap();
        let layer = images[0].layers().next().unwrap().0.clone();
        self.layout.blob_path(&layer)
    }

    pub fn push(&self, client: &Client, references: &[String]) -> Result<Vec<Pushed>> {
        let references: Vec<Reference> = references.iter().map(|it| it.parse().unwrap()).collect();
        slipway_registry::push(client, &self.layout, self.top(), &references, &Silent)
    }
}

/// Nothing of this machine's settings, and no long waits.
pub fn options() -> Options {
    Options {
        trust: Trust {
            authorities: Vec::new(),
            identity: None,
            directories: Vec::new(),
        },
        credentials: Credentials::default(),
        patience: Patience {
            pause: Duration::from_millis(1),
            tries: 5,
            ..Patience::default()
        },
        ..Options::default()
    }
}

pub fn client() -> Client {
    Client::new(options())
}
