//! The pages on the Nix library list what it has.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::nix::nix;
use end_to_end::repository::repository;
use serde_json::Value;

/// The attributes of what `function` makes of the output `lib`.
fn names(function: &str) -> Result<Vec<String>> {
    let names = nix(repository())
        // Nix 2.8 fails if several processes fill its cache of evaluations at the same time.
        .args([
            "eval",
            "--option",
            "eval-cache",
            "false",
            "--json",
            ".#lib",
            "--apply",
        ])
        .arg(format!("lib: builtins.mapAttrs (_: _: null) ({function})"))
        .text()?;
    let names: BTreeMap<String, Value> = serde_json::from_str(&names)?;
    Ok(names.into_keys().collect())
}

/// Fails if a row of the page's tables begins with none of the names.
fn assert_documented(page: &str, names: &[String]) -> Result<()> {
    let text = fs::read_to_string(repository().join("docs").join(page))?;
    let cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let cells: Vec<&str> = cells.collect();
    for name in names {
        let (word, part) = (format!("`{name}`"), format!("`{name}."));
        let listed = |cell: &&str| cell.contains(&word) || cell.contains(&part);
        assert!(cells.iter().any(listed), "{page}: {name}");
    }
    Ok(())
}

#[test]
fn documents_every_argument_of_mk_project() -> Result<()> {
    assert_documented(
        "projects.md",
        &names("builtins.functionArgs lib.mkProject")?,
    )
}

#[test]
fn documents_every_argument_of_mk_go_project() -> Result<()> {
    assert_documented("go.md", &names("builtins.functionArgs lib.mkGoProject")?)
}

#[test]
fn documents_every_argument_of_build_go() -> Result<()> {
    assert_documented(
        "nix.md",
        &names("builtins.functionArgs lib.targets.x86_64.buildGo")?,
    )
}

#[test]
fn documents_every_argument_of_image() -> Result<()> {
    assert_documented("images.md", &names("builtins.functionArgs lib.image")?)
}

#[test]
fn documents_every_attribute_of_a_target() -> Result<()> {
    assert_documented("nix.md", &names("lib.targets.x86_64")?)
}

/// libssl3t64 and openssl-provider-legacy are such a pair in Debian.
#[test]
fn packages_that_depend_on_each_other_are_laid_out() -> Result<()> {
    let expression = format!(
        r#"let
          row = name: depends: {{
            inherit depends name;
            for = ["arm64"];
            sets = ["libraries"];
          }};
          packages = import {nix}/toolchain/locked-packages.nix {{
            bash = null;
            deb = {{depends, pin, ...}}: {{names = map (one: one.pin.name) depends; inherit pin;}};
            lock.package = [(row "b" ["a" "c"]) (row "a" ["b"]) (row "c" ["d"]) (row "d" ["b"]) (row "e" ["a"])];
            platforms = {{arm.debian = "arm64";}};
            seeds.deb = _: null;
          }};
        in
          builtins.mapAttrs (_: one: one.names) packages.libraries.arm64"#,
        nix = repository().join("nix").display()
    );
    let found = nix(repository())
        .args(["eval", "--impure", "--json", "--expr", &expression])
        .text()?;
    let found: BTreeMap<String, Vec<String>> = serde_json::from_str(&found)?;
    let names = |name: &str| found[name].join(" ");
    // a, b, c and d form two cycles. Dependencies on names that sort before stay.
    assert_eq!(names("a"), "");
    assert_eq!(names("b"), "a");
    assert_eq!(names("c"), "");
    assert_eq!(names("d"), "b a");
    assert_eq!(names("e"), "a");
    Ok(())
}
