//! Release files: what `slipway release` writes for a tag, and why it refuses to write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::distribution::Root;
use end_to_end::http;
use end_to_end::nix::{nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::project::Project;
use end_to_end::registry::{Guard, Registry};
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::skopeo::skopeo;
use end_to_end::wine::Wine;
use serde_json::Value;
use tempfile::TempDir;

const MAIN: &str =
    "package main\n\nvar version = \"unknown\"\n\nfunc main() { println(\"tool\", version) }\n";

/// A Go module in git whose last commit has the tag.
fn tagged(tag: &str) -> Result<Project> {
    let project = Project::of(&[
        ("go.mod", "module example.com/tool\n\ngo 1.24\n"),
        ("main.go", MAIN),
        ("LICENSE", "free\n"),
        ("doc/guide.txt", "guide\n"),
    ])?;
    git(&project, &["init", "--quiet"])?;
    project.slipway(&["init"])?.text()?;
    project.edit("slipway.toml", |text| {
        text + "\n[release]\nfiles = [\"doc\"]\narchives = [\"tar.gz\", \"tar.zst\"]\n"
    })?;
    commit(&project, "feat: print the version")?;
    git(&project, &["tag", tag])?;
    Ok(project)
}

fn git(project: &Project, arguments: &[&str]) -> Result<String> {
    let mut git = project.command(
        "git",
        &["-c", "user.name=Ada", "-c", "user.email=ada@example.com"],
    );
    git.args(arguments)
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:06Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:06Z")
        .text()
}

fn commit(project: &Project, message: &str) -> Result<()> {
    git(project, &["add", "--all"])?;
    git(project, &["commit", "--quiet", "--message", message]).map(drop)
}

/// Unpacks an archive into a new directory in the project.
fn unpack(project: &Project, archive: &str) -> Result<PathBuf> {
    let place = project.file(&format!("unpacked/{archive}"));
    fs::create_dir_all(&place)?;
    let path = format!("dist/{archive}");
    let place_text = place.display().to_string();
    match archive.ends_with(".zip") {
        true => project.command("unzip", &["-q", &path, "-d", &place_text]),
        false => project.command(
            "tar",
            &["--extract", "--file", &path, "--directory", &place_text],
        ),
    }
    .text()?;
    Ok(place)
}

/// The first bytes of a file.
fn magic(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(bytes[..4].to_vec())
}

#[test]
fn a_tag_gives_archives_for_every_system_and_the_same_bytes_again() -> Result<()> {
    let foreign = Platform::foreign()?;
    if !met(&[
        Requirement::Program("unzip", "unzip"),
        Requirement::Program("zstd", "zstd"),
        Requirement::Runs(&foreign),
    ])? {
        return Ok(());
    }
    let project = tagged("v1.2.3")?;
    let printed = project.slipway(&["release", "--format", "json"])?.text()?;
    let artifacts: Value = serde_json::from_str(&printed)?;
    let names: Vec<&str> = artifacts
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "tool_1.2.3_darwin_amd64.tar.gz",
            "tool_1.2.3_darwin_amd64.tar.zst",
            "tool_1.2.3_darwin_arm64.tar.gz",
            "tool_1.2.3_darwin_arm64.tar.zst",
            "tool_1.2.3_linux_amd64.tar.gz",
            "tool_1.2.3_linux_amd64.tar.zst",
            "tool_1.2.3_linux_arm64.tar.gz",
            "tool_1.2.3_linux_arm64.tar.zst",
            "tool_1.2.3_windows_amd64.zip",
            "tool_1.2.3_windows_arm64.zip",
            "checksums.txt",
            "release-notes.md",
        ]
    );
    assert_eq!(
        artifacts,
        serde_json::from_str::<Value>(&project.read("dist/artifacts.json")?)?
    );
    // Go without C needs no C library.
    for artifact in artifacts.as_array().context("no list")? {
        let platform = artifact["platform"].as_str().unwrap_or_default();
        let libc = platform.starts_with("linux/").then_some("none");
        assert_eq!(artifact["libc"].as_str(), libc, "{artifact}");
    }
    let metadata: Value = serde_json::from_str(&project.read("dist/metadata.json")?)?;
    assert_eq!(metadata["version"], "1.2.3");
    assert_eq!(metadata["date"], "2026-01-02T03:04:06Z");
    let notes = project.read("dist/release-notes.md")?;
    assert!(
        notes.starts_with("# tool 1.2.3\n\n## Features\n\n- print the version ("),
        "{notes}"
    );
    let mut check = project.command("sha256sum", &["--check", "--strict", "checksums.txt"]);
    check.current_dir(project.file("dist")).text()?;

    for platform in [Platform::own()?, foreign] {
        let base = format!("tool_1.2.3_linux_{}", platform.architecture());
        for archive in [format!("{base}.tar.gz"), format!("{base}.tar.zst")] {
            let unpacked = unpack(&project, &archive)?.join(&base);
            let output = Command::new(unpacked.join("tool")).outcome()?;
            assert_eq!(String::from_utf8_lossy(&output.stderr), "tool 1.2.3\n");
            assert_eq!(fs::read_to_string(unpacked.join("LICENSE"))?, "free\n");
            assert_eq!(
                fs::read_to_string(unpacked.join("doc/guide.txt"))?,
                "guide\n"
            );
        }
    }
    let windows = unpack(&project, "tool_1.2.3_windows_arm64.zip")?;
    let program = windows.join("tool_1.2.3_windows_arm64/tool.exe");
    assert!(magic(&program)?.starts_with(b"MZ"));
    let mac = unpack(&project, "tool_1.2.3_darwin_arm64.tar.gz")?;
    // 64-bit Mach-O; source: Apple's mach-o/loader.h.
    assert_eq!(
        magic(&mac.join("tool_1.2.3_darwin_arm64/tool"))?,
        [0xcf, 0xfa, 0xed, 0xfe]
    );

    // The same commit elsewhere. dist is replaced, and does not count as a change.
    let sums = project.read("dist/checksums.txt")?;
    let again = tagged("v1.2.3")?;
    again.slipway(&["release"])?.text()?;
    again
        .slipway(&["release", "--platform", "windows/amd64"])?
        .text()?;
    let of_windows = again.read("dist/checksums.txt")?;
    assert!(sums.contains(of_windows.trim_end()), "{sums}{of_windows}");
    assert_eq!(fs::read_dir(again.file("dist"))?.count(), 5);
    Ok(())
}

