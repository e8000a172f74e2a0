//! What cargo knows of a workspace. It is asked, and not read up in Cargo.lock, since it alone can tell
//! which features are on, and so what a program is really made of.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A crate that a program is made of.
pub struct Crate {
    pub name: String,
    /// Those that are on.
    pub features: Vec<String>,
    /// Whether it says that it links with something, or runs a program when it is compiled and is
    /// called as crates are that do.
    pub links: bool,
}

/// A workspace, as `cargo metadata` shows it.
pub struct Workspace {
    /// Packages that `cargo build` makes programs of; those of the whole workspace if it makes none.
    pub packages: Vec<String>,
    /// Their programs.
    pub programs: Vec<String>,
    /// The program that is meant when none is named.
    pub main: Option<String>,
    links: BTreeSet<String>,
    rust_versions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
    workspace_root: String,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    links: Option<String>,
    rust_version: Option<String>,
    default_run: Option<String>,
    manifest_path: String,
    targets: Vec<Target>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

impl Package {
    fn has(&self, kind: &str) -> bool {
        self.targets.iter().any(|target| target.is(kind))
    }

    /// Those that are made with the default features.
    fn programs(&self) -> impl Iterator<Item = &String> {
        let mut enabled = vec!["default"];
        let mut at = 0;
        while let Some(feature) = enabled.get(at) {
            let more = self.features.get(*feature).into_iter().flatten();
            let more: Vec<&str> = more
                .map(String::as_str)
                .filter(|name| !enabled.contains(name))
                .collect();
            enabled.extend(more);
            at += 1;
        }
        let is_made = move |target: &&Target| {
            let mut required = target.required_features.iter();
            target.is("bin") && required.all(|feature| enabled.contains(&feature.as_str()))
        };
        self.targets
            .iter()
            .filter(is_made)
            .map(|target| &target.name)
    }
}

impl Target {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

impl Workspace {
    /// Asks cargo, which may fetch crates for that; `target` is Rust's name of the platform that
    /// counts.
    pub fn read(directory: &Path, target: &str) -> Result<Self> {
        let shown = directory.display();
        if !directory.join("Cargo.toml").exists() {
            bail!("no Cargo.toml in {shown}; name the directory of a cargo workspace");
        }
        if !directory.join("Cargo.lock").exists() {
            let words = ["locate-project", "--workspace", "--message-format", "plain"];
            let manifest = PathBuf::from(cargo(directory, &words)?.trim());
            match manifest.parent() {
                Some(root) if root != directory => bail!(
                    "{shown} is part of the workspace in {root}; run: slipway init {root}",
                    root = root.display()
                ),
                _ => bail!("no Cargo.lock in {shown}; write it with: cargo generate-lockfile"),
            }
        }
        let text = cargo(
            directory,
            &[
                "metadata",
                "--format-version",
                "1",
                "--filter-platform",
                target,
            ],
        )?;
        let metadata: Metadata =
            serde_json::from_str(&text).context("cargo metadata printed what it should not")?;
        Self::of(metadata)
    }

    fn of(metadata: Metadata) -> Result<Self> {
        let makers = |ids: &[String]| -> Vec<&Package> {
            let of_ids = metadata.packages.iter().filter(|one| ids.contains(&one.id));
            of_ids
                .filter(|one| one.programs().next().is_some())
                .collect()
        };
        let mut chosen = makers(&metadata.workspace_default_members);
        if chosen.is_empty() {
            chosen = makers(&metadata.workspace_members);
        }
        if chosen.is_empty() {
            bail!("this workspace has no program to make an image of, only libraries");
        }
        let root = Path::new(&metadata.workspace_root).join("Cargo.toml");
        let root = chosen
            .iter()
            .find(|one| Path::new(&one.manifest_path) == root);
        let programs: Vec<String> = chosen
            .iter()
            .flat_map(|one| one.programs().cloned())
            .collect();
        let main = root
            .and_then(|one| one.default_run.clone())
            .or_else(|| root.map(|one| one.name.clone()))
            .filter(|name| programs.contains(name));
        let may_link = |one: &&Package| {
            one.links.is_some() || one.name.ends_with("-sys") && one.has("custom-build")
        };
        Ok(Self {
            packages: chosen.iter().map(|one| one.name.clone()).collect(),
            main: main.or_else(|| programs.first().cloned()),
            programs,
            links: metadata
                .packages
                .iter()
                .filter(may_link)
                .map(|one| one.name.clone())
                .collect(),
            rust_versions: metadata
                .packages
                .iter()
                .filter_map(|one| Some((one.name.clone(), one.rust_version.clone()?)))
                .collect(),
        })
    }

