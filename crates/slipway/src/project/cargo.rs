//! Reads a Cargo workspace with `cargo metadata` and `cargo tree`. Cargo.lock alone does not say
//! which features are enabled, and so which crates a program contains.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// A crate in the dependency graph of a program.
pub struct Crate {
    pub name: String,
    /// The enabled features.
    pub features: Vec<String>,
    /// The native library that the crate may link with: the value of `links` in its manifest.
    /// Without that key, it is guessed from the name of a `-sys` crate that has a build script.
    pub links: Option<String>,
    /// The pkg-config modules that the crate declares for system-deps in its manifest.
    pub modules: Vec<String>,
}

/// A workspace, as printed by `cargo metadata`.
pub struct Workspace {
    /// Packages whose programs `cargo build` makes. If it makes none, the packages of the whole
    /// workspace that have programs.
    pub packages: Vec<String>,
    /// The programs of these packages.
    pub programs: Vec<String>,
    /// The program to run if none is named.
    pub main: Option<String>,
    links: BTreeMap<String, String>,
    modules: BTreeMap<String, Vec<Module>>,
    rust_versions: BTreeMap<String, String>,
}

/// A pkg-config module that a crate looks for.
struct Module {
    name: String,
    /// The feature that needs the module.
    feature: Option<String>,
}

/// Conditions of system-deps, without whitespace, that hold on every supported platform.
const CONDITIONS: [&str; 5] = [
    "cfg(target_os=\"linux\")",
    "cfg(unix)",
    "cfg(not(windows))",
    "cfg(not(target_os=\"macos\"))",
    "cfg(not(target_os=\"windows\"))",
];

/// A package of the dependency graph, and the path of its manifest.
#[derive(Deserialize)]
pub struct Manifest {
    pub name: String,
    /// As in Cargo.lock. `None` for packages in the workspace.
    pub source: Option<String>,
    #[serde(rename = "manifest_path")]
    pub path: PathBuf,
}

/// The packages of a workspace for all platforms. Cargo fetches those that are missing.
pub fn manifests(directory: &Path) -> Result<Vec<Manifest>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Manifest>,
    }
    let text = cargo(directory, &["metadata", "--format-version", "1"])?;
    let metadata: Metadata = serde_json::from_str(&text).context(UNEXPECTED)?;
    Ok(metadata.packages)
}

const UNEXPECTED: &str = "cargo metadata printed what it should not";

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
    metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

impl Package {
    /// Source: the documentation of the crate system-deps, "Feature-specific dependency", "Optional
    /// dependency" and "Target specific dependencies".
    fn modules(&self) -> Vec<Module> {
        let Some(table) = self.metadata.as_ref().map(|it| &it["system-deps"]) else {
            return Vec::new();
        };
        let condition = |key: &str| key.replace(char::is_whitespace, "");
        let rows = |table: &Value| table.as_object().cloned().into_iter().flatten();
        rows(table)
            .flat_map(|(key, row)| match key.starts_with("cfg(") {
                false => vec![(key, row)],
                true if CONDITIONS.contains(&condition(&key).as_str()) => rows(&row).collect(),
                true => Vec::new(),
            })
            .filter(|(_, row)| row["optional"] != true)
            .map(|(key, row)| Module {
                name: row["name"].as_str().unwrap_or(&key).to_owned(),
                feature: row["feature"].as_str().map(String::from),
            })
            .collect()
    }

    fn library(&self) -> Option<String> {
        let by_name = || {
            let name = self.name.strip_suffix("-sys")?;
            let name = name.strip_prefix("lib").unwrap_or(name);
            self.has("custom-build").then(|| name.to_owned())
        };
        self.links.clone().or_else(by_name)
    }

    fn has(&self, kind: &str) -> bool {
        self.targets.iter().any(|target| target.is(kind))
    }