/// A copy of an example with its pins, in git with a tag.
fn tagged_example(name: &str) -> Result<Project> {
    let project = Project::of(&[])?;
    let example = repository().join("examples").join(name);
    project
        .command("cp", &["-r"])
        .arg(example.join("."))
        .arg(project.path())
        .text()?;
    project.edit("flake.nix", |text| {
        text.replace("path:../..", &project.slipway_flake())
    })?;
    git(&project, &["init", "--quiet"])?;
    git(&project, &["add", "--all"])?;
    nix(project.path()).args(["flake", "lock"]).text()?;
    commit(&project, "feat: begin")?;
    git(&project, &["tag", "v1.0.0"])?;
    Ok(project)
}

#[test]
fn programs_with_c_libraries_run_on_the_oldest_release_of_debian() -> Result<()> {
    let platforms = [Platform::own()?, Platform::foreign()?];
    if !met(&[
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Root("to run programs in the root of another system"),
        Requirement::Runs(&platforms[1]),
    ])? {
        return Ok(());
    }
    let roots = platforms
        .iter()
        .map(|platform| Root::oldest(platform, &["libc6", "libpq5", "libzstd1", "zlib1g"]))
        .collect::<Result<Vec<_>>>()?;
    for (example, program) in [("rust-libraries", "notes"), ("go-sqlite", "rows")] {
        let project = tagged_example(example)?;
        project
            .slipway(&["release", "--platform", "linux/amd64,linux/arm64"])?
            .text()?;
        let artifacts: Value = serde_json::from_str(&project.read("dist/artifacts.json")?)?;
        assert_eq!(artifacts[0]["libc"], "glibc");
        let expected =
            fs::read_to_string(repository().join("examples").join(example).join("expected"))?;
        for (platform, root) in platforms.iter().zip(&roots) {
            let base = format!("{program}_1.0.0_linux_{}", platform.architecture());
            let unpacked = unpack(&project, &format!("{base}.tar.gz"))?.join(&base);
            let printed = root.run(&unpacked, program)?;
            let program = unpacked.join(program);
            // Libraries that Debian has no archive of are those of the system.
            let is_own = |line: &&str| !line.starts_with("libpq ");
            let lines = |text: &str| Vec::from_iter(text.lines().filter(is_own).map(String::from));
            assert_eq!(
                lines(&printed),
                lines(&expected),
                "{} in {}",
                platform.oci,
                root.suite
            );
            let mut verify = project.slipway(&["verify", "--glibc", "2.28"])?;
            verify.arg(&program).text()?;
            let error = project
                .slipway(&["verify", "--glibc", "2.4"])?
                .arg(&program)
                .outcome()?;
            ensure!(!error.status.success(), "it cannot run with glibc 2.4");
        }
    }
    Ok(())
}

/// A C program with a constructor, which old C libraries call in another way, and zlib.
const C: &str = r#"#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>

static int ready;

__attribute__((constructor)) static void start(void) { ready = 1; }

int main(void) {
  struct stat root;
  printf("%d %d %lx\n", ready, stat("/", &root), crc32(0, (const Bytef *)"123456789", 9));
  return 0;
}
"#;
const C_FLAKE: &str = r#"{
  inputs.slipway.url = "SLIPWAY";
  outputs = {slipway, ...}:
    slipway.lib.mkRelease {
      name = "check";
      description = "Prints a checksum";
      build = target: link:
        target.stdenv.mkDerivation ({
            name = "check";
            src = ./.;
            buildInputs = [target.libraries.zlib1g-dev];
            buildPhase = "$CC -O2 main.c -lz -o check";
            installPhase = "mkdir -p $out/bin; cp check $out/bin";
          }
          // link);
    };
}
"#;

#[test]
fn a_program_in_c_runs_on_the_oldest_release_of_debian() -> Result<()> {
    if !met(&[
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Root("to run programs in the root of another system"),
    ])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let project = Project::of(&[("main.c", C), ("slipway.toml", "debian = \"trixie\"\n")])?;
    project.write(
        "flake.nix",
        &C_FLAKE.replace("SLIPWAY", &project.slipway_flake()),
    )?;
    git(&project, &["init", "--quiet"])?;
    git(&project, &["add", "--all"])?;
    nix(project.path()).args(["flake", "lock"]).text()?;
    commit(&project, "feat: begin")?;
    git(&project, &["tag", "v1.0.0"])?;
    project
        .slipway(&["release", "--platform", &own.oci])?
        .text()?;
    let base = format!("check_1.0.0_linux_{}", own.architecture());
    let unpacked = unpack(&project, &format!("{base}.tar.gz"))?.join(&base);
    let root = Root::oldest(&own, &["libc6"])?;
    let printed = root.run(&unpacked, "check")?;
    assert_eq!(printed, "1 0 cbf43926\n", "in {}", root.suite);
    Ok(())
}

const MACOS_FLAKE: &str = r#"{
  inputs.slipway.url = "SLIPWAY";
  inputs.macos-sdk = {
    url = "path:SDK";
    flake = false;
  };
  outputs = {macos-sdk, slipway, ...}:
    slipway.lib.mkRelease {
      name = "seconds";
      platforms = ["darwin/amd64" "darwin/arm64"];
      macosSdk = macos-sdk;
      build = target: link:
        target.stdenv.mkDerivation ({
            name = "seconds";
            src = ./.;
            buildPhase = "$CC -O2 framework.c -framework CoreFoundation -o seconds";
            installPhase = "mkdir -p $out/bin; cp seconds $out/bin";
          }
          // link);
    };
}
"#;

/// A program in Go that needs C.
const CGO: &str = "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc main() { println(C.one()) }\n";

