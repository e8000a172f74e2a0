use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use slipway_debian::config::Config;
use slipway_debian::lock::Lock as LockFile;
use slipway_debian::lock_diff::Change;
use slipway_nix::Nix;

use crate::GlobalOptions;
use crate::project::Project;
use crate::project::base_images;
use crate::project::git_crates;
use crate::project::go_modules;
use crate::project::package_sources;
use crate::project::seeds;

/// Pin the Debian packages and base images of slipway.toml, and the project's Go modules, in slipway.lock
///
/// Resolves packages from Debian's signed index, and keeps pins that a mirror still has. Downloads Go modules with the
/// go command. Asks registries for base images with the logins of podman or docker.
#[derive(clap::Args)]
pub struct Lock {
    /// Update every pin to the newest version
    #[arg(long)]
    upgrade: bool,

    /// Write nothing, and fail if slipway.lock would change
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    sources: package_sources::Options,
}

impl Lock {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let directory = global.directory.as_path();
        let project = Project::find(directory)?;
        let config = Config::read(&project.config())?;
        let path = project.lock();
        // A lock file that cannot be read is an error, unless `--upgrade` replaces all of it.
        let old = match path.exists() {
            true if self.upgrade => LockFile::read(&path).ok(),
            true => Some(LockFile::read(&path)?),
            false => None,
        };
        // Cargo and go find out faults of the project sooner than Debian's index is fetched.
        let pinned = old.as_ref().map_or(&[][..], |lock| &lock.repositories);
        let repositories = git_crates::pin(&project.root, pinned)?;
        let mut go = None;
        if go_modules::is_wanted(&project.root, &config) {
            let nix = Nix::find(&project.root, global.verbose)?;
            let options = seeds::Options::pinned(&self.sources);
            let pinned = old.as_ref().and_then(|lock| lock.go.as_ref());
            go = Some(go_modules::relock(
                &nix, &project, &config, pinned, &options,
            )?);
        }
        let pinned = old.as_ref().filter(|_| !self.upgrade);
        let pinned = pinned.map_or(&[][..], |lock| &lock.bases);
        let bases = base_images::pin(&config.bases, pinned)?;
        let sources = self.sources.open(&project.root)?;
        let pins = old
            .as_ref()
            .filter(|lock| !self.upgrade && lock.release == config.debian);
        let mut new = sources.relock(&config, pins, &BTreeSet::new())?;
        new.repositories = repositories;
        new.bases = bases;
        new.go = go;
        for change in Change::between(old.as_ref(), &new) {
            println!("{change}");
        }
        let unchanged =
            std::fs::read_to_string(&path).ok().as_deref() == Some(new.to_text()?.as_str());
        let packages = new.packages.len();
        if unchanged {
            println!("slipway.lock is up to date: {packages} packages");
        } else if self.check {
            anyhow::bail!(
                "slipway.lock does not match slipway.toml and the mirror; write it with: slipway lock"
            );
        } else {
            new.write(&path)?;
            println!("slipway.lock is written: {packages} packages");
        }
        Ok(ExitCode::SUCCESS)
    }
}
