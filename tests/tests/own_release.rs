//! Slipway's own release files and image: people who have no Rust install them, and build with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::distribution::{in_root, mirror};
use end_to_end::documentation::commands;
use end_to_end::nix;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::{Copy, repository};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway;
use tempfile::TempDir;

const MAIN: &str =
    "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"built without Rust\") }\n";

const MAIN_PRINTS: &str = "built without Rust\n";

/// The image that the README's commands load, and what is run in it.
const IMAGE: &str = "localhost/slipway";
const IN_IMAGE: &str =
    "nix --version; git --version; slipway build --platform \"$1\"; slipway verify result";

/// Programs of the README's commands that install, and how what they installed is removed. What the
/// last one installs stays.
const INSTALLERS: [(&str, &str); 3] = [
    ("tar", "rm -r /opt/slipway_* /usr/local/bin/slipway"),
    ("dnf", "dnf --assumeyes remove slipway"),
    ("apt", ":"),
];

/// The file of a release whose name ends so.
fn file(directory: &Path, end: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths = entries.iter().map(|entry| entry.path());
    let found = paths.find(|path| path.to_string_lossy().ends_with(end));
    found.with_context(|| format!("no file ends with {end}"))
}

/// The README's commands that install the command line, on a machine like this one.
fn install_commands(own: &Platform) -> Result<Vec<String>> {
    let readme = fs::read_to_string(repository().join("README.md"))?;
    let rpm = own.nix.trim_end_matches("-linux");
    let ours = |line: String| line.replace("x86_64", rpm).replace("amd64", &own.debian);
    let commands = commands(&readme, &["console install"]);
    Ok(commands.into_iter().map(ours).collect())
}

/// The command that begins with a word.
fn command<'a>(commands: &'a [String], word: &str) -> Result<&'a str> {
    let is_it = |it: &&String| it.split_whitespace().next() == Some(word);
    let found = commands.iter().find(is_it);
    Ok(found.with_context(|| format!("README.md has no command of {word}"))?)
}

#[test]
#[ignore = "long: compiles the command line, and what a program in another root needs"]
fn packages_archive_and_image_build_programs() -> Result<()> {
    if !met(&[
        Requirement::Root("to install a package in the root of another system"),
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Podman,
    ])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let commands = install_commands(&own)?;
    let copy = Copy::new()?;
    copy.commit()?;
    let podman = Podman::new()?;
    let program = slipway::program()?;
    let directory = program.parent().unwrap_or(Path::new("/")).display();
    let path = std::env::var("PATH").unwrap_or_default();
    let here = |command: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", command]).current_dir(copy.path());
        shell.env("NIX_CONFIG", nix::config());
        shell.env("PATH", format!("{directory}:{path}"));
        shell.envs(podman.environment()).text()
    };
    let release = format!("slipway release --snapshot --platform {}", own.oci);
    here(&release)?;
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
    let version = version.text()?;
    ensure!(version.starts_with("slipway "), "{version}");

    // A store is too large for a /tmp in memory.
    let root = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = root.path().join("root");
    let store = root.path().join("nix");
    fs::create_dir(&store)?;
    Command::new("mmdebstrap")
        .args([
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates,dnf,git,gpgv,nix-bin,nix-setup-systemd",
        ])
        .args(["--aptopt=Apt::Install-Recommends \"false\"", "stable"])
        .arg(&path)
        .arg(mirror()?)
        .text()?;
    // The machine's own certificates and name servers.
    for settings in ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"] {
        fs::copy(Path::new("/").join(settings), path.join(settings))?;
    }

    let sources = TempDir::new()?;
    let run = |arguments: &[&str]| {
        let mut command = in_root(&path, &store, sources.path());
        let command = command.args(arguments);
        command.env("NIX_CONFIG", nix::config()).text()
    };
    Command::new("cp")
        .arg("--recursive")
        .args([&dist, sources.path()])
        .text()?;
    for (installer, remove) in INSTALLERS {
        let line = command(&commands, installer)?;
        let line = line.replace(" install ", " install -y ");
        run(&["bash", "-e", "-c", &line])?;
        assert_eq!(run(&["slipway", "--version"])?, version, "{line}");
        run(&["sh", "-e", "-c", remove])?;
    }
    fs::remove_dir_all(sources.path().join("dist"))?;

    fs::write(
        sources.path().join("go.mod"),
        "module example.com/tool\n\ngo 1.24\n",
    )?;
    let main = sources.path().join("main.go");
    fs::write(&main, MAIN)?;
    let compilers = run(&["sh", "-c", "command -v cc cargo rustc go || true"])?;
    ensure!(compilers.is_empty(), "the root has {compilers}");
    run(&["git", "init", "--quiet"])?;
    run(&["slipway", "init"])?;
    run(&["git", "add", "--all"])?;
    run(&["slipway", "build", "--platform", &own.oci])?;
    run(&["slipway", "verify", "result"])?;
    assert_eq!(run(&["slipway", "run", "result"])?, MAIN_PRINTS);

    // The image builds in the same store, as continuous integration does that keeps /nix. It has no
    // network, so it can only build.
    here(command(&commands, "slipway")?)?;
    let printed = here(command(&commands, "podman")?)?;
    assert_eq!(printed, version);
    for (sandbox, text) in [(None, "without a sandbox"), (Some("--privileged"), "in it")] {
        fs::write(&main, MAIN.replace("without Rust", text))?;
        let mut container = podman.command(&["run", "--rm", "--env=NIX_CONFIG=substitute = false"]);
        container
            .args(sandbox)
            .arg(format!("--volume={}:/nix", store.display()))
            .arg(format!("--volume={}:/src", sources.path().display()))
            .args(["--workdir=/src", IMAGE, "sh", "-e", "-c", IN_IMAGE, "sh"])
            .arg(&own.oci);
        container.text()?;
        let printed = run(&["slipway", "run", "result"])?;
        assert_eq!(printed, MAIN_PRINTS.replace("without Rust", text));
    }
    Ok(())
}
