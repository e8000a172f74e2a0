//! Tests of `inspect` and `verify`, with the images from Nix and with copies that have one fault.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::slipway::slipway;
use serde_json::Value;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Descriptor, Digest, Document, Layout, MediaType};
use tar::{EntryType, Header};
use tempfile::TempDir;

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("path")
}

fn index() -> Result<PathBuf> {
    nix_build(repository(), "image")
}

/// The output of `inspect` about the image for a platform.
fn image(layout: &Path, platform: &Platform) -> Result<Value> {
    let arguments = ["inspect", text(layout)?, "--platform", &platform.oci];
    let found = slipway(&[&arguments[..], &["--format", "json"]].concat())?.text()?;
    let found: Value = serde_json::from_str(&found)?;
    Ok(found["images"][0].clone())
}

#[test]
fn inspect_prints_the_packages_and_store_paths_of_each_layer() -> Result<()> {
    for platform in Platform::defaults()? {
        let image = image(&index()?, &platform)?;
        assert_eq!(image["platform"], platform.oci);
        let layers = image["layers"].as_array().context("no layers")?;
        let packages: Vec<&str> = layers
            .iter()
            .filter_map(|layer| layer["packages"][0]["name"].as_str())
            .collect();
        assert!(
            packages.contains(&"libc6") && packages.contains(&"libssl3t64"),
            "{packages:?}"
        );
        for layer in layers {
            let package = &layer["packages"][0];
            if package["name"] == "libc6" {
                assert_eq!(package["architecture"], platform.debian);
            }
        }
        let last = &layers[layers.len() - 1]["storePaths"][0];
        let last = last.as_str().context("no store path")?;
        assert!(
            image["entrypoint"][0]
                .as_str()
                .context("no entrypoint")?
                .starts_with(last)
        );
    }
    Ok(())
}

#[test]
fn inspect_marks_layers_that_platforms_share() -> Result<()> {
    let shown = slipway(&["inspect", text(&index()?)?])?.text()?;
    let shared: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains(" shared "))
        .collect();
    // Each image has one layer of its own for the files at /, such as certificates.
    assert_eq!(shared.len(), Platform::defaults()?.len(), "{shown}");
    assert_eq!(shared[0], shared[1]);
    Ok(())
}

#[test]
fn verify_finds_no_fault_in_the_images() -> Result<()> {
    let printed = slipway(&["verify", text(&index()?)?])?.text()?;
    assert_eq!(
        printed.lines().count(),
        Platform::defaults()?.len(),
        "{printed}"
    );
    for platform in Platform::defaults()? {
        assert!(
            printed.contains(&format!("{}: ok: ", platform.oci)),
            "{printed}"
        );
    }
    Ok(())
}

/// An entry of a layer: its name, mode and content.
struct Entry {
    name: String,
    mode: u32,
    content: Vec<u8>,
}

fn entry(name: impl Into<String>, mode: u32) -> Entry {
    let content = b"content".to_vec();
    let name = name.into().trim_start_matches('/').to_owned();
    Entry {
        name,
        mode,
        content,
    }
}

/// A whiteout, which hides the file at a path.
fn whiteout(path: &str) -> Result<Entry> {
    let (directory, name) = path.rsplit_once('/').context("path")?;
    Ok(entry(format!("{directory}/.wh.{name}"), 0o444))
}

/// Copies the image for a platform into a new layout, and adds one layer.
fn with_layer(platform: &Platform, entries: &[Entry]) -> Result<(TempDir, PathBuf)> {
    let mut tar = tar::Builder::new(Vec::new());
    for Entry {
        name,
        mode,
        content,
    } in entries
    {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, &content[..])?;
    }
    let tar = tar.into_inner()?;
    let layer = Descriptor::new(MediaType::LayerTar, Digest::of(&tar), tar.len() as u64);

    let from = Layout::open(&index()?)?;
    let image = from.image(&platform.oci.parse()?)?;
    let mut config = image.config().value().clone();
    config.rootfs.diff_ids.push(layer.digest);
    let config = Document::new(MediaType::Config, config)?;
    let mut manifest = image.manifest().value().clone();
    manifest.layers.push(layer.clone());
    manifest.config = config.descriptor().clone();
    let manifest = Document::new(MediaType::Manifest, manifest)?;

    let place = tempfile::tempdir()?;
    let directory = place.path().join("layout");
    let mut writer = LayoutWriter::create(&directory)?;
    for (blob, _) in image.layers() {
        writer.add_blob(blob, &from.blob_path(blob))?;
    }
    writer.add_blob_from(&layer, &tar[..])?;
    writer.add_document(&config)?;
    let top = writer.add_document(&manifest)?;
    writer.finish(top)?;
    Ok((place, directory))
}

/// Checks that `verify` prints this fault and no other.
fn assert_found(layout: &Path, platform: &Platform, fault: &str) -> Result<()> {
    let output = slipway(&["verify", text(layout)?])?.outcome()?;
    let printed = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1), "{printed}");
    let line = format!("{}: {fault}", platform.oci);
    ensure!(printed.contains(&line), "not found: {line}\n{printed}");
    let summary = printed.lines().last().unwrap_or_default();
    ensure!(
        summary.starts_with(&format!("{}: 1 fault: ", platform.oci)),
        "{printed}"
    );
    Ok(())
}

