//! Pins crates from git. Cargo fetches the repositories, with the user's own settings and
//! credentials. slipway.lock records a hash of the files of each repository, so that Nix can use
//! them as fixed-output derivations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use slipway_debian::hash::Sha256;
use slipway_debian::lock::Repository;
use slipway_debian::nar;

use crate::cli::temp_dir::TempDir;
use crate::project::cargo;

/// Files that Cargo and git add to a checkout.
const CARGOS_OWN: [&str; 2] = [".git", ".cargo-ok"];

#[derive(Deserialize)]
struct CargoLock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    source: Option<String>,
}

/// A repository at a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Revision {
    url: String,
    commit: String,
}

impl Revision {
    /// Parses a source of Cargo.lock: `git+URL?branch=NAME#COMMIT`.
    fn parse(source: &str) -> Option<Self> {
        let (url, commit) = source.strip_prefix("git+")?.rsplit_once('#')?;
        let url = url.split_once('?').map_or(url, |(url, _)| url);
        Some(Self {
            url: url.to_owned(),
            commit: commit.to_owned(),
        })
    }
}

/// Pins the repositories that the project's Cargo.lock names. Keeps existing pins that still match.
/// Returns no repositories if there is no Cargo.lock or if the crates are vendored.
pub fn pin(root: &Path, pinned: &[Repository]) -> Result<Vec<Repository>> {
    let path = root.join("Cargo.lock");
    if !path.exists() || is_vendored(root) {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let lock: CargoLock = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut wanted: BTreeMap<Revision, BTreeSet<String>> = BTreeMap::new();
    for package in lock.package {
        if let Some(revision) = package.source.as_deref().and_then(Revision::parse) {
            wanted.entry(revision).or_default().insert(package.name);
        }
    }
    let is_pinned = |(revision, crates): &(Revision, BTreeSet<String>)| {
        pinned.iter().any(|it| {
            it.url == revision.url && it.commit == revision.commit && it.crates.keys().eq(crates)
        })
    };
    let (kept, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_pinned);
    let kept: BTreeSet<String> = kept.into_iter().map(|(it, _)| it.commit).collect();
    let mut repositories: Vec<Repository> = pinned
        .iter()
        .filter(|it| kept.contains(&it.commit))
        .cloned()
        .collect();
    if !new.is_empty() {
        let manifests = cargo::manifests(root)?;
        for (revision, _) in new {
            repositories.push(read(revision, &manifests)?);
        }
    }
    repositories.sort_by(|one, other| (&one.url, &one.commit).cmp(&(&other.url, &other.commit)));
    Ok(repositories)
}

/// Whether the crates are vendored into the source tree: the Cargo configuration then replaces
/// their sources, as `cargo vendor` prints.
pub fn is_vendored(root: &Path) -> bool {
    [".cargo/config.toml", ".cargo/config"].iter().any(|name| {
        fs::read_to_string(root.join(name)).is_ok_and(|text| text.contains("replace-with"))
    })
}

/// Finds the crates of a repository, and hashes its files.
fn read(revision: Revision, manifests: &[cargo::Manifest]) -> Result<Repository> {
    let mut crates = BTreeMap::new();
    let mut checkout = None;
    for manifest in manifests {
        let source = manifest.source.as_deref().and_then(Revision::parse);
        if source.as_ref() != Some(&revision) {
            continue;
        }
        let directory = manifest.path.parent().unwrap_or(&manifest.path);
        let is_top = |it: &&Path| it.join(".cargo-ok").exists();
        let Some(top) = directory.ancestors().find(is_top) else {
            bail!("{} is in no checkout of cargo's", directory.display());
        };
        let below = directory.strip_prefix(top)?.to_string_lossy().into_owned();
        let below = if below.is_empty() {
            ".".to_owned()
        } else {
            below
        };
        crates.insert(manifest.name.clone(), below);
        checkout = Some(top.to_owned());
    }
    let Some(checkout) = checkout else {
        bail!(
            "cargo does not show the crates of {} at {}; run: cargo fetch --locked",
            revision.url,
            revision.commit
        );
    };
    let temp_dir = TempDir::new()?;
    let files = temp_dir.path().join("files");
    Ok(Repository {
        sha256: copy(&checkout, &files)?,
        url: revision.url,
        commit: revision.commit,
        crates,
    })
}

/// The checkout of a commit in Cargo's home directory.
pub fn checkout(home: &Path, commit: &str) -> Option<PathBuf> {
    let children = |directory: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let repositories = children(&home.join("git/checkouts"));
    let mut checkouts = repositories.iter().flat_map(|it| children(it));
    // Cargo names a checkout after the first digits of the commit.
    checkouts.find(|it| {
        let name = it.file_name().unwrap_or_default().to_string_lossy();
        name.len() >= 7 && commit.starts_with(&*name) && it.join(".cargo-ok").exists()
    })
}

/// Copies the files of a checkout, and returns the NAR hash of the copy.
pub fn copy(checkout: &Path, to: &Path) -> Result<Sha256> {
    copy_tree(checkout, to).with_context(|| format!("copying {}", checkout.display()))?;
    nar::hash_of_tree(to).with_context(|| format!("reading {}", to.display()))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        // In a submodule, `.git` is a file.
        if CARGOS_OWN.iter().any(|own| name == *own) {
            continue;
        }
        let to = to.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_a_url_and_a_commit_without_the_query() {
        let revision = Revision {
            url: "ssh://git@host/far.git".to_owned(),
            commit: "e7f5".to_owned(),
        };
        for query in ["", "?branch=main", "?tag=v1", "?rev=e7f5"] {
            let source = format!("git+ssh://git@host/far.git{query}#e7f5");
            assert_eq!(Revision::parse(&source).as_ref(), Some(&revision));
        }
        assert_eq!(Revision::parse("registry+https://host/index"), None);
    }

    #[test]
    fn hash_ignores_files_that_cargo_and_git_add() {
        let place = tempfile::tempdir().unwrap();
        let checkout = place.path().join("checkout");
        for (name, text) in [
            ("src/lib.rs", "x"),
            (".git/HEAD", "e7f5\n"),
            (".cargo-ok", ""),
        ] {
            let file = checkout.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fs::create_dir(checkout.join("module")).unwrap();
        fs::write(
            checkout.join("module/.git"),
            "gitdir: ../.git/modules/module",
        )
        .unwrap();
        let one = copy(&checkout, &place.path().join("one")).unwrap();
        fs::write(checkout.join(".git/HEAD"), "other").unwrap();
        fs::write(checkout.join("module/.git"), "elsewhere").unwrap();
        assert_eq!(copy(&checkout, &place.path().join("other")).unwrap(), one);
        assert!(place.path().join("one/src/lib.rs").exists());
    }
}
