//! The C and C++ examples as flakes of their own. The repository's flake already checks that they
//! build and run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::nix::{build, nix, nix_build};
use end_to_end::repository::repository;
use end_to_end::slipway;
use tempfile::TempDir;

/// Builds an output of the example's own flake.
fn built(example: &str, output: &str) -> Result<PathBuf> {
    build(repository(), &[&format!("./examples/{example}#{output}")])
}

/// The names of the store paths that a program of an example needs at run time.
fn closure(example: &str, platform: &str) -> Result<String> {
    let program = built(example, &format!("program-{platform}"))?;
    nix(repository())
        .args(["path-info", "--recursive"])
        .arg(program)
        .text()
}

#[test]
fn example_works_outside_the_repository() -> Result<()> {
    let copy = TempDir::new()?;
    for entry in fs::read_dir(repository().join("examples/c-cmake"))? {
        let entry = entry?;
        fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    let flake = copy.path().join("flake.nix");
    let input = format!("git+file:{}", repository().display());
    fs::write(
        &flake,
        fs::read_to_string(&flake)?.replace("path:../..", &input),
    )?;
    let index = nix_build(copy.path(), "default")?;
    let report = Command::new(slipway::program()?)
        .arg("verify")
        .arg(index)
        .text()?;
    for platform in ["linux/amd64: ok", "linux/arm64: ok"] {
        assert!(report.contains(platform), "{report}");
    }
    Ok(())
}

#[test]
fn only_programs_with_cpp_code_depend_on_libstdcxx() -> Result<()> {
    for platform in ["aarch64", "x86_64"] {
        for example in ["cpp-meson", "rust-cpp"] {
            let closure = closure(example, platform)?;
            assert!(closure.contains("-libstdc++6"), "{example}: {closure}");
        }
        for example in ["c-autotools", "c-cmake", "rust-bindgen"] {
            let closure = closure(example, platform)?;
            assert!(!closure.contains("-libstdc++6"), "{example}: {closure}");
        }
    }
    Ok(())
}

#[test]
fn dev_output_contains_headers_and_the_image_does_not() -> Result<()> {
    let (out, dev) = (
        built("c-cmake", "program-aarch64")?,
        built("c-cmake", "program-aarch64.dev")?,
    );
    for (name, has, has_not) in [
        ("include/checksum.h", &dev, &out),
        ("lib/libchecksum.so", &dev, &out),
        ("lib/libchecksum.so.1", &out, &dev),
    ] {
        assert!(has.join(name).exists(), "{name}");
        assert!(!has_not.join(name).exists(), "{name}");
    }
    Ok(())
}

#[test]
fn perl_finds_its_modules_when_started_by_its_full_path() -> Result<()> {
    let flake = format!("git+file://{}", repository().display());
    let expression = format!(
        r#"
        let target = (builtins.getFlake "{flake}").lib.targets.x86_64;
        in target.stdenv.mkDerivation {{
          name = "perl-modules";
          phases = "build";
          nativeBuildInputs = [target.perl];
          buildPhase = ''"$(perl -e 'print $^X')" -MPOSIX -e 'print "found"' >$out'';
        }}"#
    );
    let printed = build(repository(), &["--impure", "--expr", &expression])?;
    assert_eq!(fs::read_to_string(printed)?, "found");
    Ok(())
}
