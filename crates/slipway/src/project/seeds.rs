//! Adds missing seeds to the Nix store. Seeds are the pinned files that a build needs: Debian
//! packages, crates, git repositories, Go modules and base images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slipway_debian::config::Config;
use slipway_debian::fetch::Download;
use slipway_debian::hash::Sha256;
use slipway_debian::lock::Lock;
use slipway_debian::lock_diff::Change;
use slipway_debian::package::PoolPath;
use slipway_debian::{Error as DebianError, deb};
use slipway_nix::{Base, Client, Deb, HashMode, Kind, Nix, Plan, Seed as NixSeed, StorePath};
use slipway_oci::Digest;
use slipway_progress::{count, size};

use crate::cli::temp_dir::TempDir;
use crate::project::Project;
use crate::project::base_images;
use crate::project::cargo;
use crate::project::git_crates;
use crate::project::go_modules::{self, Part};
use crate::project::package_sources::{self, Sources};

/// How seeds are fetched.
#[derive(clap::Args)]
#[group(skip)]
pub struct Options {
    /// Fail if a pinned package is gone from the mirrors, instead of pinning its successor
    #[arg(long)]
    locked: bool,

    #[command(flatten)]
    pub sources: package_sources::Options,
}

/// The seeds that were added to the store.
#[derive(Default)]
pub struct Seeded {
    pub count: usize,
    bytes: u64,
}

impl std::fmt::Display for Seeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", count(self.count, "seed"), size(self.bytes))
    }
}

impl Options {
    /// Options with which pins never change.
    pub fn pinned(sources: &package_sources::Options) -> Self {
        Self {
            locked: true,
            sources: sources.clone(),
        }
    }

    /// Adds the seeds that the installables lack to the store. Returns the build plan.
    pub fn seed(
        &self,
        nix: &Nix,
        project: &Project,
        installables: &[String],
    ) -> Result<(Plan, Seeded)> {
        let mut gone_before = BTreeSet::new();
        loop {
            let plan = nix.plan(installables)?;
            let missing = nix.seeds(&plan.to_build)?;
            if missing.is_empty() {
                return Ok((plan, Seeded::default()));
            }
            let gone = match Missing::sort(missing)?.fetch(self, nix, project)? {
                Outcome::Seeded(seeded) => return Ok((plan, seeded)),
                Outcome::Gone(gone) => gone,
            };
            let labels: Vec<String> = gone.values().cloned().collect();
            let hashes: BTreeSet<Sha256> = gone.into_keys().collect();
            // A package that a fresh index lists but no mirror has does not appear after another
            // resolution.
            if self.locked || !hashes.is_disjoint(&gone_before) {
                return Err(DebianError::Gone(labels).into());
            }
            self.move_pins(project, &labels, &hashes)?;
            gone_before.extend(hashes);
        }
    }

    /// Pins the successors of the missing packages, and prints the changes.
    fn move_pins(
        &self,
        project: &Project,
        labels: &[String],
        gone: &BTreeSet<Sha256>,
    ) -> Result<()> {
        let config = Config::read(&project.config())?;
        let old = Lock::read(&project.lock())?;
        let is_own = |hash: &Sha256| old.packages.iter().any(|row| row.sha256 == *hash);
        if !gone.iter().all(is_own) {
            bail!(
                "no mirror carries {} any more, and the flake that pins it is an input; update that: nix flake lock \
                 --update-input slipway, or name a mirror that still has it with --mirror",
                labels.join(", ")
            );
        }
        eprintln!(
            "warning: no mirror carries these pinned packages any more: {}",
            labels.join(", ")
        );
        eprintln!(
            "warning: their successors are pinned in their place (with --locked this is an error):"
        );
        let sources = self.sources.open(&project.root)?;
        let new = sources.relock(&config, Some(&old), gone)?;
        for change in Change::between(Some(&old), &new) {
            eprintln!("warning: {change}");
        }
        new.write(&project.lock())?;
        eprintln!("warning: slipway.lock has changed; look at it and commit it");
        Ok(())
    }
}

enum Outcome {
    Seeded(Seeded),
    /// Labels of packages that no mirror has, by their hash.
    Gone(BTreeMap<Sha256, String>),
}

/// A missing Debian package.
struct MissingDeb {
    seed: NixSeed,
    deb: Deb,
    sha256: Sha256,
}

/// A missing crate.
struct MissingCrate {
    seed: NixSeed,
    file: String,
    sha256: Sha256,
    client: Option<Client>,
}

/// A missing git repository.
struct MissingRepository {
    seed: NixSeed,
    /// `URL at COMMIT`
    label: String,
    commit: String,
    sha256: Sha256,
}

