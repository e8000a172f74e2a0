//! Images of closures that Nix knows, made by the command line and read by others.

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

/// A place for images, and a cache that is empty at first.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Result<Self> {
        // podman takes the path of a layout for a name, which has no capitals.
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

    /// `slipway pack` of a path to a layout of this name.
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
    let scene = Scene::new()?;
    let layout = scene.pack(&reporter(platform)?, "image", &["--user=65532"])?;
    let podman = Podman::new()?;
    let image = podman.load(&layout, platform)?;
    let arguments = ["--embedded-broker", "--count", "2", "--interval", "0.1s"];
    let said = podman.run(&["--rm"], &image, &arguments).text()?;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    for line in lines {
        assert!(line.ends_with(", PID: 1, UID: 65532"), "{line}");
    }
    Ok(())
}

#[test]
fn what_is_packed_runs_on_this_machine() -> Result<()> {
    runs(&Platform::own()?)
}

#[test]
fn what_is_packed_runs_on_another_machine() -> Result<()> {
    runs(&Platform::foreign()?)
}

#[test]
fn another_reader_finds_what_was_asked_for() -> Result<()> {
    if !met(&[SKOPEO])? {
        return Ok(());
    }
    let scene = Scene::new()?;
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
            let layout = scene.pack(
                &program,
                &format!("{compression}-{}", platform.name),
                &options,
            )?;
            let options = ["--config", "--override-arch", platform.architecture()];
            let config = inspect(&layout, &options)?;
            assert_eq!(config["architecture"], platform.architecture());
            let execution = &config["config"];
            let entrypoint = program.join("bin/reporter");
            assert_eq!(execution["Entrypoint"], json!([entrypoint]));
            assert_eq!(execution["Env"], json!(["KAFKA_HOST=kafka.example"]));
            assert_eq!(execution["ExposedPorts"], json!({"9092/tcp": {}}));
            assert_eq!(execution["Labels"]["team"], "a");
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
fn a_small_change_makes_one_layer_anew_and_back_is_the_same_digest() -> Result<()> {
    let scene = Scene::new()?;
    let platform = Platform::own()?;
    let program = reporter(&platform)?;
    let noted = |note: &str| -> Result<PathBuf> {
        let expression = format!(
            r#"(builtins.getFlake "git+file://{}").lib.forSystem.{}.targets.{}.stdenv.mkDerivation {{
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
    let first = scene.pack(&noted("one")?, "first", &[])?;
    let layers = scene.cached()?;
    assert!(layers > 2, "{layers}");
    let second = scene.pack(&noted("two")?, "second", &[])?;
    assert_eq!(scene.cached()?, layers + 1);
    assert_ne!(digest(&first)?, digest(&second)?);
    let again = scene.pack(&noted("one")?, "again", &[])?;
    assert_eq!(scene.cached()?, layers + 1);
    assert_eq!(digest(&first)?, digest(&again)?);
    Ok(())
}

#[test]
fn a_link_that_nix_made_is_as_good_as_the_path() -> Result<()> {
    let scene = Scene::new()?;
    let platform = Platform::own()?;
    let link = scene.path("result");
    nix(repository())
        .args(["build", &format!(".#reporter-{}", platform.name)])
        .arg("--out-link")
        .arg(&link)
        .text()?;
    let by_link = scene.pack(&link, "by-link", &[])?;
    let path = reporter(&platform)?;
    let by_path = scene.pack(&path, "by-path", &[])?;
    assert_eq!(digest(&by_link)?, digest(&by_path)?);
    Ok(())
}

#[test]
fn what_is_not_in_the_store_is_said() -> Result<()> {
    let scene = Scene::new()?;
    let missing = Path::new("/nix/store/00000000000000000000000000000000-x");
    let said = scene.command(missing, "image", &[])?.failure()?;
    assert_eq!(
        said,
        format!(
            "error: {} is not in the Nix store; build it first\n",
            missing.display()
        )
    );
    let program = reporter(&Platform::own()?)?.join("bin/reporter");
    let said = scene.command(&program, "image", &[])?.failure()?;
    assert!(said.contains("give that one"), "{said}");
    assert!(!scene.path("image").exists());
    Ok(())
}

#[test]
fn platforms_have_every_name_of_the_table() -> Result<()> {
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
