//! Base images. `slipway lock` pins them for each platform by digest, and `slipway seed` adds their
//! blobs to the store. Both use the registry logins of the user.

use std::path::Path;

use anyhow::{Context, Result};
use slipway_debian::hash::Sha256;
use slipway_debian::lock::Base;
use slipway_oci::{Digest, Image};
use slipway_registry::{Client, Contents, Credentials, Reference, Repository};

use crate::cli::progress;
use crate::cli::temp_dir::TempDir;

/// Pins the references. Those of `pinned` stay as they are.
pub fn pin(references: &[String], pinned: &[Base]) -> Result<Vec<Base>> {
    let mut bases = Vec::new();
    for reference in references {
        let known = pinned.iter().filter(|row| row.reference == *reference);
        let mut rows: Vec<Base> = known.cloned().collect();
        if rows.is_empty() {
            rows = resolve(reference).with_context(|| format!("base image {reference}"))?;
        }
        bases.extend(rows);
    }
    bases.sort_by(|a, b| (&a.reference, &a.platform).cmp(&(&b.reference, &b.platform)));
    bases.dedup();
    Ok(bases)
}

/// Asks the registry what a reference stands for.
fn resolve(text: &str) -> Result<Vec<Base>> {
    let reference: Reference = text.parse()?;
    let temp_dir = TempDir::new()?;
    let layout = slipway_registry::pull(
        &client(),
        &reference,
        Contents::Documents,
        &temp_dir.path().join("layout"),
        progress::for_stderr().as_ref(),
    )?;
    let digest = layout.top()?.digest.to_string();
    let row = |image: &Image| {
        let manifest = image.manifest().descriptor();
        let mut blobs = vec![sha256(image.config().descriptor().digest)?];
        for (layer, _) in image.layers() {
            let layer = sha256(layer.digest)?;
            if !blobs.contains(&layer) {
                blobs.push(layer);
            }
        }
        Ok(Base {
            reference: text.to_owned(),
            repository: reference.repository().to_string(),
            digest: digest.clone(),
            platform: image.platform().short().to_string(),
            media_type: manifest.media_type.to_string(),
            size: manifest.size,
            manifest: sha256(manifest.digest)?,
            blobs,
        })
    };
    layout.images()?.iter().map(row).collect()
}

/// The digest without its algorithm, which has to be SHA-256.
fn sha256(digest: Digest) -> Result<Sha256> {
    let hex = digest.hex();
    hex.parse()
        .with_context(|| format!("{digest} is not a SHA-256 digest, and Nix needs one"))
}

/// Downloads the image with this manifest into the layout `directory`.
pub fn pull(repository: &str, manifest: &str, directory: &Path) -> Result<()> {
    let repository: Repository = repository.parse()?;
    let reference = repository.pinned(manifest.parse()?);
    slipway_registry::pull(
        &client(),
        &reference,
        Contents::Everything,
        directory,
        progress::for_stderr().as_ref(),
    )?;
    Ok(())
}

/// A client with the registry logins of the user.
pub fn client() -> Client {
    Client::new(slipway_registry::Options {
        credentials: Credentials::of_environment(),
        ..slipway_registry::Options::default()
    })
}