#[test]
fn programs_for_macos_need_apples_sdk_to_have_c_or_frameworks() -> Result<()> {
    let checks = repository().join("nix/checks");
    let source = |name: &str| fs::read_to_string(checks.join("release").join(name));
    let snapshot = ["release", "--snapshot", "--platform", "darwin/arm64"];

    let c = Project::of(&[
        ("framework.c", &source("framework.c")?),
        ("slipway.toml", "debian = \"trixie\"\n"),
    ])?;
    // A directory with an own name, as that of Apple.
    let sdk = TempDir::new()?;
    let sdk = sdk.path().join("MacOSX11.sdk");
    let mut cp = Command::new("cp");
    cp.arg("-r")
        .args([&checks.join("macos-sdk"), &sdk])
        .text()?;
    let flake = MACOS_FLAKE.replace("SLIPWAY", &c.slipway_flake());
    let flake = flake.replace("SDK", &sdk.display().to_string());
    c.write("flake.nix", &flake)?;
    git(&c, &["init", "--quiet"])?;
    git(&c, &["add", "--all"])?;
    nix(c.path()).args(["flake", "lock"]).text()?;
    commit(&c, "feat: begin")?;
    git(&c, &["tag", "v1.0.0"])?;
    c.slipway(&["release"])?.text()?;
    for architecture in ["amd64", "arm64"] {
        let base = format!("seconds_1.0.0_darwin_{architecture}");
        let unpacked = unpack(&c, &format!("{base}.tar.gz"))?;
        let program = unpacked.join(base).join("seconds");
        assert_eq!(magic(&program)?, [0xcf, 0xfa, 0xed, 0xfe]);
    }
    for (value, error) in [
        (
            "null",
            "programs in C cannot be compiled for darwin/amd64 without Apple's SDK; name the SDK with the argument macosSdk",
        ),
        ("./.", "has no usr/lib/libSystem.tbd"),
        ("\"/\"", "is not in the Nix store"),
    ] {
        let changed = flake.replace("macosSdk = macos-sdk", &format!("macosSdk = {value}"));
        c.write("flake.nix", &changed)?;
        let said = c.slipway(&["release", "--snapshot"])?.failure()?;
        ensure!(said.contains(error), "{said}");
    }

    let rust = Project::of(&[
        (
            "Cargo.toml",
            "[package]\nname = \"seconds\"\nversion = \"1.0.0\"\nedition = \"2024\"\n",
        ),
        (
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"seconds\"\nversion = \"1.0.0\"\n",
        ),
        ("src/main.rs", &source("framework.rs")?),
    ])?;
    let go = Project::of(&[
        ("go.mod", "module example.com/one\n\ngo 1.24\n"),
        ("main.go", CGO),
    ])?;
    for (project, error) in [
        (
            &rust,
            "; C and frameworks need Apple's SDK for macOS; name the SDK with the argument macosSdk in flake.nix",
        ),
        (
            &go,
            "need Apple's SDK for macOS, which the argument macosSdk in flake.nix names",
        ),
    ] {
        git(project, &["init", "--quiet"])?;
        project.slipway(&["init"])?.text()?;
        commit(project, "feat: begin")?;
        let said = project.slipway(&snapshot)?.failure()?;
        ensure!(said.contains(error), "{said}");
    }
    Ok(())
}

/// What packages of an example need.
const PACKAGED: &str = r#"
[release]
packages = ["deb", "rpm"]
maintainer = "Ada <ada@example.com>"
description = """is an example
It has a shared library."""
license = "MIT"
"#;

#[test]
fn shared_libraries_of_a_project_come_with_its_programs() -> Result<()> {
    if !met(&[
        Requirement::Program("rpm", "rpm"),
        Requirement::Program("lintian", "lintian"),
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Root("to install packages in the root of another system"),
    ])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let root = Installation {
        root: Root::oldest(&own, &["libc6"])?,
    };
    root.rpm("--initdb").text()?;
    let release = |project: &Project| project.slipway(&["release", "--platform", &own.oci]);
    for (example, program) in [("c-cmake", "checksum"), ("c-autotools", "roundtrip")] {
        let project = tagged_example(example)?;
        project.edit("slipway.toml", |text| text + PACKAGED)?;
        project.write("LICENSE", "Copyright 2026 Ada\n")?;
        commit(&project, "build: write packages")?;
        git(&project, &["tag", "--force", "v1.0.0"])?;
        release(&project)?.text()?;
        let expected = project.read("expected")?;
        let base = format!("{program}_1.0.0_linux_{}", own.architecture());
        let unpacked = unpack(&project, &format!("{base}.tar.gz"))?.join(&base);
        let in_bin = format!("bin/{program}");
        assert_eq!(root.root.run(&unpacked, &in_bin)?, expected, "{example}");
        let verify = ["verify", "--format", "json", "--glibc", "2.28"];
        let mut verify = project.slipway(&verify)?;
        let told: Value = serde_json::from_str(&verify.arg(unpacked.join(&in_bin)).text()?)?;
        assert_eq!(
            told["libraries"].as_array().map(Vec::len),
            Some(0),
            "{told}"
        );
        assert_eq!(told["bundled"].as_array().map(Vec::len), Some(1), "{told}");

        let deb = project.file(&format!("dist/{program}_1.0.0_{}.deb", own.debian));
        lintian(&deb)?;
        let mut depends = Command::new("dpkg-deb");
        let depends = depends.arg("--field").arg(&deb).arg("Depends").text()?;
        ensure!(
            depends.starts_with("libc6 (") && !depends.contains(','),
            "{depends}"
        );
        let rpm = project.file(&format!(
            "dist/{program}-1.0.0-1.{}.rpm",
            std::env::consts::ARCH
        ));
        let installed = format!("/usr/bin/{program}");
        let directory = root.file(&format!("usr/lib/{program}"));
        // The databases have no package with the C library.
        for (mut install, force, package, mut remove) in [
            (
                root.dpkg("--install"),
                "--force-depends",
                deb,
                root.dpkg("--purge"),
            ),
            (root.rpm("--upgrade"), "--nodeps", rpm, root.rpm("--erase")),
        ] {
            install.arg(force).arg(&package).text()?;
            assert_eq!(root.root.command(&installed).text()?, expected, "{example}");
            remove.arg(program).text()?;
            ensure!(!directory.exists(), "{} is left", directory.display());
        }

        // Debian's libraries as well, if they are old enough.
        project.edit("flake.nix", |text| {
            text.replace(
                "build = program;",
                "build = program;\n        libraries = \"bundled\";",
            )
        })?;
        commit(&project, "build: bundle libraries")?;
        git(&project, &["tag", "--force", "v1.0.0"])?;
        if example == "c-cmake" {
            release(&project)?.text()?;
            let unpacked = unpack(&project, &format!("{base}.tar.gz"))?.join(&base);
            ensure!(unpacked.join("lib/checksum/libz.so.1").exists(), "no zlib");
            assert_eq!(root.root.run(&unpacked, &in_bin)?, expected);
        } else {
            let error = release(&project)?.failure()?;
            for part in [
                "libzstd.so.1 for linux/",
                "does not run on every system with glibc 2.28: it needs the symbol pthread_",
                "@GLIBC_2.34; if a later version will do, set glibc",
            ] {
                ensure!(error.contains(part), "{error} lacks {part}");
            }
        }
    }
    Ok(())
}

