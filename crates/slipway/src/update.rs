use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use slipway_debian::changes::Change;
use slipway_debian::config::Config;
use slipway_debian::lock::Lock;

use crate::format::Format;
use crate::project::{self, Project};
use crate::sources;

/// Move the pins of slipway.lock to the newest versions, and say what changed: security fixes first
#[derive(clap::Args)]
pub struct Update {
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    sources: sources::Options,
}

impl Update {
    pub fn run(&self, directory: &Path) -> Result<ExitCode> {
        let project = Project::find(directory)?;
        let config = Config::read(&project.config())?;
        let old = Lock::read(&project.lock())?;
        let sources = self.sources.open(&project::cache()?)?;
        let new = sources.relock(&config, None, &BTreeSet::new())?;
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