/// A missing Go toolchain or module.
struct MissingGo {
    seed: NixSeed,
    wanted: go_modules::Missing,
    client: Client,
}

/// A missing blob of a base image.
struct MissingBase {
    seed: NixSeed,
    base: Base,
    digest: Digest,
}

/// The missing seeds, by kind.
#[derive(Default)]
struct Missing {
    debs: Vec<MissingDeb>,
    crates: Vec<MissingCrate>,
    repositories: Vec<MissingRepository>,
    go: Vec<MissingGo>,
    bases: Vec<MissingBase>,
}

impl Missing {
    fn sort(seeds: Vec<NixSeed>) -> Result<Self> {
        let mut sorted = Self::default();
        for seed in seeds {
            match seed.kind.clone() {
                Kind::Deb(deb) => {
                    let sha256 = deb.sha256.parse().with_context(|| deb.label.clone())?;
                    sorted.debs.push(MissingDeb { seed, deb, sha256 });
                }
                Kind::Crate {
                    name,
                    version,
                    sha256,
                    client,
                } => {
                    let sha256 = sha256
                        .parse()
                        .with_context(|| format!("{name} {version} (crate)"))?;
                    sorted.crates.push(MissingCrate {
                        seed,
                        file: format!("{name}-{version}.crate"),
                        sha256,
                        client,
                    });
                }
                Kind::Go(go) => {
                    let label = format!("{} {}", go.path, go.version);
                    let part = match go.part.as_str() {
                        "toolchain" => Part::Toolchain,
                        "go.mod" => Part::ModFile,
                        _ => Part::Files,
                    };
                    sorted.go.push(MissingGo {
                        seed,
                        client: go.client,
                        wanted: go_modules::Missing {
                            path: go.path,
                            version: go.version,
                            part,
                            h1: go.h1,
                            sha256: go.sha256.parse().with_context(|| label)?,
                        },
                    });
                }
                Kind::Base(base) => sorted.bases.push(MissingBase {
                    seed,
                    digest: format!("sha256:{}", base.sha256).parse()?,
                    base,
                }),
                Kind::Git {
                    url,
                    commit,
                    sha256,
                } => {
                    let label = format!("{url} at {commit}");
                    sorted.repositories.push(MissingRepository {
                        seed,
                        sha256: sha256.parse().with_context(|| label.clone())?,
                        label,
                        commit,
                    });
                }
            }
        }
        Ok(sorted)
    }

    fn fetch(&self, options: &Options, nix: &Nix, project: &Project) -> Result<Outcome> {
        let mut seeded = Seeded {
            count: self.debs.len()
                + self.crates.len()
                + self.repositories.len()
                + self.go.len()
                + self.bases.len(),
            bytes: 0,
        };
        if !self.debs.is_empty() {
            let sources = options.sources.open(&project.root)?;
            match self.fetch_debs(&sources, nix) {
                Ok(bytes) => seeded.bytes += bytes,
                Err(e) => match e.downcast_ref() {
                    Some(DebianError::Gone(labels)) => {
                        let gone = self
                            .debs
                            .iter()
                            .filter(|missing| labels.contains(&missing.deb.label));
                        let gone = gone.map(|missing| (missing.sha256, missing.deb.label.clone()));
                        return Ok(Outcome::Gone(gone.collect()));
                    }
                    _ => return Err(e),
                },
            }
        }
        if !self.crates.is_empty() {
            seeded.bytes += self.fetch_crates(nix, project)?;
        }
        if !self.repositories.is_empty() {
            self.fetch_repositories(nix, project)?;
        }
        // Modules are downloaded with a toolchain, which may be missing as well.
        for part in [&[Part::Toolchain][..], &[Part::Files, Part::ModFile]] {
            self.fetch_go(nix, part)?;
        }
        seeded.bytes += self.fetch_bases(nix)?;
        Ok(Outcome::Seeded(seeded))
    }

    /// Returns the number of bytes fetched.
    fn fetch_debs(&self, sources: &Sources, nix: &Nix) -> Result<u64> {
        let mut downloads: BTreeMap<PathBuf, Download> = BTreeMap::new();
        for missing in &self.debs {
            let download = missing.download(sources)?;
            downloads.insert(download.destination.clone(), download);
        }
        let downloads: Vec<Download> = downloads.into_values().collect();
        sources
            .fetcher
            .fetch_all(&downloads, sources.progress.as_ref())?;
        let unpacked = tempfile::tempdir().context("making a temporary directory")?;
        let (mut flat, mut recursive) = (Vec::new(), Vec::new());
        for missing in &self.debs {
            let fetched = missing.destination(sources)?;
            match &missing.deb.executable {
                None => flat.push((fetched, missing.seed.output.clone())),
                Some(path) => {
                    let file = unpacked.path().join(&missing.seed.name);
                    fs::write(&file, deb::extract(&fetched, path)?)
                        .and_then(|()| {
                            fs::set_permissions(&file, fs::Permissions::from_mode(0o555))
                        })
                        .with_context(|| format!("writing {}", file.display()))?;
                    recursive.push((file, missing.seed.output.clone()));
                }
            }
        }
        add(nix, HashMode::Flat, &flat)?;
        add(nix, HashMode::Recursive, &recursive)?;
        for download in &downloads {
            // The store has the file now, so the download may stay if it cannot be removed.
            let _ = fs::remove_file(&download.destination);
            let _ = download.destination.parent().map(fs::remove_dir);
        }
        Ok(downloads.iter().map(|download| download.size).sum())
    }

