//! What `slipway init` finds out about a cargo workspace.

use anyhow::Result;
use slipway_debian::lock::Lock;

use crate::commands::init::{Found, Place, main_program};
use crate::project::cargo::{self, Crate, Workspace};
use crate::project::native_libraries::NativeLibraries;

pub fn find(place: &Place) -> Result<Found> {
    let (directory, rows) = (place.directory, place.rows);
    let main_target = rows.first().map_or("", |row| row.name_in("rust"));
    let workspace = Workspace::read(directory, main_target)?;
    let mut crates = Vec::new();
    for row in rows {
        crates.extend(workspace.crates(directory, row.name_in("rust"))?);
    }
    let needs = NativeLibraries::read()?.needs(&crates);
    let mut settings = settings(&workspace, place.own, &crates);
    if !needs.tools.is_empty() {
        let tools: Vec<String> = needs
            .tools
            .iter()
            .map(|name| format!("target.{name}"))
            .collect();
        settings.push("# what the builds of crates run".into());
        settings.push(format!(
            "nativeBuildInputs = target: [{}];",
            tools.join(" ")
        ));
    }
    Ok(Found {
        function: "mkProject",
        settings,
        needs,
        manifests: &["Cargo.toml", "Cargo.lock"],
        go: None,
    })
}

/// The lines of flake.nix that depend on the workspace.
fn settings(workspace: &Workspace, own: &Lock, crates: &[Crate]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(main) = &workspace.main {
        lines.extend(main_program(&workspace.programs, main));
    }
    if let Some((asked, by)) = workspace.rust_version(crates) {
        let version_of = |package: &str| {
            let row = own.packages.iter().find(|row| row.name == package)?;
            let version = row.version.to_string();
            Some(version.split('+').next().unwrap_or(&version).to_owned())
        };
        let is_enough = |package: &str| {
            version_of(package).is_some_and(|own| cargo::numbers(&own) >= cargo::numbers(asked))
        };
        if !is_enough("rustc") {
            let newest = version_of(NEWER_RUST).unwrap_or_default();
            lines.push(format!("# {by} asks for Rust {asked}; this is {newest}"));
            lines.push(format!("rust = \"{NEWER_RUST}\";"));
            if !is_enough(NEWER_RUST) {
                eprintln!(
                    "warning: {by} asks for Rust {asked}, and the newest that is pinned is {newest}; it may not compile"
                );
            }
        }
    }
    lines
}

/// Debian's package of the newer of its two Rust compilers.
const NEWER_RUST: &str = "rustc-web";
