//! Tests of `pack` with real closures. Other programs read the images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::{build, nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::skopeo::{SKOPEO, inspect};
use end_to_end::slipway::slipway;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory for images, and an empty cache.
struct Fixture {
    directory: TempDir,
}

impl Fixture {
    fn new() -> Result<Self> {
        // Podman parses the path of a layout as a name, which must be lowercase.
        let test = thread::current().name().unwrap_or_default().to_owned();
        let directory = tempfile::Builder::new()
            .prefix(&format!("slipway-{}-{test}", process::id()))
            .rand_bytes(0)
            .tempdir()?;
        Ok(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `slipway pack` on a path, with a layout of this name as output.
    fn command(&self, path: &Path, name: &str, options: &[&str]) -> Result<Command> {
        let mut command = slipway(&["pack"])?;
        command
            .arg(path)
            .arg("--output")
            .arg(self.path(name))
            .args(options)
            .env("XDG_CACHE_HOME", self.path("cache"));
        Ok(command)
    }

    fn pack(&self, path: &Path, name: &str, options: &[&str]) -> Result<PathBuf> {
        self.command(path, name, options)?.text()?;
        Ok(self.path(name))
    }

    fn cached(&self) -> Result<usize> {
        Ok(fs::read_dir(self.path("cache/slipway/layers"))?.count())
    }
}

fn reporter(platform: &Platform) -> Result<PathBuf> {
    nix_build(repository(), &format!("reporter-{}", platform.name))
}

fn digest(layout: &Path) -> Result<Value> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    Ok(index["manifests"][0]["digest"].clone())
}

fn runs(platform: &Platform) -> Result<()> {
    if !met(&[Requirement::Podman, Requirement::Runs(platform)])? {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let layout = fixture.pack(&reporter(platform)?, "image", &["--user=65532"])?;
    let podman = Podman::new()?;
    let image = podman.load(&layout, platform)?;
    let arguments = ["--embedded-broker", "--count", "2", "--interval", "0.1s"];
    let printed = podman.run(&["--rm"], &image, &arguments).text()?;
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    for line in lines {
        assert!(line.ends_with(", PID: 1, UID: 65532"), "{line}");
    }
    Ok(())
}

#[test]
fn packed_image_runs_natively() -> Result<()> {
    runs(&Platform::own()?)
}

#[test]
fn packed_image_runs_with_an_emulator() -> Result<()> {
    runs(&Platform::foreign()?)
}

#[test]
fn skopeo_finds_the_requested_configuration() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    for platform in Platform::defaults()? {
        let program = reporter(&platform)?;
        for compression in ["zstd", "gzip"] {
            let options = [
                &format!("--compression={compression}"),
                "--env=KAFKA_HOST=kafka.example",
                "--expose=9092",
                "--label=team=a",
                "--annotation=note=x",
            ];
            let layout = fixture.pack(
                &program,
                &format!("{compression}-{}", platform.name),
                &options,
            )?;
            let options = ["--config", "--override-arch", platform.architecture()];
            let config = inspect(&layout, &options)?;
            assert_eq!(config["architecture"], platform.architecture());
            let runtime = &config["config"];
            let entrypoint = program.join("bin/reporter");
            assert_eq!(runtime["Entrypoint"], json!([entrypoint]));
            assert_eq!(runtime["Env"], json!(["KAFKA_HOST=kafka.example"]));
            assert_eq!(runtime["ExposedPorts"], json!({"9092/tcp": {}}));
            assert_eq!(runtime["Labels"]["team"], "a");
            let manifest = inspect(&layout, &["--raw"])?;
            assert_eq!(manifest["annotations"]["note"], "x");
            let layers = manifest["layers"].as_array().context("no layers")?;
            for layer in layers {
                let kind = layer["mediaType"].as_str().unwrap_or_default();
                assert!(kind.ends_with(compression), "{kind}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_small_change_repacks_one_layer_and_reverting_it_restores_the_digest() -> Result<()> {
    let fixture = Fixture::new()?;
    let platform = Platform::own()?;
    let program = reporter(&platform)?;
    let noted = |note: &str| -> Result<PathBuf> {
        let expression = format!(
            r#"(builtins.getFlake "git+file://{}").lib.{}.targets.{}.stdenv.mkDerivation {{
                name = "noted";
                phases = "install";
                installPhase = "mkdir -p $out/bin; ln -s {}/bin/reporter $out/bin/noted; echo {note} >$out/note";
                program = builtins.storePath "{}";
            }}"#,
            repository().display(),
            platform.nix,
            platform.name,
            program.display(),
            program.display()
        );
        build(repository(), &["--impure", "--expr", &expression])
    };
    let first = fixture.pack(&noted("one")?, "first", &[])?;
    let layers = fixture.cached()?;
    assert!(layers > 2, "{layers}");
    let second = fixture.pack(&noted("two")?, "second", &[])?;
    assert_eq!(fixture.cached()?, layers + 1);
    assert_ne!(digest(&first)?, digest(&second)?);
    let again = fixture.pack(&noted("one")?, "again", &[])?;
    assert_eq!(fixture.cached()?, layers + 1);
    assert_eq!(digest(&first)?, digest(&again)?);
    Ok(())
}

#[test]
fn accepts_a_result_link_of_nix() -> Result<()> {
    let fixture = Fixture::new()?;
    let platform = Platform::own()?;
    let link = fixture.path("result");
    nix(repository())
        .args(["build", &format!(".#reporter-{}", platform.name)])
        .arg("--out-link")
        .arg(&link)
        .text()?;
    let by_link = fixture.pack(&link, "by-link", &[])?;
    let path = reporter(&platform)?;
    let by_path = fixture.pack(&path, "by-path", &[])?;
    assert_eq!(digest(&by_link)?, digest(&by_path)?);
    Ok(())
}

#[test]
fn rejects_a_path_that_is_not_in_the_store() -> Result<()> {
    let fixture = Fixture::new()?;
    let missing = Path::new("/nix/store/00000000000000000000000000000000-x");
    let printed = fixture.command(missing, "image", &[])?.failure()?;
    assert_eq!(
        printed,
        format!(
            "error: {} is not in the Nix store; build it first\n",
            missing.display()
        )
    );
    let program = reporter(&Platform::own()?)?.join("bin/reporter");
    let printed = fixture.command(&program, "image", &[])?.failure()?;
    assert!(printed.contains("give that one"), "{printed}");
    assert!(!fixture.path("image").exists());
    Ok(())
}

#[test]
fn platforms_prints_every_name_of_the_table() -> Result<()> {
    let rows = slipway(&["platforms", "--format", "json"])?.text()?;
    let rows: Vec<Value> = serde_json::from_str(&rows)?;
    let platforms = Platform::all()?;
    assert_eq!(rows.len(), platforms.len());
    for platform in platforms {
        let one = slipway(&["platforms", &platform.oci, "--format", "json"])?.text()?;
        let one: Vec<Value> = serde_json::from_str(&one)?;
        assert_eq!(one[0]["name"], platform.name);
        assert_eq!(one[0]["default"], platform.default);
        assert_eq!(one[0]["elfMachine"], platform.elf_machine);
    }
    Ok(())
}