    /// Fetches with Cargo, so that the user's registry settings, credentials and proxies apply.
    /// Returns the number of bytes added.
    fn fetch_crates(&self, nix: &Nix, project: &Project) -> Result<u64> {
        let is_missing = || -> Result<bool> {
            let caches = cargo_caches()?;
            Ok(self
                .crates
                .iter()
                .any(|missing| missing.find(&caches).is_none()))
        };
        let clients = self.crates.iter().filter_map(|it| it.client.as_ref());
        let fetch = |workspace: &Path| cargo_fetch(workspace, nix, clients.clone().next());
        if is_missing()? && project.root.join("Cargo.lock").exists() {
            fetch(&project.root)?;
        }
        // Crates of Slipway's own programs are pinned by another workspace, which is an input of
        // the flake.
        if is_missing()? {
            for input in nix.flake_inputs(".")? {
                if input.join("Cargo.lock").exists() && is_missing()? {
                    fetch(&input)?;
                }
            }
        }
        let caches = cargo_caches()?;
        let mut files = Vec::new();
        let mut bytes = 0;
        for missing in &self.crates {
            let Some(file) = missing.find(&caches) else {
                bail!(
                    "{} is not in cargo's cache after cargo fetch; does Cargo.lock hold it?",
                    missing.file
                );
            };
            let contents =
                fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let got = Sha256::of(&contents);
            if got != missing.sha256 {
                bail!(
                    "{} is not what Cargo.lock pins: expected sha256 {}, got {got}; delete it and run this again",
                    file.display(),
                    missing.sha256
                );
            }
            bytes += contents.len() as u64;
            files.push((file, missing.seed.output.clone()));
        }
        add(nix, HashMode::Flat, &files)?;
        Ok(bytes)
    }
}

impl Missing {
    /// Fetches with Cargo as well.
    fn fetch_repositories(&self, nix: &Nix, project: &Project) -> Result<()> {
        let home = cargo_home()?;
        let find = |missing: &MissingRepository| git_crates::checkout(&home, &missing.commit);
        if self.repositories.iter().any(|it| find(it).is_none()) {
            cargo_fetch(&project.root, nix, None)?;
        }
        let temp_dir = TempDir::new()?;
        let mut trees = Vec::new();
        for missing in &self.repositories {
            let label = &missing.label;
            let Some(checkout) = find(missing) else {
                bail!(
                    "{label} is not among cargo's checkouts after cargo fetch; if Cargo.lock has moved on, run: slipway \
                     lock"
                );
            };
            let tree = temp_dir.path().join(&missing.seed.name);
            let got = git_crates::copy(&checkout, &tree)?;
            if got != missing.sha256 {
                bail!(
                    "{label} does not have the files that slipway.lock pins: expected sha256 {}, got {got}; if {} was \
                     altered, delete it and run this again",
                    missing.sha256,
                    checkout.display()
                );
            }
            trees.push((tree, missing.seed.output.clone()));
        }
        add(nix, HashMode::Recursive, &trees)
    }
}

impl Missing {
    /// Fetches with the go command that the derivations name, so that the user's settings of Go apply.
    fn fetch_go(&self, nix: &Nix, parts: &[Part]) -> Result<()> {
        let seeds = self.go.iter().filter(|it| parts.contains(&it.wanted.part));
        let mut by_client: BTreeMap<&Path, Vec<&MissingGo>> = BTreeMap::new();
        for seed in seeds {
            let client = &*seed.client.program;
            by_client.entry(client).or_default().push(seed);
        }
        for (client, seeds) in by_client {
            let kind = match parts.contains(&Part::Toolchain) {
                true => "Go toolchains",
                false => "Go modules",
            };
            eprintln!("fetching {} {kind}", seeds.len());
            let derivations: BTreeSet<&StorePath> =
                seeds.iter().map(|it| &it.client.derivation).collect();
            nix.realise(&derivations.into_iter().collect::<Vec<_>>())?;
            let wanted: Vec<&go_modules::Missing> = seeds.iter().map(|it| &it.wanted).collect();
            let place = TempDir::new()?;
            let (mut flat, mut recursive) = (Vec::new(), Vec::new());
            go_modules::fetch(client, &wanted, |number, copy| {
                let seed = seeds[number];
                // Modules of different paths can have one name.
                let directory = place.path().join(number.to_string());
                fs::create_dir(&directory)?;
                let named = directory.join(&seed.seed.name);
                fs::rename(copy, &named)?;
                let files = match seed.wanted.part {
                    Part::ModFile => &mut flat,
                    _ => &mut recursive,
                };
                files.push((named, seed.seed.output.clone()));
                Ok(())
            })?;
            add(nix, HashMode::Flat, &flat)?;
            add(nix, HashMode::Recursive, &recursive)?;
        }
        Ok(())
    }
}