/// The path in an image of a library from a package.
fn library(layout: &Path, platform: &Platform, package: &str, library: &str) -> Result<String> {
    let image = image(layout, platform)?;
    let layers = image["layers"].as_array().context("no layers")?;
    let layer = layers
        .iter()
        .find(|it| it["packages"][0]["name"] == package);
    let path = &layer.context("no such package")?["storePaths"][0];
    let layout = Layout::open(layout)?;
    let names = names(&layout, platform)?;
    let found = names.into_iter().find(|name| {
        let name = format!("/{name}");
        name.starts_with(path.as_str().unwrap_or("-")) && name.ends_with(&format!("/{library}"))
    });
    found.with_context(|| format!("no {library}"))
}

fn names(layout: &Layout, platform: &Platform) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (blob, diff_id) in layout.image(&platform.oci.parse()?)?.layers() {
        layout.read_layer(blob, diff_id, u64::MAX, |entry| {
            names.push(String::from_utf8_lossy(&entry.name).into_owned());
            Ok(())
        })?;
    }
    Ok(names)
}

fn entrypoint(layout: &Path, platform: &Platform) -> Result<String> {
    let entrypoint = &image(layout, platform)?["entrypoint"][0];
    Ok(entrypoint.as_str().context("no entrypoint")?.to_owned())
}

/// The entrypoint program of the image for a platform.
fn program(platform: &Platform) -> Result<Vec<u8>> {
    let path = entrypoint(&index()?, platform)?;
    let layout = Layout::open(&index()?)?;
    let mut content = Vec::new();
    for (blob, diff_id) in layout.image(&platform.oci.parse()?)?.layers() {
        layout.read_layer(blob, diff_id, u64::MAX, |entry| {
            if entry.name == path.as_bytes()[1..] {
                let read = entry.body.read_to_end(&mut content);
                read.map_err(slipway_oci::Error::io("read", path.as_ref()))?;
            }
            Ok(())
        })?;
    }
    Ok(content)
}

#[test]
fn verify_finds_a_missing_library() -> Result<()> {
    for platform in Platform::defaults()? {
        let library = library(&index()?, &platform, "libssl3t64", "libssl.so.3")?;
        let (_place, layout) = with_layer(&platform, &[whiteout(&library)?])?;
        assert_found(&layout, &platform, "/nix/store/")?;
        let printed = slipway(&["verify", text(&layout)?])?.outcome()?.stdout;
        let printed = String::from_utf8(printed)?;
        assert!(
            printed.contains("needs libssl.so.3, which the loader does not find"),
            "{printed}"
        );
    }
    Ok(())
}

#[test]
fn verify_finds_a_program_for_the_wrong_platform() -> Result<()> {
    let platforms = Platform::defaults()?;
    for (platform, other) in platforms.iter().zip(platforms.iter().cycle().skip(1)) {
        let foreign = Entry {
            content: program(other)?,
            ..entry("bin/foreign", 0o555)
        };
        let (_place, layout) = with_layer(platform, &[foreign])?;
        let fault = format!(
            "/bin/foreign: is for {}, the image for {}\n",
            other.oci, platform.oci
        );
        assert_found(&layout, platform, &fault)?;
    }
    Ok(())
}

#[test]
fn verify_finds_setuid_and_world_writable_modes() -> Result<()> {
    for platform in Platform::defaults()? {
        let (_place, layout) = with_layer(&platform, &[entry("bin/su", 0o4755)])?;
        assert_found(
            &layout,
            &platform,
            "/bin/su: runs as its owner, whoever starts it",
        )?;
        let (_place, layout) = with_layer(&platform, &[entry("etc/open", 0o666)])?;
        assert_found(
            &layout,
            &platform,
            "/etc/open: can be written by everyone (mode 0666)\n",
        )?;
    }
    Ok(())
}

#[test]
fn verify_finds_a_missing_entrypoint() -> Result<()> {
    for platform in Platform::defaults()? {
        let program = entrypoint(&index()?, &platform)?;
        let (_place, layout) = with_layer(&platform, &[whiteout(&program)?])?;
        let fault = format!("{program}: is what the image runs, and is not in it\n");
        assert_found(&layout, &platform, &fault)?;
    }
    Ok(())
}

#[test]
fn verify_finds_a_truncated_or_changed_blob() -> Result<()> {
    for platform in Platform::defaults()? {
        for damage in ["bytes, its descriptor says ", "has the digest "] {
            let (_place, directory) = with_layer(&platform, &[entry("etc/x", 0o444)])?;
            let layout = Layout::open(&directory)?;
            let image = layout.image(&platform.oci.parse()?)?;
            let (blob, _) = image.layers().nth(1).context("no second layer")?;
            let path = layout.blob_path(blob);
            let mut bytes = fs::read(&path)?;
            match damage {
                "has the digest " => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                }
                _ => bytes.truncate(bytes.len() - 1),
            }
            // Store files are read-only, and so are their copies.
            fs::remove_file(&path)?;
            fs::File::create(&path)?.write_all(&bytes)?;
            assert_found(
                &directory,
                &platform,
                &format!("layer 2: blob {}", blob.digest),
            )?;
            let printed = slipway(&["verify", text(&directory)?])?.outcome()?.stdout;
            assert!(String::from_utf8(printed)?.contains(damage));
        }
    }
    Ok(())
}
