//! Slipway's own release files: people who have no Rust install them, and build with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::distribution::{in_root, mirror};
use end_to_end::nix;
use end_to_end::platform::Platform;
use end_to_end::repository::Copy;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway;
use tempfile::TempDir;

const MAIN: &str = "package main\n\nfunc main() { println(\"built without Rust\") }\n";

/// The file of a release whose name ends so.
fn file(directory: &Path, end: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths = entries.iter().map(|entry| entry.path());
    let found = paths.find(|path| path.to_string_lossy().ends_with(end));
    found.with_context(|| format!("no file ends with {end}"))
}

#[test]
#[ignore = "long: compiles the command line, and what a program in another root needs"]
fn the_package_builds_programs_and_the_archive_runs_anywhere() -> Result<()> {
    if !met(&[
        Requirement::Root("to install a package in the root of another system"),
        Requirement::Program("mmdebstrap", "mmdebstrap"),
    ])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let copy = Copy::new()?;
    copy.commit()?;
    Command::new(slipway::program()?)
        .args(["release", "--snapshot", "--platform", &own.oci])
        .current_dir(copy.path())
        .env("NIX_CONFIG", nix::config())
        .text()?;
    let dist = copy.file("dist");

    let empty = TempDir::new()?;
    let archive = file(&dist, ".tar.gz")?;
    Command::new("tar")
        .args(["--extract", "--strip-components=1", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(empty.path())
        .text()?;
    let mut chroot = Command::new("chroot");
    let version = chroot.arg(empty.path()).args(["/slipway", "--version"]);
    ensure!(version.text()?.starts_with("slipway "), "no version");

    // A store is too large for a /tmp in memory.
    let root = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = root.path().join("root");
    let store = root.path().join("nix");
    fs::create_dir(&store)?;
    Command::new("mmdebstrap")
        .args([
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates,git,gpgv,nix-bin,nix-setup-systemd",
        ])
        .args(["--aptopt=Apt::Install-Recommends \"false\"", "stable"])
        .arg(&path)
        .arg(mirror()?)
        .text()?;
    // The machine's own certificates and name servers.
    for settings in ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"] {
        fs::copy(Path::new("/").join(settings), path.join(settings))?;
    }
    Command::new("dpkg")
        .arg(format!("--root={}", path.display()))
        .arg("--install")
        .arg(file(&dist, ".deb")?)
        .text()?;

    let sources = TempDir::new()?;
    fs::write(
        sources.path().join("go.mod"),
        "module example.com/tool\n\ngo 1.24\n",
    )?;
    fs::write(sources.path().join("main.go"), MAIN)?;
    let run = |arguments: &[&str]| {
        let mut command = in_root(&path, &store, sources.path());
        let command = command.args(arguments);
        command.env("NIX_CONFIG", nix::config()).text()
    };
    let compilers = run(&["sh", "-c", "command -v cc cargo rustc go || true"])?;
    ensure!(compilers.is_empty(), "the root has {compilers}");
    run(&["git", "init", "--quiet"])?;
    run(&["slipway", "init"])?;
    run(&["git", "add", "--all"])?;
    run(&["slipway", "build", "--platform", &own.oci])?;
    run(&["slipway", "verify", "result"])?;
    run(&["slipway", "run", "result"]).map(drop)
}
