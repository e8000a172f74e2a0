//! Tests of `slipway render` with the manifests in deploy/ and a registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::kustomize::{documents, render};
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::registry::{Guard, REGISTRY, Registry};
use end_to_end::reporter::Reporter;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;

const OVERLAY: &str = "deploy/overlays/plaintext";

/// `slipway render` with the kubectl that Nix pins.
fn slipway_render(arguments: &[&str]) -> Result<Command> {
    let kubectl = nix_build(repository(), "kubectl")?.join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = slipway(&[&["render"], arguments].concat())?;
    command.env("PATH", format!("{}:{path}", kubectl.display()));
    Ok(command)
}

/// Renders a kustomization that applies a component to the overlay.
fn with_component(component: &str) -> Result<String> {
    let place = tempfile::tempdir()?;
    let deploy = place.path().join("deploy");
    Command::new("cp")
        .arg("-r")
        .args([&repository().join("deploy"), &deploy])
        .text()?;
    let pinned = deploy.join("pinned");
    fs::create_dir(&pinned)?;
    fs::write(pinned.join("kustomization.yaml"), component)?;
    let top = deploy.join("top");
    fs::create_dir(&top)?;
    fs::write(
        top.join("kustomization.yaml"),
        "resources: [../overlays/plaintext]\ncomponents: [../pinned]\n",
    )?;
    render(&top)
}

#[test]
fn manifests_get_the_digest_of_the_registry_and_nothing_else_changes() -> Result<()> {
    if !met(&[REGISTRY])? {
        return Ok(());
    }
    let registry = Registry::start(Guard::Open)?;
    let repository_name = format!("{}/reporter", registry.host());
    let layout = nix_build(repository(), "image")?.display().to_string();
    let tag = format!("{repository_name}:1.0");
    let pushed = slipway(&["push", &layout, &tag])?.text()?;
    let (_, digest) = pushed.trim().split_once('@').context("no digest")?;

    let image = format!("localhost:5000/reporter={tag}");
    let rendered = slipway_render(&[OVERLAY, "--image", &image])?.text()?;
    let expected = render(&repository().join(OVERLAY))?.replace(
        "localhost:5000/reporter:dev",
        &format!("{repository_name}@{digest}"),
    );
    assert_eq!(rendered, expected);

    let arguments = [OVERLAY, "--image", &image, "--format", "kustomize"];
    let component = slipway_render(&arguments)?.text()?;
    assert_eq!(with_component(&component)?, expected);

    let compose = fs::read_to_string(compose_file())?;
    let image = format!("localhost/reporter={tag}");
    let rendered = slipway_render(&["deploy/compose", "--image", &image])?.text()?;
    let expected = compose.replace(
        "localhost/reporter:dev",
        &format!("{repository_name}@{digest}"),
    );
    assert_eq!(rendered, expected);

    let missing = format!("localhost:5000/reporter={repository_name}:2.0");
    let error = slipway_render(&[OVERLAY, "--image", &missing])?.failure()?;
    assert!(error.contains(&format!("{repository_name}:2.0")), "{error}");
    Ok(())
}

fn compose_file() -> PathBuf {
    Path::new(repository()).join("deploy/compose/compose.yaml")
}

#[test]
fn compose_service_reports_to_kafka() -> Result<()> {
    if !met(&[Requirement::Kafka, Requirement::Podman])? {
        return Ok(());
    }
    let compose = documents(&fs::read_to_string(compose_file())?)?.remove(0);
    let service = &compose["services"]["reporter"];
    let settings = service["environment"].as_object().context("no settings")?;
    let mut settings: BTreeMap<&str, &str> = settings
        .iter()
        .filter_map(|(name, value)| Some((&**name, value.as_str()?)))
        .collect();
    let kafka = Kafka::start(&[])?;
    // The network of the machine takes the place of Compose's.
    settings.insert("KAFKA_HOST", kafka.address(Listener::Plaintext));
    settings.insert("REPORT_HTTP_PORT", "0");
    let options: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("--env={name}={value}"))
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let reporter = Reporter::new(&Platform::own()?)?;
    let ended = reporter.start(&options, &["--count=1"])?.wait()?;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(kafka.end_offset("info")?, 1, "{}", ended.log);
    Ok(())
}