/// Fails if lintian finds errors or warnings in a package.
fn lintian(package: &Path) -> Result<()> {
    // lintian leaves files behind.
    let place = tempfile::tempdir()?;
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error,warning"])
        .args(["--suppress-tags", ACCEPTED])
        .arg(package)
        .env("TMPDIR", place.path());
    lintian.text().map(drop)
}

#[test]
fn programs_for_windows_run_in_wine() -> Result<()> {
    if !met(&[Requirement::Wine])? {
        return Ok(());
    }
    let check = |language: &str| {
        let name = format!("checks.x86_64-linux.release-{language}-windows-amd64");
        nix_build(repository(), &name)
    };
    let wine = Wine::with(&check("c")?.join("bcryptprimitives.dll"))?;
    for (language, name) in [
        ("c", "proof"),
        ("cxx", "proof"),
        ("go", "rows"),
        ("rust", "checksum"),
    ] {
        let built = check(language)?;
        let printed = wine.run(&built.join(name).with_extension("exe"))?;
        assert_eq!(
            printed,
            fs::read_to_string(built.join("expected"))?,
            "{language}"
        );
    }
    Ok(())
}

#[test]
fn files_are_pushed_to_a_registry_and_pulled_again() -> Result<()> {
    let project = tagged("v1.2.3")?;
    let registry = Registry::start(Guard::Open)?;
    let reference = format!("{}/tool:v1.2.3", registry.host());
    let own = Platform::own()?.oci;
    let release = ["release", "--platform", &own, "--push", &reference];
    let printed = project.slipway(&release)?.text()?;
    ensure!(
        printed.contains(&format!("{reference}@sha256:")),
        "{printed}"
    );
    let manifest = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        &format!("docker://{reference}"),
    ])?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    assert_eq!(
        manifest["artifactType"],
        "application/vnd.slipway.release.v1"
    );
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.version"],
        "1.2.3"
    );

    let pull = ["pull", "--artifact", &reference, "--output", "pulled"];
    let names = project.slipway(&pull)?.text()?;
    ensure!(names.lines().any(|name| name == "checksums.txt"), "{names}");
    let mut check = project.command("sha256sum", &["--check", "--strict", "checksums.txt"]);
    check.current_dir(project.file("pulled")).text()?;
    let error = project.slipway(&pull)?.failure()?;
    ensure!(error.contains("pulled"), "{error}");
    // An image is not an artifact of files, and neither has the other's layers.
    let pull = ["pull", &reference, "--output", "layout"];
    let printed = project.slipway(&pull)?.text()?;
    ensure!(printed.contains("@sha256:"), "{printed}");
    ensure!(project.file("layout/oci-layout").exists(), "no layout");
    Ok(())
}

/// What a project adds to its packages: a unit, its configuration, and scripts that say how they
/// were called. One of them ends with `exit`, as many do.
const PACKAGING: [(&str, &str); 6] = [
    (
        "packaging/tool.service",
        "[Unit]\nDescription=Tool\nDocumentation=https://example.com\n\n\
         [Service]\nExecStart=/usr/bin/tool\n\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "packaging/preinst",
        "#!/bin/sh -e\necho preinst $1 >>/calls\n",
    ),
    (
        "packaging/postinst",
        "#!/bin/sh\nset -e\necho postinst $1 >>/calls\nexit 0\n",
    ),
    (
        "packaging/prerm",
        "#!/bin/sh\nset -e\necho prerm $1 >>/calls\n",
    ),
    (
        "packaging/postrm",
        "#!/bin/sh\nset -e\necho postrm $1 >>/calls\n",
    ),
    ("LICENSE", "Copyright 2026 Ada\n\nYou may do anything.\n"),
];
const PACKAGES: &str = r#"
packages = ["archlinux", "deb", "rpm"]
maintainer = "Ada <ada@example.com>"
description = """prints its version
It prints the version to standard error."""
homepage = "https://example.com"
license = "MIT"
units = ["packaging/tool.service"]

[release.config]
"/etc/tool/tool.toml" = "packaging/tool.toml"

[release.scripts]
preinst = "packaging/preinst"
postinst = "packaging/postinst"
prerm = "packaging/prerm"
postrm = "packaging/postrm"
"#;

/// Where packages have a symbolic link of the project.
const ALIAS: &str = "usr/share/doc/tool/doc/alias.txt";

/// Findings of lintian that are the project's business.
const ACCEPTED: &str = "no-manual-page,statically-linked-binary";

/// A root in which packages are installed. Its systemctl writes how it is called to `calls`.
struct Installation {
    root: Root,
}

impl Installation {
    fn new(platform: &Platform) -> Result<Self> {
        let root = Root::oldest(platform, &["dash", "init-system-helpers"])?;
        let this = Self { root };
        let shell = this.file("bin/sh");
        if !shell.exists() {
            symlink("dash", shell)?;
        }
        let systemctl = this.file("usr/bin/systemctl");
        fs::create_dir_all(this.file("run/systemd/system"))?;
        fs::create_dir_all(this.file("usr/bin"))?;
        fs::write(
            &systemctl,
            "#!/bin/sh\necho systemctl \"$@\" >>/calls\ncase \"$*\" in *is-enabled*) echo enabled ;; esac\n",
        )?;
        fs::set_permissions(&systemctl, Permissions::from_mode(0o755))?;
        Ok(this)
    }

