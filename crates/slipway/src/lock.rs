use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use slipway_debian::changes::Change;
use slipway_debian::config::Config;
use slipway_debian::lock::Lock as LockFile;

use crate::project::{self, Project};
use crate::sources;

/// Pin the Debian packages of slipway.toml in slipway.lock
///
/// They are resolved from Debian's signed index. Pins that a mirror still has stay where they are.
#[derive(clap::Args)]
pub struct Lock {
    /// Move every pin to the newest version
    #[arg(long)]
    upgrade: bool,

    /// Write nothing, and fail if slipway.lock would change
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    sources: sources::Options,
}

impl Lock {
    pub fn run(&self, directory: &Path) -> Result<ExitCode> {
        let project = Project::find(directory)?;
        let config = Config::read(&project.config())?;
        let path = project.lock();
        // A lock that can't be read is a reason to stop, unless it is to be replaced whole.
        let old = match path.exists() {
            true if self.upgrade => LockFile::read(&path).ok(),
            true => Some(LockFile::read(&path)?),
            false => None,
        };
        let sources = self.sources.open(&project::cache()?)?;
        let pins = old
            .as_ref()
            .filter(|lock| !self.upgrade && lock.release == config.release);
        let new = sources.relock(&config, pins, &BTreeSet::new())?;
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
