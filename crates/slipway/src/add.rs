use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use slipway_debian::changes::Change;
use slipway_debian::config::Config;
use slipway_debian::edit::add_packages;
use slipway_debian::lock::Lock;

use crate::project::{self, Project};
use crate::sources;

/// Add Debian packages to those that programs are linked with, and pin them
///
/// slipway.toml names them then, and slipway.lock pins them and what they depend on; what is pinned
/// already stays. Unless all of them can be had, nothing is changed.
#[derive(clap::Args)]
pub struct Add {
    /// Names such as libpq-dev
    #[arg(required = true)]
    packages: Vec<String>,

    /// The set of slipway.toml that gets them
    #[arg(long, default_value = "libraries")]
    set: String,

    #[command(flatten)]
    sources: sources::Options,
}

impl Add {
    pub fn run(&self, directory: &Path) -> Result<ExitCode> {
        let project = Project::find(directory)?;
        let path = project.config();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let located = |e: String| anyhow::anyhow!("{}: {e}", path.display());
        let edited = add_packages(&text, &self.set, &self.packages).map_err(located)?;
        let config = Config::parse(&edited).map_err(located)?;
        let old = match project.lock().exists() {
            true => Some(Lock::read(&project.lock())?),
            false => None,
        };
        let sources = self.sources.open(&project::cache()?)?;
        let pins = old.as_ref().filter(|lock| lock.release == config.release);
        let new = sources.relock(&config, pins, &BTreeSet::new())?;

        let temporary = path.with_extension("toml.new");
        let written = fs::write(&temporary, &edited)
            .with_context(|| format!("writing {}", temporary.display()))
            .and_then(|()| Ok(new.write(&project.lock())?))
            .and_then(|()| fs::rename(&temporary, &path).context("writing slipway.toml"));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written?;
        let changes = Change::between(old.as_ref(), &new);
        for change in &changes {
            println!("{change}");
        }
        match (edited == text, changes.is_empty()) {
            (true, true) => println!("{} was there already", self.packages.join(", ")),
            (true, false) => println!("slipway.lock is written: {} packages", new.packages.len()),
            (false, _) => println!(
                "slipway.toml and slipway.lock are written: {} packages",
                new.packages.len()
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}
