//! The images as read by skopeo, which is independent of Slipway.

use std::fs;

use anyhow::{Context, Result};
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::requirement::met;
use end_to_end::skopeo::{SKOPEO, choosing, inspect, skopeo};
use serde_json::{Value, json};

#[test]
fn image_is_for_its_platform_and_does_not_run_as_root() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    for platform in Platform::all()? {
        let layout = nix_build(repository(), &platform.image())?;
        let config = inspect(&layout, &[&["--config"], &choosing(&platform)[..]].concat())?;
        assert_eq!(config["architecture"], platform.architecture());
        assert_eq!(config["variant"].as_str(), platform.variant());
        assert_eq!(config["os"], "linux");
        assert_eq!(config["config"]["User"], "65532:65532");
        let entrypoint = config["config"]["Entrypoint"].as_array();
        let [program] = &entrypoint.context("no entrypoint")?[..] else {
            anyhow::bail!("the entrypoint is not one word: {config}");
        };
        let program = program.as_str().unwrap_or_default();
        assert!(
            program.starts_with("/nix/store/") && program.ends_with("-reporter/bin/reporter"),
            "{program}"
        );
        let environment = config["config"]["Env"].as_array().context("no Env")?;
        assert!(
            environment.contains(&json!("SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")),
            "{environment:?}"
        );
    }
    Ok(())
}

#[test]
fn image_has_opencontainers_labels() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    for platform in Platform::all()? {
        let layout = nix_build(repository(), &platform.image())?;
        let image = inspect(&layout, &choosing(&platform))?;
        let label = |name: &str| {
            let label = image["Labels"][format!("org.opencontainers.image.{name}")].as_str();
            label
                .map(String::from)
                .with_context(|| format!("no label {name}: {image}"))
        };
        assert_eq!(label("title")?, "reporter");
        assert_eq!(label("version")?, env!("CARGO_PKG_VERSION"));
        assert_eq!(label("source")?, env!("CARGO_PKG_REPOSITORY"));
        assert_eq!(label("licenses")?, env!("CARGO_PKG_LICENSE"));
        let revision = label("revision")?;
        assert!(
            revision.len() == 64 && revision.bytes().all(|b| b.is_ascii_hexdigit()),
            "{revision}"
        );
    }
    Ok(())
}

#[test]
fn layers_use_zstd_and_are_below_8_mb_in_total() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    for platform in Platform::all()? {
        let layout = nix_build(repository(), &platform.image())?;
        let manifest = inspect(&layout, &["--raw"])?;
        let layers = manifest["layers"].as_array().context("no layers")?;
        for layer in layers {
            assert_eq!(
                layer["mediaType"],
                "application/vnd.oci.image.layer.v1.tar+zstd"
            );
        }
        let size: u64 = layers
            .iter()
            .filter_map(|layer| layer["size"].as_u64())
            .sum();
        assert!(
            size > 0 && size < 8_000_000,
            "{}: {size} bytes",
            platform.oci
        );
    }
    Ok(())
}

#[test]
fn libc_openssl_librdkafka_and_the_reporter_have_separate_layers() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    for platform in Platform::all()? {
        let layout = nix_build(repository(), &platform.image())?;
        let config = inspect(&layout, &[&["--config"], &choosing(&platform)[..]].concat())?;
        let history = config["history"].as_array().context("no history")?;
        let count = |list: &Value| list.as_array().map(Vec::len);
        assert_eq!(Some(history.len()), count(&config["rootfs"]["diff_ids"]));
        for part in ["-libc6_", "-libssl3", "-librdkafka-", "-reporter"] {
            let made_of: Vec<&str> = history
                .iter()
                .filter_map(|layer| layer["created_by"].as_str())
                .filter(|by| by.contains(part))
                .collect();
            let [only] = made_of[..] else {
                anyhow::bail!("{part} is not in one layer: {made_of:?}");
            };
            assert_eq!(only.matches("/nix/store/").count(), 1, "{only}");
        }
    }
    Ok(())
}

fn assert_contains_images_of(index: &str, platforms: &[Platform]) -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let index = nix_build(repository(), index)?;
    let manifests = inspect(&index, &["--raw"])?["manifests"].clone();
    let manifests = manifests.as_array().context("no manifests")?.clone();
    assert_eq!(manifests.len(), platforms.len());
    for platform in platforms {
        let image = nix_build(repository(), &platform.image())?;
        let own: Value = serde_json::from_slice(&fs::read(image.join("index.json"))?)?;
        let entry = manifests
            .iter()
            .find(|entry| entry["platform"]["architecture"] == platform.architecture())
            .with_context(|| format!("no {}", platform.oci))?;
        assert_eq!(entry["platform"]["variant"].as_str(), platform.variant());
        assert_eq!(entry["digest"], own["manifests"][0]["digest"]);
        let chosen = inspect(&index, &choosing(platform))?;
        assert_eq!(chosen["Architecture"], platform.architecture());
    }
    Ok(())
}

#[test]
fn index_contains_the_image_of_every_default_platform() -> Result<()> {
    assert_contains_images_of("image", &Platform::defaults()?)
}

#[test]
fn image_all_contains_the_image_of_every_platform() -> Result<()> {
    assert_contains_images_of("image-all", &Platform::all()?)
}

#[test]
fn copies_by_skopeo_keep_their_digests() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let index = nix_build(repository(), "image")?;
    let directory = tempfile::tempdir()?;
    let name = |kind: &str| format!("{kind}:{}", directory.path().join(kind).display());
    let copy = |from: &str, to: &str| {
        skopeo(&["copy", "--quiet", "--all", "--preserve-digests", from, to])
    };
    copy(&format!("oci:{}", index.display()), &name("dir"))?;
    copy(&name("dir"), &name("oci"))?;
    let digest = |layout: &std::path::Path| -> Result<Value> {
        let text = fs::read(layout.join("index.json"))?;
        Ok(serde_json::from_slice::<Value>(&text)?["manifests"][0]["digest"].clone())
    };
    assert_eq!(digest(&index)?, digest(&directory.path().join("oci"))?);
    Ok(())
}
