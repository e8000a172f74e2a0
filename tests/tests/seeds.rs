//! What plain `nix build` says when something is not in the store, or not what is pinned.

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::nix::nix;
use end_to_end::platform::Platform;
use end_to_end::repository::Copy;

/// The hash of no file.
const NO_HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Changes the value of a field in the first table of a TOML file that has this name, and is for this
/// machine if it is for any; gives the table as it was.
fn pin_otherwise(copy: &Copy, file: &str, name: &str, field: &str) -> Result<String> {
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

/// A pin is a hash, so a pin that was tampered with and a seed that was never fetched are the same:
/// the store has no such file.
fn names_the_missing_package(name: &str, field: &str) -> Result<()> {
    let copy = Copy::new()?;
    let pin = pin_otherwise(&copy, "slipway.lock", name, field)?;
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
fn a_package_that_is_not_in_the_store_is_named_with_what_to_run() -> Result<()> {
    names_the_missing_package("make", "sha256")
}

#[test]
fn the_package_of_the_first_program_of_all_is_named_as_well() -> Result<()> {
    names_the_missing_package("bash-static", "executable-sha256")
}

#[test]
fn a_crate_that_is_not_in_the_store_is_named_with_what_to_run() -> Result<()> {
    let copy = Copy::new()?;
    let pin = pin_otherwise(&copy, "Cargo.lock", "rdkafka", "checksum")?;
    let expected = format!(
        "seed rdkafka {} (crate) is not in the store; run: slipway seed",
        value(&pin, "version")?
    );
    let error = build_error(&copy)?;
    assert!(error.contains(&expected), "expected: {expected}\n{error}");
    Ok(())
}
