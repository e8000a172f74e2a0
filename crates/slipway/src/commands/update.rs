use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use slipway_debian::config::Config;
use slipway_debian::lock::Lock;
use slipway_debian::lock_diff::Change;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::project::Project;
use crate::project::base_images;
use crate::project::package_sources;

/// Update the pins in slipway.lock, and list the changes, security fixes first
#[derive(clap::Args)]
pub struct Update {
    /// List the changes without writing them
    #[arg(long)]
    dry_run: bool,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    sources: package_sources::Options,
}

impl Update {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let directory = global.directory.as_path();
        let project = Project::find(directory)?;
        let config = Config::read(&project.config())?;
        let old = Lock::read(&project.lock())?;
        let sources = self.sources.open(&project.root)?;
        let mut new = sources.relock(&config, None, &BTreeSet::new())?;
        new.repositories.clone_from(&old.repositories);
        new.bases = base_images::pin(&config.bases, &[])?;
        new.go.clone_from(&old.go);
        let mut changes = Change::between(Some(&old), &new);
        changes.sort_by_key(|change| !change.security);
        if !self.dry_run {
            new.write(&project.lock())?;
        }
        match self.format {
            Format::Text => self.print(&changes),
            Format::Json => {
                let rows: Vec<_> = changes
                    .iter()
                    .map(|change| {
                        json!({
                            "name": change.name,
                            "old": change.old,
                            "new": change.new,
                            "security": change.security,
                        })
                    })
                    .collect();
                println!("{:#}", json!(rows));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, changes: &[Change]) {
        for change in changes {
            let note = if change.security { " (security)" } else { "" };
            println!("{change}{note}");
        }
        let fixes = changes.iter().filter(|change| change.security).count();
        let count = changes.len();
        match (count, self.dry_run) {
            (0, _) => println!("slipway.lock has the newest versions: nothing changed"),
            (_, true) => println!("{count} packages would change, {fixes} of them for security"),
            (_, false) => println!(
                "slipway.lock is written: {count} packages changed, {fixes} of them for security"
            ),
        }
    }
}