    fn file(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn dpkg(&self, option: &str) -> Command {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.root.path().display()))
            .args(["--force-confold", option]);
        dpkg
    }

    fn rpm(&self, option: &str) -> Command {
        let mut rpm = Command::new("rpm");
        rpm.arg("--root").arg(self.root.path()).arg(option);
        rpm
    }

    /// What the installed program prints.
    fn printed(&self) -> Result<String> {
        let output = Command::new(self.file("usr/bin/tool")).outcome()?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// How scripts and systemctl were called since the last time. What differs between releases of
    /// Debian is left out: questions, options, and calls that are repeated at once.
    fn calls(&self) -> Result<Vec<String>> {
        let path = self.file("calls");
        let text = fs::read_to_string(&path)?;
        fs::remove_file(path)?;
        let lines = text.lines().filter(|line| !line.contains(" is-"));
        let mut calls: Vec<String> = lines
            .map(|line| {
                let words = line.split(' ').filter(|word| !word.starts_with("--"));
                words.collect::<Vec<_>>().join(" ")
            })
            .collect();
        calls.dedup();
        Ok(calls)
    }
}

#[test]
fn packages_are_installed_upgraded_and_removed() -> Result<()> {
    if !met(&[
        Requirement::Program("rpm", "rpm"),
        Requirement::Program("lintian", "lintian"),
        Requirement::Program("pacman", "pacman-package-manager"),
        Requirement::Program("mmdebstrap", "mmdebstrap"),
        Requirement::Root("to install packages in the root of another system"),
    ])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let project = tagged("v1.2.3-rc.1")?;
    project.edit("slipway.toml", |text| text + "packages = [\"deb\"]\n")?;
    let error = project.slipway(&["release", "--snapshot"])?.failure()?;
    ensure!(
        error.contains("packages need maintainer in [release]"),
        "{error}"
    );
    for (name, text) in PACKAGING {
        project.write(name, text)?;
    }
    symlink("guide.txt", project.file("doc/alias.txt"))?;
    project.edit("slipway.toml", |text| {
        text.replace("packages = [\"deb\"]\n", PACKAGES)
    })?;
    let (mut debs, mut rpms, mut archs) = (Vec::new(), Vec::new(), Vec::new());
    for (tag, version) in [("v1.2.3-rc.1", "1.2.3~rc.1"), ("v1.2.3", "1.2.3")] {
        project.write("packaging/tool.toml", &format!("version = {version:?}\n"))?;
        commit(&project, "feat: write the version into the configuration")?;
        git(&project, &["tag", "--force", tag])?;
        let release = ["release", "--platform", &own.oci, "--output", tag];
        project.slipway(&release)?.text()?;
        debs.push(project.file(&format!("{tag}/tool_{version}_{}.deb", own.debian)));
        let architecture = std::env::consts::ARCH;
        rpms.push(project.file(&format!("{tag}/tool-{version}-1.{architecture}.rpm")));
        let version = version.replace('~', "");
        archs.push(project.file(&format!(
            "{tag}/tool-{version}-1-{architecture}.pkg.tar.zst"
        )));
    }
    lintian(&debs[1])?;
    let root = Installation::new(&own)?;
    with_dpkg(&root, &debs)?;
    with_rpm(&root, &rpms)?;
    with_pacman(&root, &archs)?;

    // Where systemd does not run, such as in a container, it is not called. Units are enabled though.
    fs::remove_dir_all(root.file("run/systemd"))?;
    fs::remove_file(root.file("usr/bin/systemctl"))?;
    let wanted = root.file("etc/systemd/system/multi-user.target.wants/tool.service");
    root.dpkg("--install").arg(&debs[1]).text()?;
    ensure!(wanted.is_symlink(), "the unit is not enabled");
    root.dpkg("--purge").arg("tool").text()?;
    ensure!(!wanted.is_symlink(), "the unit is still enabled");
    Ok(())
}

/// Installs a package of Debian, upgrades it to a second one, removes and purges that.
fn with_dpkg(root: &Installation, packages: &[PathBuf]) -> Result<()> {
    let edited = root.file("etc/tool/tool.toml");
    root.dpkg("--install").arg(&packages[0]).text()?;
    assert_eq!(root.printed()?, "tool 1.2.3-rc.1\n");
    assert_eq!(fs::read_link(root.file(ALIAS))?, Path::new("guide.txt"));
    assert_eq!(
        root.calls()?,
        [
            "preinst install",
            "postinst configure",
            "systemctl preset tool.service",
            "systemctl daemon-reload",
            "systemctl start tool.service",
        ]
    );
    fs::write(&edited, "edited = true\n")?;
    root.dpkg("--install").arg(&packages[1]).text()?;
    assert_eq!(root.printed()?, "tool 1.2.3\n");
    assert_eq!(
        root.calls()?,
        [
            "prerm upgrade",
            "preinst upgrade",
            "postrm upgrade",
            "postinst configure",
            "systemctl daemon-reload",
            "systemctl restart tool.service",
        ]
    );
    assert_eq!(fs::read_to_string(&edited)?, "edited = true\n");
    let status = root.dpkg("--status").arg("tool").text()?;
    ensure!(
        status.contains("\nStatus: install ok installed\n"),
        "{status}"
    );
    root.dpkg("--remove").arg("tool").text()?;
    ensure!(!root.file("usr/bin/tool").exists(), "dpkg left the program");
    ensure!(edited.exists(), "dpkg removed the configuration");
    assert_eq!(
        root.calls()?,
        [
            "systemctl stop tool.service",
            "prerm remove",
            "postrm remove",
            "systemctl daemon-reload",
        ]
    );
    root.dpkg("--purge").arg("tool").text()?;
    assert_eq!(root.calls()?[0], "postrm purge");
    ensure!(!edited.exists(), "dpkg left the configuration");

    Ok(())
}

