//! Machines that build. The flake has packages, checks and shells for each. An emulated machine can
//! also build the compiler, and use it to build a program.

use std::path::PathBuf;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::{build, nix};
use end_to_end::platform::Platform;
use end_to_end::repository::{Copy, repository};
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway::slipway;
use serde_json::Value;

fn machines() -> Result<Vec<Platform>> {
    let all = Platform::all()?.into_iter();
    Ok(all.filter(|platform| platform.builds).collect())
}

#[test]
fn every_output_evaluates_for_every_machine() -> Result<()> {
    let machines = machines()?;
    assert!(machines.len() > 1);
    for machine in &machines {
        for output in ["checks", "devShells", "packages"] {
            let derivations = nix(repository())
                .args(["eval", "--json", &format!(".#{output}.{}", machine.nix)])
                .args(["--apply", "builtins.mapAttrs (_: output: output.drvPath)"])
                .text()?;
            let derivations: Value = serde_json::from_str(&derivations)?;
            let count = derivations.as_object().map_or(0, serde_json::Map::len);
            assert!(count > Platform::all()?.len(), "{derivations}");
        }
        let formatter = format!(".#formatter.{}.drvPath", machine.nix);
        nix(repository())
            .args(["eval", "--raw", &formatter])
            .text()?;
    }
    Ok(())
}

#[test]
fn error_names_an_architecture_that_is_not_locked() -> Result<()> {
    let platform = Platform::foreign()?;
    let copy = Copy::new()?;
    let row = format!("for = [\"{}\"]", platform.debian);
    copy.edit("slipway.lock", |text| {
        let tables = text.split_inclusive("\n\n");
        let others = tables.filter(|table| !table.contains(&row));
        let all = others.collect::<String>();
        all.replace(&format!("\"{}\", ", platform.debian), "")
            .replace(&format!(", \"{}\"", platform.debian), "")
    })?;
    let error = nix(copy.path())
        .args(["eval", &format!(".#{}.drvPath", platform.image())])
        .failure()?;
    let expected = format!(
        "slipway.lock has no set libraries for {}; add it",
        platform.debian
    );
    assert!(error.contains(&expected), "{error}");
    Ok(())
}

/// Builds an expression about the flake for `machine`, with Nix on this machine and an emulator in
/// the kernel.
fn built_by(machine: &Platform, expression: &str) -> Result<PathBuf> {
    let flake = format!("git+file://{}", repository().display());
    let expression = format!("let flake = builtins.getFlake \"{flake}\"; in {expression}");
    let emulated = ["--impure", "--option", "extra-platforms", &machine.nix];
    build(
        repository(),
        &[&emulated[..], &["--expr", &expression]].concat(),
    )
}

#[test]
#[ignore = "long: builds the compiler under emulation"]
fn an_emulated_machine_builds_a_compiler_and_a_program() -> Result<()> {
    let own = Platform::own()?;
    let mut others = machines()?.into_iter().filter(|it| !it.is_native());
    let machine = others.next().context("no machine but this one builds")?;
    if !met(&[Requirement::Runs(&machine), Requirement::TrustedByNix])? {
        return Ok(());
    }
    let library = format!(".#packages.{}.librdkafka-{}", machine.nix, machine.name);
    slipway(&["seed", "--locked", &library])?.text()?;
    // Build for the emulated machine itself, and cross-compile for this one.
    for target in [&machine, &own] {
        let program = built_by(
            &machine,
            &format!(
                r#"flake.lib.{}.targets.{}.stdenv.mkDerivation {{
                    name = "hello";
                    phases = "build";
                    buildPhase = ''
                      echo '#include <stdio.h>' >hello.c
                      echo 'int main(void) {{ return puts("hello") < 0; }}' >>hello.c
                      mkdir -p $out/bin
                      $CC -o $out/bin/hello hello.c
                    '';
                }}"#,
                machine.nix, target.name
            ),
        )?;
        let printed = std::process::Command::new(program.join("bin/hello")).text()?;
        assert_eq!(printed, "hello\n");
    }
    Ok(())
}
