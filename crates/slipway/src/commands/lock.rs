use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use slipway_debian::config::Config;
use slipway_debian::lock::Lock as LockFile;
use slipway_debian::lock_diff::Change;

use crate::GlobalOptions;
use crate::project::Project;
use crate::project::git_crates;
use crate::project::package_sources;

/// Pin the Debian packages of slipway.toml in slipway.lock
///
/// Resolves them from Debian's signed index. Keeps pins that a mirror still has.
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
        let sources = self.sources.open(&project.root)?;
        let pins = old
            .as_ref()
            .filter(|lock| !self.upgrade && lock.release == config.release);
        let mut new = sources.relock(&config, pins, &BTreeSet::new())?;
        let pinned = old.as_ref().map_or(&[][..], |lock| &lock.repositories);
        new.repositories = git_crates::pin(&project.root, pinned)?;
        let nix = Nix::find(&project.root, global.verbose)?;
        new.go = go_modules::relock(&nix, &project, &config, old.as_ref(), &self.seeds)?;
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