/// Installs a package of RPM, upgrades it to a second one and removes that.
fn with_rpm(root: &Installation, packages: &[PathBuf]) -> Result<()> {
    let edited = root.file("etc/tool/tool.toml");
    root.rpm("--initdb").text()?;
    // The database has no package with the shell that scripts need.
    let upgrade = |package: &Path| root.rpm("--upgrade").arg("--nodeps").arg(package).text();
    upgrade(&packages[0])?;
    assert_eq!(root.printed()?, "tool 1.2.3-rc.1\n");
    assert_eq!(fs::read_link(root.file(ALIAS))?, Path::new("guide.txt"));
    assert_eq!(
        root.calls()?,
        [
            "preinst 1",
            "postinst 1",
            "systemctl daemon-reload",
            "systemctl preset tool.service",
        ]
    );
    fs::write(&edited, "edited = true\n")?;
    upgrade(&packages[1])?;
    assert_eq!(root.printed()?, "tool 1.2.3\n");
    assert_eq!(
        root.calls()?,
        [
            "preinst 2",
            "postinst 2",
            "systemctl daemon-reload",
            "prerm 1",
            "postrm 1",
            "systemctl daemon-reload",
            "systemctl try-restart tool.service",
        ]
    );
    assert_eq!(fs::read_to_string(&edited)?, "edited = true\n");
    fs::remove_file(&edited)?;
    fs::rename(edited.with_extension("toml.rpmnew"), &edited)?;
    root.rpm("--verify").args(["--nodeps", "tool"]).text()?;
    root.rpm("--erase").arg("tool").text()?;
    assert_eq!(
        root.calls()?,
        [
            "systemctl disable tool.service",
            "systemctl stop tool.service",
            "prerm 0",
            "postrm 0",
            "systemctl daemon-reload",
        ]
    );
    for left in ["usr/bin/tool", "etc/tool", "usr/share/licenses/tool"] {
        ensure!(!root.file(left).exists(), "rpm left {left}");
    }
    Ok(())
}

/// What the manifests of the next test say of the program. It must come out as it is.
const DESCRIPTION: &str = r#"Prints "it's" version, for $5 in #{lines} of ${files} \n"#;

/// Stands in for nixpkgs: Nix's own fetcher, and Slipway's build environment.
const NIXPKGS: &str = r#"
let
  system = builtins.currentSystem;
  slipway = (builtins.getFlake "SLIPWAY").lib.${system};
  inherit (slipway.targets.TARGET.stdenv) mkDerivation;
in
  import ./dist/tool.nix {
    fetchurl = import <nix/fetchurl.nix>;
    stdenvNoCC = {
      hostPlatform = {inherit system;};
      mkDerivation = attrs:
        mkDerivation (removeAttrs attrs ["meta"]
          // {
            name = "${attrs.pname}-${attrs.version}";
            phases = "unpack install";
            installPhase = "runHook() { :; }; ${attrs.installPhase}";
          })
        // {inherit (attrs) meta;};
    };
  }
"#;

/// Stands in for Homebrew: prints what a formula says of itself.
const HOMEBREW: &str = r##"
class Formula
  def self.method_missing(name, *values, &block)
    block ? block.call : puts("#{name} #{values.first}")
  end
end
class << Formula
  def test; end
end
load ARGV[0]
"##;

#[test]
fn package_managers_understand_the_manifests() -> Result<()> {
    if !met(&[Requirement::Program("ruby", "ruby")])? {
        return Ok(());
    }
    let own = Platform::own()?;
    let project = tagged("v1.2.3")?;
    project.write("completions/tool.bash", "complete\n")?;
    project.write("man/tool.1", "manual\n")?;
    let address = http::serve(project.path().to_owned())?;
    let url = format!("http://{address}/dist/{{file}}");
    project.edit("slipway.toml", |text| {
        text.replace(
            "files = [\"doc\"]",
            "files = [\"completions\", \"doc\", \"man\"]",
        ) + "archive-name = \"{name}-{os}-{arch}-{version}\"\n"
            + "manifests = [\"aur\", \"homebrew\", \"nix\", \"scoop\"]\n"
            + "homepage = \"https://example.com\"\nlicense = \"MIT\"\n"
            + &format!("url = {url:?}\ndescription = '''{DESCRIPTION}'''\n")
    })?;
    commit(&project, "build: write manifests")?;
    git(&project, &["tag", "--force", "v1.2.3"])?;
    project.slipway(&["release"])?.text()?;
    let artifacts: Value = serde_json::from_str(&project.read("dist/artifacts.json")?)?;
    let rows = artifacts.as_array().context("no list")?;
    let of_kind = |kind: &str| {
        let named = rows.iter().filter(|it| it["kind"] == kind);
        Vec::from_iter(named.filter_map(|it| it["name"].as_str()))
    };
    assert_eq!(of_kind("aur"), ["PKGBUILD", "SRCINFO"]);
    assert_eq!(of_kind("homebrew"), ["tool.rb"]);
    assert_eq!(of_kind("nix"), ["tool.nix"]);
    assert_eq!(of_kind("scoop"), ["tool.json"]);

    let scoop: Value = serde_json::from_str(&project.read("dist/tool.json")?)?;
    assert_eq!(scoop["description"], DESCRIPTION);
    let sums = project.read("dist/checksums.txt")?;
    let hash = scoop["architecture"]["64bit"]["hash"].as_str();
    let line = format!("{}  tool-windows-amd64-1.2.3.zip", hash.context("no hash")?);
    ensure!(sums.lines().any(|it| it == line), "{sums} lacks {line}");

    let formula = project.file("dist/tool.rb");
    let mut ruby = project.command("ruby", &["-e", HOMEBREW]);
    let said = ruby.arg(&formula).text()?;
    ensure!(
        said.lines().any(|it| it == format!("desc {DESCRIPTION}")),
        "{said}"
    );
    assert_eq!(said.matches("\nurl http://").count(), 4, "{said}");

    // What makepkg does with the file.
    let archive = format!("tool-linux-{}-1.2.3", own.architecture());
    let unpacked = unpack(&project, &format!("{archive}.tar.gz"))?;
    let package = project.file("package");
    let script = "source dist/PKGBUILD; echo \"$pkgdesc\"; cd \"$1\"; package";
    let mut makepkg = project.command("bash", &["-euc", script, "makepkg"]);
    makepkg.arg(&unpacked).env("pkgdir", &package);
    makepkg.env("CARCH", std::env::consts::ARCH);
    assert_eq!(makepkg.text()?.trim_end(), DESCRIPTION);
    let srcinfo = project.read("dist/SRCINFO")?;
    ensure!(
        srcinfo.contains(&format!("\tpkgdesc = {DESCRIPTION}\n")),
        "{srcinfo}"
    );

    let expression = NIXPKGS
        .replace("SLIPWAY", &project.slipway_flake())
        .replace("TARGET", std::env::consts::ARCH);
    project.write("nixpkgs.nix", &expression)?;
    let path = project.file("nixpkgs.nix").display().to_string();
    let build = ["--impure", "--file", &path];
    let built = end_to_end::nix::build(project.path(), &build)?;
    let eval = [&["eval", "--raw"], &build[..], &["meta.description"]].concat();
    assert_eq!(nix(project.path()).args(eval).text()?, DESCRIPTION);
    for root in [package.join("usr"), built] {
        let output = Command::new(root.join("bin/tool")).outcome()?;
        assert_eq!(String::from_utf8_lossy(&output.stderr), "tool 1.2.3\n");
        for file in [
            "share/bash-completion/completions/tool",
            "share/doc/tool/doc/guide.txt",
            "share/man/man1/tool.1",
        ] {
            ensure!(root.join(file).is_file(), "no {file} in {}", root.display());
        }
    }
    ensure!(
        package
            .join("usr/share/licenses/tool-bin/LICENSE")
            .is_file(),
        "no license"
    );
    Ok(())
}