    /// The programs that are built with the default features.
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
    /// Runs `cargo metadata`, which may fetch crates. `target` is the Rust target triple that
    /// dependencies are filtered by.
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
        let metadata: Metadata = serde_json::from_str(&text).context(UNEXPECTED)?;
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
        Ok(Self {
            packages: chosen.iter().map(|one| one.name.clone()).collect(),
            main: main.or_else(|| programs.first().cloned()),
            programs,
            links: metadata
                .packages
                .iter()
                .filter_map(|one| Some((one.name.clone(), one.library()?)))
                .collect(),
            modules: metadata
                .packages
                .iter()
                .map(|one| (one.name.clone(), one.modules()))
                .filter(|(_, modules)| !modules.is_empty())
                .collect(),
            rust_versions: metadata
                .packages
                .iter()
                .filter_map(|one| Some((one.name.clone(), one.rust_version.clone()?)))
                .collect(),
        })
    }

    /// The crates that the programs contain when they are built for `target`.
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
                let features: Vec<String> = features.split(',').map(String::from).collect();
                Some(Crate {
                    name: name.into(),
                    links: self.links.get(name).cloned(),
                    modules: self.modules_of(name, &features),
                    features,
                })
            })
            .collect())
    }

    /// The pkg-config modules that a crate looks for with these features.
    fn modules_of(&self, name: &str, features: &[String]) -> Vec<String> {
        let modules = self.modules.get(name).into_iter().flatten();
        modules
            .filter(|module| {
                let mut feature = module.feature.iter();
                feature.all(|feature| features.contains(feature))
            })
            .map(|module| module.name.clone())
            .collect()
    }

    /// The newest `rust-version` of these crates, and the crate that requires it.
    pub fn rust_version(&self, crates: &[Crate]) -> Option<(&str, &str)> {
        let asked = crates.iter().filter_map(|one| {
            let (name, version) = self.rust_versions.get_key_value(&one.name)?;
            Some((version.as_str(), name.as_str()))
        });
        asked.max_by_key(|(version, _)| numbers(version))
    }
}

/// The numbers of a version, for comparison. Missing numbers are 0, so 1.85 equals 1.85.0.
pub fn numbers(version: &str) -> [u64; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

/// A `cargo` command in a directory. Ignores a `rust-toolchain` file there, because it names a
/// compiler for the build: Slipway has its own, and rustup must not install that one. Also disables
/// compiler wrappers from Cargo's configuration.
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
    fn uses_the_programs_of_default_members() {
        let packages = || vec![package("root", "bin", "r"), package("other", "bin", "o")];
        let one = workspace(packages(), &["root"]).unwrap();
        assert_eq!(
            (&one.packages[..], &one.programs[..]),
            (&["root".to_owned()][..], &["r".to_owned()][..])
        );
        assert_eq!(one.main.as_deref(), Some("r"));
    }

    #[test]
    fn uses_all_members_if_default_members_have_no_program() {
        let packages = vec![package("root", "lib", "root"), package("cli", "bin", "cli")];
        assert_eq!(workspace(packages, &["root"]).unwrap().programs, ["cli"]);
    }

    #[test]
    fn rejects_a_workspace_without_programs() {
        let error = workspace(vec![package("root", "lib", "root")], &["root"])
            .err()
            .unwrap();
        assert!(error.to_string().contains("only libraries"), "{error}");
    }

    #[test]
    fn skips_programs_that_require_a_disabled_feature() {
        let mut one = package("root", "bin", "r");
        one["features"] = json!({"default": ["loud"], "loud": [], "never": []});
        one["targets"] = json!([
            {"kind": ["bin"], "name": "hidden", "required-features": ["never"]},
            {"kind": ["bin"], "name": "r", "required-features": ["loud"]},
        ]);
        assert_eq!(workspace(vec![one], &["root"]).unwrap().programs, ["r"]);
    }

    #[test]
    fn system_deps_modules_depend_on_features_and_platform() {
        let mut one = package("root", "bin", "r");
        one["metadata"] = json!({"system-deps": {
            "x11": "1.0",
            "gtk4": {"name": "gtk4-unix", "version": "4", "v4_2": {"version": "4.2"}},
            "more": {"version": "1", "optional": true},
            "newer": {"version": "1", "feature": "v2"},
            "cfg(target_os = \"linux\")": {"libudev": "1", "other": {"version": "1", "optional": true}},
            "cfg(target_os = \"macos\")": {"quartz": "1"},
        }});
        let workspace = workspace(vec![one], &["root"]).unwrap();
        let modules = |features: &[&str]| {
            let features: Vec<String> = features.iter().map(|it| (*it).into()).collect();
            let mut modules = workspace.modules_of("root", &features);
            modules.sort();
            modules
        };
        assert_eq!(modules(&["default"]), ["gtk4-unix", "libudev", "x11"]);
        assert_eq!(modules(&["v2"]), ["gtk4-unix", "libudev", "newer", "x11"]);
    }

    #[test]
    fn library_is_the_links_key_or_derived_from_the_crate_name() {
        let library = |name: &str, kind: &str, links: Option<&str>| {
            let mut one = package(name, kind, "build-script-build");
            one["links"] = json!(links);
            serde_json::from_value::<Package>(one).unwrap().library()
        };
        for (name, kind, links, expected) in [
            ("libstrange-sys", "custom-build", Some("odd"), Some("odd")),
            ("libstrange-sys", "custom-build", None, Some("strange")),
            ("strange-sys", "lib", None, None),
            ("strange", "custom-build", None, None),
        ] {
            assert_eq!(library(name, kind, links).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn compares_versions_numerically() {
        assert!(numbers("1.100") > numbers("1.85.1") && numbers("1.85") == numbers("1.85.0"));
    }
}
