use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use slipway_atomic_file::AtomicFile;
use slipway_debian::config::Config;
use slipway_debian::config_edit::{add_bases, add_packages};
use slipway_debian::contents_index::File;
use slipway_debian::lock::Lock;
use slipway_debian::lock_diff::Change;

use crate::GlobalOptions;
use crate::project::Project;
use crate::project::base_images;
use crate::project::package_sources::{self, Sources};
use crate::project::template::add_tools;

/// Add Debian packages for programs to link with, or base images, and pin them
///
/// Writes the packages to slipway.toml, and pins them and their dependencies in slipway.lock.
/// Existing pins stay. If a package is not available, nothing changes.
#[derive(clap::Args)]
pub struct Add {
    /// Package names such as libpq-dev, or a file to look up: pkg-config:NAME, lib:NAME,
    /// header:PATH, program:NAME; with --base, references in registries
    #[arg(required = true)]
    packages: Vec<String>,

    /// Set in slipway.toml to add to
    #[arg(long, default_value = "libraries")]
    set: String,

    /// Add programs for the build machine instead; flake.nix then has nasm as target.tools.nasm
    #[arg(long, conflicts_with = "set")]
    build: bool,

    /// Add base images instead, for image.base in flake.nix: HOST/NAME:TAG or HOST/NAME@DIGEST
    #[arg(long, conflicts_with_all = ["set", "build"])]
    base: bool,

    #[command(flatten)]
    sources: package_sources::Options,
}

impl Add {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let directory = global.directory.as_path();
        let project = Project::find(directory)?;
        let path = project.config();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let located = |e: String| anyhow::anyhow!("{}: {e}", path.display());
        let sources = self.sources.open(&project.root)?;
        let config = Config::parse(&text).map_err(located)?;
        let (packages, edited) = match self.base {
            true => (self.packages.clone(), add_bases(&text, &self.packages)),
            false => {
                let packages = self.packages(&sources, &config)?;
                let edited = match self.build {
                    true => add_tools(&text, &packages),
                    false => add_packages(&text, &self.set, &packages),
                };
                (packages, edited)
            }
        };
        let edited = edited.map_err(located)?;
        let config = Config::parse(&edited).map_err(located)?;
        let old = match project.lock().exists() {
            true => Some(Lock::read(&project.lock())?),
            false => None,
        };
        let pins = old.as_ref().filter(|lock| lock.release == config.debian);
        let mut new = sources.relock(&config, pins, &BTreeSet::new())?;
        let bases = old.as_ref().map_or(&[][..], |lock| &lock.bases);
        new.bases = base_images::pin(&config.bases, bases)?;

        let writing = || format!("writing {}", path.display());
        let file = AtomicFile::create(&path, &edited).with_context(writing)?;
        new.write(&project.lock())?;
        file.commit().with_context(writing)?;
        let changes = Change::between(old.as_ref(), &new);
        for change in &changes {
            println!("{change}");
        }
        match (edited == text, changes.is_empty()) {
            (true, true) => println!("{} was there already", packages.join(", ")),
            (true, false) => println!("slipway.lock is written: {} packages", new.packages.len()),
            (false, _) => println!(
                "slipway.toml and slipway.lock are written: {} packages",
                new.packages.len()
            ),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The names of the packages to add. Looks up arguments that name a file.
    fn packages(&self, sources: &Sources, config: &Config) -> Result<Vec<String>> {
        let is_file = |word: &&String| word.contains(':');
        let files: Vec<File> = self
            .packages
            .iter()
            .filter(is_file)
            .map(|word| word.parse())
            .collect::<Result<_, _>>()?;
        let mut names: Vec<String> = self.packages.clone();
        names.retain(|word| !is_file(&word));
        if files.is_empty() {
            return Ok(names);
        }
        let Some(set) = config.sets.get(&self.set) else {
            bail!(
                "slipway.toml has no set {}, whose suites are to be searched",
                self.set
            );
        };
        let found = sources.packages_with(&files, set)?;
        for (file, package) in files.iter().zip(found) {
            let package = package?;
            println!("{file} is in {package}");
            names.push(package);
        }
        Ok(names)
    }
}
