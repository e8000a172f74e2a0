//! Errors of plain `nix build` if a seed is missing or is not the pinned one, and downloads from
//! mirrors by Nix itself.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::http::serve;
use end_to_end::nix::nix;
use end_to_end::platform::Platform;
use end_to_end::project::Project;
use end_to_end::repository::{Copy, repository};

/// A hash that belongs to no file.
const NO_HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Changes a field of the first table with this `name` in a TOML file, and returns the old table.
/// If tables are for one machine each, it takes the one for this machine.
fn change_pin(copy: &Copy, file: &str, name: &str, field: &str) -> Result<String> {
    let text = std::fs::read_to_string(copy.file(file))?;
    let own = format!("architecture = \"{}\"\n", Platform::own()?.debian);
    let table = text
        .split_inclusive("\n\n")
        .filter(|table| table.contains(&format!("name = \"{name}\"\n")))
        .find(|table| table.contains(&own) || !table.contains("\narchitecture = "))
        .with_context(|| format!("{file} has no {name}"))?
        .to_owned();
    let line = format!("{field} = \"{}\"", value(&table, field)?);
    let changed = table.replace(&line, &format!("{field} = \"{NO_HASH}\""));
    copy.edit(file, |text| text.replace(&table, &changed))?;
    Ok(table)
}

fn value<'a>(table: &'a str, field: &str) -> Result<&'a str> {
    table
        .lines()
        .find_map(|line| {
            line.strip_prefix(field)?
                .strip_prefix(" = \"")?
                .strip_suffix('"')
        })
        .with_context(|| format!("no {field} in {table}"))
}

fn build_error(copy: &Copy) -> Result<String> {
    nix(copy.path())
        .args(["build", "--no-link", "--print-build-logs", ".#image"])
        .failure()
}

/// A tampered pin and a missing seed give the same error, because a pin is a hash: the store has no
/// such file.
fn assert_error_names_package(name: &str, field: &str) -> Result<()> {
    let copy = Copy::new()?;
    let pin = change_pin(&copy, "slipway.lock", name, field)?;
    let expected = format!(
        "seed {name} {} ({}) is not in the store; run: slipway seed",
        value(&pin, "version")?,
        value(&pin, "architecture")?
    );
    let error = build_error(&copy)?;
    assert!(error.contains(&expected), "expected: {expected}\n{error}");
    Ok(())
}

#[test]
fn error_names_a_missing_package_and_the_command_to_run() -> Result<()> {
    assert_error_names_package("make", "sha256")
}

#[test]
fn error_names_the_missing_static_shell() -> Result<()> {
    assert_error_names_package("bash-static", "executable-sha256")
}

#[test]
fn error_names_a_missing_crate_and_the_command_to_run() -> Result<()> {
    let copy = Copy::new()?;
    let pin = change_pin(&copy, "Cargo.lock", "rdkafka", "checksum")?;
    let expected = format!(
        "seed rdkafka {} (crate) is not in the store; run: slipway seed",
        value(&pin, "version")?
    );
    let error = build_error(&copy)?;
    assert!(error.contains(&expected), "expected: {expected}\n{error}");
    Ok(())
}

/// Each run creates new files, so that the store does not contain them yet.
#[test]
fn nix_fetches_from_configured_mirrors() -> Result<()> {
    let served = tempfile::tempdir()?;
    let own = served.path().display().to_string();
    for (path, kind) in [
        ("debian/pool/main/a/a.deb", "deb"),
        ("debian-security/pool/updates/main/b/b.deb", "security"),
        ("crates/one/1.0.0+x/download", "crate"),
        ("programs/c_1-2+b1_amd64", "program"),
    ] {
        let file = served.path().join(path);
        fs::create_dir_all(file.parent().context("directory")?)?;
        fs::write(&file, format!("{kind} {own}"))?;
    }
    let hash = |kind: &str, path: &str| {
        let arguments = ["hash", kind, "--type", "sha256", "--base16", path];
        let hash = nix(served.path()).args(arguments).text();
        Ok::<_, anyhow::Error>(hash?.trim().to_owned())
    };
    let program = served.path().join("program");
    fs::copy(served.path().join("programs/c_1-2+b1_amd64"), &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o555))?;

    let url = format!("http://{}", serve(served.path().to_owned())?);
    let expression = format!(
        r#"let
          seeds = import {seeds} {{
            system = builtins.currentSystem;
            mirrors = ["{url}/debian/" "{url}/crates/{{crate}}/{{version}}/download" "{url}/programs/{{program}}"];
          }};
          bash = "/no/bash";
          pin = {{ name = "c"; version = "1:1~2+b1"; architecture = "amd64"; size = 1; archive = "debian"; }};
        in [
          (seeds.deb {{
            inherit bash;
            pin = pin // {{ path = "pool/main/a/a.deb"; sha256 = "{deb}"; }};
          }})
          (seeds.deb {{
            inherit bash;
            pin = pin // {{
              archive = "debian-security";
              path = "pool/updates/main/b/b.deb";
              sha256 = "{security}";
            }};
          }})
          (seeds.crate {{
            inherit bash;
            client = bash;
            package = {{
              name = "one";
              version = "1.0.0+x";
              checksum = "{krate}";
              source = "registry+https://mirror.example/crates.io-index";
            }};
          }})
          (seeds.executable (pin // {{
            path = "pool/main/c/c_1-2+b1_amd64.deb";
            sha256 = "{deb}";
            executable = "bin/c";
            executable-sha256 = "{program}";
          }}))
        ]"#,
        seeds = repository().join("nix/seeds.nix").display(),
        deb = hash("file", "debian/pool/main/a/a.deb")?,
        security = hash("file", "debian-security/pool/updates/main/b/b.deb")?,
        krate = hash("file", "crates/one/1.0.0+x/download")?,
        program = hash("path", "program")?,
    );
    let built = nix(served.path())
        .args(["build", "--no-link", "--impure", "--json", "--expr"])
        .arg(&expression)
        .text()?;
    let built: Vec<serde_json::Value> = serde_json::from_str(&built)?;
    let mut texts = BTreeSet::new();
    for one in &built {
        let path = one["outputs"]["out"].as_str().context("no path")?;
        texts.insert(fs::read_to_string(path)?);
    }
    let expected = ["crate", "deb", "program", "security"].map(|kind| format!("{kind} {own}"));
    assert_eq!(texts, BTreeSet::from(expected));
    Ok(())
}

#[test]
fn mirrors_of_a_project_do_not_change_its_output_paths() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    let evaluate = |attribute: &str| {
        let installable = format!("path:{}#image.{attribute}", project.path().display());
        nix(project.path())
            .args(["eval", "--raw", &installable])
            .text()
    };
    let (path, derivation) = (evaluate("outPath")?, evaluate("drvPath")?);
    project.edit("slipway.toml", |text| {
        let mirrors = r#"["https://one.example/debian", "https://two.example/{crate}/{version}"]"#;
        text.replace("\n\n[set", &format!("\nmirrors = {mirrors}\n\n[set"))
    })?;
    let urls = |derivation: &str| {
        let shown = nix(project.path())
            .args(["show-derivation", "--recursive", derivation])
            .text()?;
        Ok::<_, anyhow::Error>((
            shown.contains(r#""url": "https://one.example/debian/pool/"#),
            shown.contains(r#""url": "https://two.example/sha2/"#),
        ))
    };
    assert_eq!(urls(&derivation)?, (false, false));
    assert_eq!(urls(&evaluate("drvPath")?)?, (true, true));
    assert_eq!(evaluate("outPath")?, path);
    Ok(())
}
