//! Release files in a registry: an artifact with a blob for each file. Source: OCI image-spec,
//! manifest.md, "Guidelines for Artifact Usage". `oras pull` reads it as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use slipway_oci::layout::{DOCUMENT_LIMIT, LayoutWriter};
use slipway_oci::{Descriptor, Digest, Document, Layout, MediaType};

use crate::cli::temp_dir::TempDir;
use crate::release::dist::Artifact;
use crate::release::source::Source;

/// The type of the artifact.
const RELEASE: &str = "application/vnd.slipway.release.v1";
/// The config of an artifact that has none. Source: OCI image-spec, manifest.md, "Guidance for an
/// Empty Descriptor".
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// Annotations. Source: OCI image-spec, annotations.md.
const CREATED: &str = "org.opencontainers.image.created";
const REVISION: &str = "org.opencontainers.image.revision";
const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";

/// Media types by the end of a file's name.
const MEDIA_TYPES: [(&str, &str); 10] = [
    (".deb", "application/vnd.debian.binary-package"),
    (".json", "application/json"),
    (".md", "text/markdown"),
    (".nix", "text/plain"),
    (".rb", "text/plain"),
    (".rpm", "application/x-rpm"),
    (".tar.gz", "application/gzip"),
    (".tar.zst", "application/zstd"),
    (".txt", "text/plain"),
    (".zip", "application/zip"),
];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: MediaType,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Writes an image layout of the files in `dist` to the new directory `layout`.
pub fn pack(dist: &Path, artifacts: &[Artifact], source: &Source, layout: &Path) -> Result<Layout> {
    let mut writer = LayoutWriter::create(layout)?;
    let mut layers = Vec::new();
    for one in artifacts {
        let known = MEDIA_TYPES.iter().find(|(end, _)| one.name.ends_with(end));
        let media_type = known.map_or("application/octet-stream", |(_, media_type)| media_type);
        let mut blob = Descriptor::new(
            MediaType::Other(media_type.to_owned()),
            one.digest.parse()?,
            one.size,
        );
        writer.add_blob(&blob, &dist.join(&one.name))?;
        blob.annotations.insert(TITLE.to_owned(), one.name.clone());
        layers.push(blob);
    }
    let (media_type, bytes) = EMPTY;
    let config = Descriptor::new(
        MediaType::Other(media_type.to_owned()),
        Digest::of(bytes),
        bytes.len() as u64,
    );
    writer.add_blob_from(&config, bytes)?;
    let annotations = [
        (CREATED, source.time.to_string()),
        (REVISION, source.commit.clone()),
        (VERSION, source.version.to_string()),
    ];
    let manifest = Manifest {
        schema_version: 2,
        media_type: MediaType::Manifest,
        artifact_type: RELEASE.to_owned(),
        config,
        layers,
        annotations: annotations
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    };
    let top = writer.add_document(&Document::new(MediaType::Manifest, manifest)?)?;
    Ok(writer.finish(top)?)
}

/// Copies the files of an artifact to the new or empty directory `output`. Returns their names.
pub fn unpack(layout: &Layout, output: &Path) -> Result<Vec<String>> {
    let top = layout.top()?;
    let mut bytes = Vec::new();
    if top.size > DOCUMENT_LIMIT {
        bail!("the manifest {} is larger than any", top.digest);
    }
    layout.copy_blob(top, &mut bytes)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not the manifest of an artifact", top.digest))?;
    let place = TempDir::beside(output)?;
    let files = place.path().join("files");
    fs::create_dir(&files).with_context(|| format!("making {}", files.display()))?;
    let mut names = Vec::new();
    for blob in &manifest.layers {
        let Some(name) = blob.annotations.get(TITLE) else {
            bail!(
                "the blob {} has no file name; this is not an artifact of files",
                blob.digest
            );
        };
        // A path could lead out of the directory.
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            bail!("the artifact has a file {name:?}, which is not a plain name; refused");
        }
        let path = files.join(name);
        let mut file = fs::File::create_new(&path)
            .with_context(|| format!("writing {} of the artifact", path.display()))?;
        layout.copy_blob(blob, &mut file)?;
        names.push(name.clone());
    }
    let renaming = || format!("renaming the finished files to {}", output.display());
    // Only an empty directory is replaced.
    fs::rename(&files, output).with_context(renaming)?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use slipway_oci::Timestamp;

    use super::*;

    fn packed(name: &str) -> (tempfile::TempDir, Layout) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("dist")).unwrap();
        fs::write(place.path().join("dist/file"), "text").unwrap();
        fs::write(place.path().join("dist/tool.zip"), "text").unwrap();
        let artifacts = [Artifact {
            name: name.to_owned(),
            platform: None,
            libc: None,
            kind: "archive",
            digest: Digest::of(b"text").to_string(),
            size: 4,
        }];
        let source = Source {
            version: "1.2.3".parse().unwrap(),
            tag: None,
            previous: None,
            commit: "abc".into(),
            repository: place.path().to_owned(),
            time: Timestamp::from_unix_seconds(1),
        };
        let layout = pack(
            &place.path().join("dist"),
            &artifacts,
            &source,
            &place.path().join("layout"),
        );
        (place, layout.unwrap())
    }

    #[test]
    fn files_come_back() {
        let (place, layout) = packed("tool.zip");
        let output = place.path().join("output");
        assert_eq!(unpack(&layout, &output).unwrap(), ["tool.zip"]);
        assert_eq!(fs::read(output.join("tool.zip")).unwrap(), b"text");
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let (place, layout) = packed("../dist/file");
        let output = place.path().join("output");
        let error = unpack(&layout, &output).unwrap_err().to_string();
        assert!(error.contains("not a plain name"), "{error}");
        assert!(!output.exists());
    }
}