impl Missing {
    /// Pulls the images that lack a blob. Returns the number of bytes added.
    fn fetch_bases(&self, nix: &Nix) -> Result<u64> {
        let mut images: BTreeMap<(&str, &str), Vec<&MissingBase>> = BTreeMap::new();
        for missing in &self.bases {
            let Base {
                repository,
                manifest,
                ..
            } = &missing.base;
            images
                .entry((repository, manifest))
                .or_default()
                .push(missing);
        }
        let mut bytes = 0;
        for ((repository, manifest), blobs) in images {
            let temp_dir = TempDir::new()?;
            let directory = temp_dir.path().join("layout");
            base_images::pull(repository, manifest, &directory)?;
            let mut files = Vec::new();
            for missing in blobs {
                let file = directory.join(missing.digest.blob_path());
                let metadata = fs::metadata(&file).with_context(|| {
                    format!(
                        "{repository}@{manifest} has no blob {}; pin it anew: slipway lock --upgrade",
                        missing.digest
                    )
                })?;
                bytes += metadata.len();
                files.push((file, missing.seed.output.clone()));
            }
            add(nix, HashMode::Flat, &files)?;
        }
        Ok(bytes)
    }
}

impl MissingDeb {
    fn destination(&self, sources: &Sources) -> Result<PathBuf> {
        let path: PoolPath = self.deb.path.parse().map_err(anyhow::Error::msg)?;
        // Nix names the store path after the file, and store paths may not contain `~`.
        Ok(sources.deb_path(self.sha256, &path.file_name().replace('~', "-")))
    }

    fn download(&self, sources: &Sources) -> Result<Download> {
        let archive = self.deb.archive.parse().map_err(anyhow::Error::msg)?;
        Ok(Download {
            label: self.deb.label.clone(),
            urls: sources.mirrors.urls(archive, &self.deb.path),
            size: self.deb.size,
            sha256: self.sha256,
            destination: self.destination(sources)?,
        })
    }
}

impl MissingCrate {
    fn find(&self, caches: &[PathBuf]) -> Option<PathBuf> {
        caches
            .iter()
            .map(|cache| cache.join(&self.file))
            .find(|file| file.exists())
    }
}

/// Fetches the crates of a workspace, with the user's cargo or else with the one in the store.
fn cargo_fetch(workspace: &Path, nix: &Nix, client: Option<&Client>) -> Result<()> {
    eprintln!("fetching crates with cargo");
    let mut command = cargo::command(workspace);
    command.args(["fetch", "--locked", "--quiet"]);
    let status = match (command.status(), client) {
        (Err(error), Some(client)) if error.kind() == io::ErrorKind::NotFound => {
            nix.realise(&[&client.derivation])?;
            // Cargo asks the rustc beside it for its version.
            command.env("PATH", client.program.with_file_name(""));
            command.status()
        }
        (status, _) => status,
    };
    let status =
        status.context("cargo could not be run, and it fetches the crates; install Rust")?;
    if !status.success() {
        bail!("the crates could not be fetched: cargo fetch --locked failed, see above");
    }
    Ok(())
}

fn cargo_home() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = set("CARGO_HOME").or_else(|| set("HOME").map(|home| home.join(".cargo")));
    home.context("cargo's cache can't be found: set HOME or CARGO_HOME")
}

/// The directories of Cargo's cache, one per registry.
fn cargo_caches() -> Result<Vec<PathBuf>> {
    let Ok(registries) = fs::read_dir(cargo_home()?.join("registry/cache")) else {
        return Ok(Vec::new());
    };
    Ok(registries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

fn add(nix: &Nix, mode: HashMode, files: &[(PathBuf, StorePath)]) -> Result<()> {
    let files: Vec<(&Path, &StorePath)> = files
        .iter()
        .map(|(file, output)| (file.as_path(), output))
        .collect();
    Ok(nix.add_fixed(mode, &files)?)
}