    /// The crates that the programs are made of on a platform.
    pub fn crates(&self, directory: &Path, target: &str) -> Result<Vec<Crate>> {
        let mut arguments = vec!["tree", "--target", target, "--edges", "normal,build"];
        arguments.extend(["--prefix", "none", "--format", "{p}|{f}"]);
        for package in &self.packages {
            arguments.extend(["--package", package]);
        }
        let text = cargo(directory, &arguments)?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (package, features) = line.trim_end_matches(" (*)").split_once('|')?;
                let name = package.split_whitespace().next()?;
                Some(Crate {
                    name: name.into(),
                    features: features.split(',').map(String::from).collect(),
                    links: self.links.contains(name),
                })
            })
            .collect())
    }

    /// The newest Rust that one of the crates asks for, and which crate.
    pub fn rust_version(&self, crates: &[Crate]) -> Option<(&str, &str)> {
        let asked = crates.iter().filter_map(|one| {
            let (name, version) = self.rust_versions.get_key_value(&one.name)?;
            Some((version.as_str(), name.as_str()))
        });
        asked.max_by_key(|(version, _)| numbers(version))
    }
}

/// A version's numbers, to compare: 1.85 is 1.85.0.
pub fn numbers(version: &str) -> [u64; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

/// Cargo in a directory, whichever there is. A `rust-toolchain` file there says what compiles, which
/// Slipway has its own for, and rustup is not to look for that one. Nor is a wrapper in cargo's settings needed.
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(directory);
    for wrapper in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env(wrapper, "");
    }
    if env::var_os("RUSTUP_TOOLCHAIN").is_none() {
        let mut rustup = Command::new("rustup");
        let active = rustup.args(["show", "active-toolchain"]).current_dir("/");
        if let Ok(output) = active.output() {
            let said = String::from_utf8_lossy(&output.stdout);
            if let Some(toolchain) = said.split_whitespace().next() {
                command.env("RUSTUP_TOOLCHAIN", toolchain);
            }
        }
    }
    command
}

fn cargo(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = command(directory)
        .args(arguments)
        .arg("--locked")
        .output()
        .context("cargo could not be run, and it knows what a program is made of; install Rust")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("--locked was passed") {
        bail!("Cargo.lock is older than Cargo.toml; run: cargo update --workspace");
    }
    let reason: Vec<&str> = said
        .lines()
        .skip_while(|line| !line.starts_with("error"))
        .collect();
    bail!(
        "cargo {}: {}",
        arguments[0],
        reason.join(" ").trim_start_matches("error: ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, kind: &str, program: &str) -> serde_json::Value {
        json!({
            "id": name, "name": name, "links": null, "rust_version": "1.70", "default_run": null,
            "manifest_path": format!("/w/{name}/Cargo.toml"),
            "targets": [{"kind": [kind], "name": program}],
        })
    }

    fn workspace(packages: Vec<serde_json::Value>, default: &[&str]) -> Result<Workspace> {
        let members: Vec<_> = packages.iter().map(|one| one["id"].clone()).collect();
        Workspace::of(serde_json::from_value(json!({
            "packages": packages, "workspace_members": members,
            "workspace_default_members": default, "workspace_root": "/w/root",
        }))?)
    }

    #[test]
    fn programs_are_those_that_cargo_build_makes() {
        let packages = || vec![package("root", "bin", "r"), package("other", "bin", "o")];
        let one = workspace(packages(), &["root"]).unwrap();
        assert_eq!(
            (&one.packages[..], &one.programs[..]),
            (&["root".to_owned()][..], &["r".to_owned()][..])
        );
        assert_eq!(one.main.as_deref(), Some("r"));
    }

    #[test]
    fn a_workspace_whose_default_members_are_libraries_has_those_of_all_members() {
        let packages = vec![package("root", "lib", "root"), package("cli", "bin", "cli")];
        assert_eq!(workspace(packages, &["root"]).unwrap().programs, ["cli"]);
    }

    #[test]
    fn a_workspace_without_programs_is_refused() {
        let error = workspace(vec![package("root", "lib", "root")], &["root"])
            .err()
            .unwrap();
        assert!(error.to_string().contains("only libraries"), "{error}");
    }

    #[test]
    fn a_program_for_a_feature_that_is_off_is_none() {
        let mut one = package("root", "bin", "r");
        one["features"] = json!({"default": ["loud"], "loud": [], "never": []});
        one["targets"] = json!([
            {"kind": ["bin"], "name": "hidden", "required-features": ["never"]},
            {"kind": ["bin"], "name": "r", "required-features": ["loud"]},
        ]);
        assert_eq!(workspace(vec![one], &["root"]).unwrap().programs, ["r"]);
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("1.100") > numbers("1.85.1") && numbers("1.85") == numbers("1.85.0"));
    }
}