#[test]
fn manifests_with_odd_texts_have_the_syntax_of_their_languages() -> Result<()> {
    if !met(&[Requirement::Program("ruby", "ruby")])? {
        return Ok(());
    }
    let snapshots = repository().join("crates/slipway-release/tests/manifests");
    let check = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&snapshots);
        command.text()
    };
    check("ruby", &["-c", "word-count.rb"])?;
    check("bash", &["-n", "PKGBUILD"])?;
    check("nix-instantiate", &["--parse", "word-count.nix"]).map(drop)
}

const GORELEASER: &str = r#"version: 2
before:
  hooks: [go generate ./...]
builds:
  - main: ./cmd/tool
    env: [CGO_ENABLED=0]
    goos: [linux, freebsd, plan9]
    goarch: [amd64]
    ldflags: ["-s -w -X main.version={{.Version}}"]
archives:
  - formats: [tzst]
    name_template: "{{ .ProjectName }}-{{ .Os }}-{{ .Arch }}"
    files: [README*, docs/*, missing]
dockers:
  - image_templates: [example/tool]
"#;

const RELEASE_TABLE: &str = r#"
# What slipway release writes, as .goreleaser.yaml says.
[release]
archive-name = "{name}-{os}-{arch}"
platforms = ["linux/amd64", "freebsd/amd64"]
archives = ["tar.zst"]
files = ["docs"]
"#;

#[test]
fn init_takes_over_what_goreleaser_was_told() -> Result<()> {
    let project = Project::of(&[
        ("go.mod", "module example.com/tool\n\ngo 1.24\n"),
        ("cmd/tool/main.go", MAIN),
        ("cmd/generate/main.go", "package main\n\nfunc main() {}\n"),
        ("docs/guide.md", "guide\n"),
        (".goreleaser.yaml", GORELEASER),
    ])?;
    git(&project, &["init", "--quiet"])?;
    let said = project.slipway(&["init"])?.text()?;
    for line in [
        "taken over from .goreleaser.yaml:",
        "  archives.name_template: archive-name",
        "not taken over from .goreleaser.yaml:",
        "  before: run these commands before slipway release, and commit what they write",
        "  builds (plan9/amd64): the project is not built for them; those for Linux can be added with slipway init \
         --platform",
        "  archives.files (missing): no such file or directory is in the project",
        "  dockers: slipway build and slipway push make and push images",
    ] {
        ensure!(said.lines().any(|it| it == line), "{said} lacks {line}");
    }
    let table = project.read("slipway.toml")?;
    ensure!(table.ends_with(RELEASE_TABLE), "{table}");
    commit(&project, "feat: begin")?;
    git(&project, &["tag", "v1.0.0"])?;
    project.slipway(&["release"])?.text()?;
    let sums = project.read("dist/checksums.txt")?;
    let names = sums.lines().filter_map(|line| line.split("  ").nth(1));
    let base = "tool-linux-amd64";
    assert_eq!(
        Vec::from_iter(names),
        ["tool-freebsd-amd64.tar.zst", &format!("{base}.tar.zst")]
    );
    let unpacked = unpack(&project, &format!("{base}.tar.zst"))?.join(base);
    ensure!(unpacked.join("docs/guide.md").exists(), "no guide");
    ensure!(!unpacked.join("generate").exists(), "an unwanted program");

    // A broken file must not prevent the release files.
    project.write(".goreleaser.yaml", "builds: [\n")?;
    let output = project.slipway(&["init", "--force"])?.outcome()?;
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success()
            && warning.contains("warning: nothing is taken over from .goreleaser.yaml: line "),
        "{warning}"
    );
    let table = project.read("slipway.toml")?;
    ensure!(!table.contains("[release]"), "{table}");
    Ok(())
}

/// Installs a package of Arch Linux, upgrades it to a second one and removes that.
fn with_pacman(root: &Installation, packages: &[PathBuf]) -> Result<()> {
    let edited = root.file("etc/tool/tool.toml");
    let database = root.file("var/lib/pacman");
    fs::create_dir_all(&database)?;
    let pacman = |option: &str| {
        let mut pacman = Command::new("pacman");
        pacman
            .args(["--config", "/dev/null", "--noconfirm", "--root"])
            .arg(root.root.path())
            .arg("--dbpath")
            .arg(&database)
            .arg(option);
        pacman
    };
    pacman("--upgrade").arg(&packages[0]).text()?;
    assert_eq!(root.printed()?, "tool 1.2.3-rc.1\n");
    assert_eq!(fs::read_link(root.file(ALIAS))?, Path::new("guide.txt"));
    assert_eq!(root.calls()?, ["preinst install", "postinst configure"]);
    fs::write(&edited, "edited = true\n")?;
    let said = pacman("--upgrade").arg(&packages[1]).outcome()?;
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    ensure!(!said.contains("downgrading"), "{said}");
    assert_eq!(root.printed()?, "tool 1.2.3\n");
    assert_eq!(root.calls()?, ["preinst upgrade", "postinst configure"]);
    assert_eq!(fs::read_to_string(&edited)?, "edited = true\n");
    pacman("--query").args(["--check", "tool"]).text()?;
    pacman("--remove").args(["--nosave", "tool"]).text()?;
    assert_eq!(root.calls()?, ["prerm remove", "postrm remove"]);
    for left in ["usr/bin/tool", "usr/share/doc/tool"] {
        ensure!(!root.file(left).exists(), "pacman left {left}");
    }
    Ok(())
}

#[test]
fn a_commit_without_a_version_is_only_released_as_a_snapshot() -> Result<()> {
    let project = tagged("v1.2.3")?;
    let platform = ["--platform", "linux/amd64"];
    let release = |more: &[&str]| {
        let arguments = [&["release"], &platform[..], more].concat();
        project.slipway(&arguments)
    };
    fs::create_dir(project.file("other"))?;
    project.write(".git/info/exclude", "other\ndist\n")?;
    project.write("other/file", "")?;
    let error = release(&["--output", "other"])?.failure()?;
    ensure!(
        error.contains("other exists, and slipway release did not write it"),
        "{error}"
    );

    project.edit("main.go", |text| text + "\n")?;
    let error = release(&[])?.failure()?;
    ensure!(
        error.contains("changes that are not committed, such as main.go"),
        "{error}"
    );
    commit(&project, "fix: end the file")?;
    let error = release(&[])?.failure()?;
    ensure!(
        error.contains("has no tag; tag it, such as: git tag v0.1.0"),
        "{error}"
    );
    git(&project, &["tag", "nightly"])?;
    let error = release(&[])?.failure()?;
    ensure!(
        error.contains("the tag nightly is not a version"),
        "{error}"
    );
    let error = project
        .slipway(&["release", "--snapshot", "--platform", "plan9/386"])?
        .failure()?;
    ensure!(error.contains("plan9/386 is not a platform"), "{error}");
    ensure!(!project.file("dist").exists(), "an error leaves files");

    release(&["--snapshot"])?.text()?;
    let metadata: Value = serde_json::from_str(&project.read("dist/metadata.json")?)?;
    let version = metadata["version"].as_str().context("no version")?;
    ensure!(version.starts_with("1.2.3-SNAPSHOT-"), "{version}");
    let archive = format!("tool_{version}_linux_amd64");
    unpack(&project, &format!("{archive}.tar.gz")).map(drop)
}

#[test]
fn settings_that_cannot_be_met_are_explained() -> Result<()> {
    let project = tagged("v1.2.3")?;
    for (from, to, error) in [
        ("\"tar.gz\"", "\"rar\"", "\"rar\" is not an archive format"),
        (
            "\"doc\"",
            "\"../doc\"",
            "names ../doc, which is not a file or a directory in the project",
        ),
        (
            "\"doc\"",
            "\"missing\"",
            "names missing, which is not a file",
        ),
        ("files =", "fils =", "unknown field `fils`"),
        (
            "files =",
            "archive-name = \"{name}_{oss}\"\nfiles =",
            "has {oss}, which is not a placeholder; the placeholders are {name}, {version}, {os}, {arch}",
        ),
        (
            "files =",
            "archive-name = \"{os}/{arch}\"\nfiles =",
            "gives the name \"linux/amd64\"; it must not be empty, begin with a dot, or have a slash",
        ),
        (
            "files =",
            "archive-name = \"{name}_{os}\"\nfiles =",
            "gives tool_linux.tar.gz for linux/amd64 and for linux/arm64; add {os} and {arch} to it",
        ),
        (
            "files =",
            "manifests = [\"apt\"]\nfiles =",
            "\"apt\" is not a kind of manifest; the kinds are aur, homebrew, nix, scoop",
        ),
        (
            "files =",
            "manifests = [\"nix\"]\nfiles =",
            "manifests need description in [release]",
        ),
        (
            "files =",
            "manifests = [\"nix\"]\ndescription = \"a\"\nhomepage = \"b\"\nlicense = \"MIT\"\nfiles =",
            "manifests need url in [release]",
        ),
        (
            "files =",
            "manifests = [\"nix\"]\ndescription = \"a\"\nhomepage = \"b\"\nlicense = \"MIT\"\nurl = \"https://a/\"\nfiles =",
            "is no URL with the place of {file}",
        ),
        (
            "files =",
            "units = [\"../tool.service\"]\nfiles =",
            "`units` in [release] of slipway.toml names ../tool.service, which is not a file in",
        ),
        (
            "files =",
            "name = \"my_tool\"\npackages = [\"deb\"]\nfiles =",
            "my_tool is not the name of a Debian package",
        ),
        (
            "files =",
            "units = [\"main.go\"]\nfiles =",
            "main.go is not the name of a systemd unit",
        ),
        (
            "files =",
            "config = { \"/usr/tool\" = \"LICENSE\" }\nfiles =",
            "the key /usr/tool, which is not a path in /etc, such as /etc/LICENSE",
        ),
        (
            "files =",
            "scripts = { postinst = \"missing\" }\nfiles =",
            "`scripts` in [release] of slipway.toml names missing, which is not a file",
        ),
        (
            "files =",
            "scripts = { postinst = \"LICENSE\" }\nfiles =",
            "LICENSE does not say what runs it",
        ),
        (
            "files =",
            "scripts = { postinstall = \"LICENSE\" }\nfiles =",
            "unknown field `postinstall`, expected one of `preinst`, `postinst`",
        ),
        (
            "files =",
            "glibc = \"two\"\nfiles =",
            "\"two\" is not a version of glibc",
        ),
        (
            "files =",
            "libraries = \"dynamic\"\nfiles =",
            "\"dynamic\", which is no way to get libraries; these are: bundled, static",
        ),
    ] {
        let before = project.read("slipway.toml")?;
        project.edit("slipway.toml", |text| text.replace(from, to))?;
        let platforms = "linux/amd64,linux/arm64";
        let arguments = ["release", "--snapshot", "--platform", platforms];
        let said = project.slipway(&arguments)?.failure()?;
        ensure!(said.contains(error), "{said}");
        ensure!(!project.file("dist").exists(), "an error leaves files");
        project.write("slipway.toml", &before)?;
    }
    Ok(())
}
