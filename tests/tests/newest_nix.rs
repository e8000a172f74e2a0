//! Debian's newest Nix, in a root of its own with an empty store: it finds the same derivations as the
//! machine's Nix, and makes the same image of the same seeds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::nix::{derivation, nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::repository::{Copy, repository};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;
use tempfile::TempDir;

/// Runs a command in a root, with two directories of the machine as its /nix and /src: ROOT NIX SRC
/// COMMAND…. Nix takes for granted that its root is a mount point.
const IN_ROOT: &str = r#"
root=$1 nix=$2 src=$3
shift 3
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/src"
mount --bind "$nix" "$root/nix"
mount --bind "$src" "$root/src"
cd "$root"
exec chroot . "$@"
"#;

/// The root, as the program of that name makes it.
fn in_root(store: &Path, sources: &Path, command: &[&str]) -> Command {
    let settings = "experimental-features = nix-command flakes\nmax-jobs = auto\nsandbox = true\nsubstitute = false";
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--pid", "--fork"])
        .args(["sh", "-e", "-c", IN_ROOT, "sh"])
        .arg(repository().join("target/newest-nix"))
        .args([store, sources])
        .args(["env", "--chdir=/src", "HOME=/tmp"])
        .args(command)
        .env("NIX_CONFIG", settings);
    unshare
}

/// What an output is made of in the end, all of it pinned by hash.
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

#[test]
fn the_newest_nix_finds_the_same_derivations_and_makes_the_same_image() -> Result<()> {
    if !met(&[Requirement::NewestNix])? {
        return Ok(());
    }
    // A store is too large for memory, which /tmp is on some machines.
    let store = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let sources = Copy::new()?;
    let run = |command: &[&str]| in_root(store.path(), sources.path(), command);
    let machines = Platform::all()?.into_iter().filter(|it| it.builds);
    for machine in machines {
        let all = format!("packages.{}.image-all", machine.nix);
        let found = run(&["nix", "eval", "--raw", &format!(".#{all}.drvPath")]).text()?;
        assert_eq!(found, derivation(repository(), &all)?);
    }

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
    // What is /nix there is a directory here.
    let made = store.path().join(expected.strip_prefix("/nix")?);
    for file in ["index.json", "oci-layout"] {
        assert_eq!(fs::read(made.join(file))?, fs::read(expected.join(file))?);
    }
    Ok(())
}
