//! Debian's newest Nix, in its own root with an empty store, evaluates to the same derivations as
//! the machine's Nix, and builds the same image from the same seeds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::distribution;
use end_to_end::nix::{derivation, nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::repository::{Copy, repository};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;
use tempfile::TempDir;

/// A command in the root of the newest Nix.
fn in_root(store: &Path, sources: &Path, command: &[&str]) -> Command {
    let settings = "experimental-features = nix-command flakes\nmax-jobs = auto\nsandbox = true\nsubstitute = false";
    let root = repository().join("target/newest-nix");
    let mut chroot = distribution::in_root(&root, store, sources);
    chroot.args(command).env("NIX_CONFIG", settings);
    chroot
}

/// The seeds of an output: all fixed-output derivations that it depends on.
fn seeds(attribute: &str) -> Result<Vec<String>> {
    let derivations = nix(repository())
        .args(["show-derivation", "--recursive", &format!(".#{attribute}")])
        .text()?;
    let derivations: Value = serde_json::from_str(&derivations)?;
    let derivations = derivations.as_object().context("no derivations")?;
    let outputs = derivations
        .values()
        .map(|derivation| &derivation["outputs"]["out"]);
    let pinned = outputs.filter(|output| output["hash"].is_string());
    let paths = pinned.filter_map(|output| output["path"].as_str());
    Ok(paths.map(str::to_owned).collect())
}

/// The sources, and an empty store for the newest Nix. A store is too large for a /tmp in memory.
fn fixture() -> Result<Option<(TempDir, Copy)>> {
    if !met(&[Requirement::NewestNix])? {
        return Ok(None);
    }
    let store = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    Ok(Some((store, Copy::new()?)))
}

#[test]
fn newest_nix_evaluates_the_same_derivations() -> Result<()> {
    let Some((store, sources)) = fixture()? else {
        return Ok(());
    };
    let machines = Platform::all()?.into_iter().filter(|it| it.builds);
    for machine in machines {
        let all = format!("packages.{}.image-all", machine.nix);
        let evaluate = ["nix", "eval", "--raw", &format!(".#{all}.drvPath")];
        let found = in_root(store.path(), sources.path(), &evaluate).text()?;
        assert_eq!(found, derivation(repository(), &all)?);
    }
    Ok(())
}

#[test]
#[ignore = "long: builds everything that an image needs from its seeds"]
fn newest_nix_builds_the_same_image() -> Result<()> {
    let Some((store, sources)) = fixture()? else {
        return Ok(());
    };
    let run = |command: &[&str]| in_root(store.path(), sources.path(), command);
    let image = Platform::own()?.image();
    let expected = nix_build(repository(), &image)?;
    slipway(&["seed", "--locked", &format!(".#{image}")])?.text()?;
    let mut exported = Command::new("nix-store")
        .arg("--export")
        .args(seeds(&image)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut import = run(&["nix-store", "--import"]);
    if let Some(archive) = exported.stdout.take() {
        import.stdin(archive);
    }
    let imported = import.output()?;
    ensure!(imported.status.success(), "{imported:?}");
    ensure!(exported.wait()?.success(), "nix-store --export failed");

    run(&["nix", "build", "--no-link", &format!(".#{image}")]).text()?;
    // The store of the other root is a directory of this machine.
    let made = store.path().join(expected.strip_prefix("/nix")?);
    for file in ["index.json", "oci-layout"] {
        assert_eq!(fs::read(made.join(file))?, fs::read(expected.join(file))?);
    }
    Ok(())
}
