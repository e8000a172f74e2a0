use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use slipway_progress::seconds;

use crate::GlobalOptions;
use crate::project::Project;
use crate::project::seeds::{self, Seeded};

/// Fetch the Debian packages, crates and Go modules that a build needs into the Nix store
///
/// Uses this machine's configuration: packages come from the mirrors in apt's sources, crates
/// through cargo.
#[derive(clap::Args)]
pub struct Seed {
    /// What to build
    #[arg(default_value = ".#image")]
    installables: Vec<String>,

    #[command(flatten)]
    options: seeds::Options,
}

impl Seed {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let project = Project::find(directory)?;
        let nix = project.nix(verbose, &self.installables)?;
        let start = Instant::now();
        let (_, seeded) = self.options.seed(&nix, &project, &self.installables)?;
        match seeded {
            Seeded { count: 0, .. } => println!("nothing is missing"),
            seeded => println!("{seeded}, {}", seconds(start.elapsed())),
        }
        Ok(ExitCode::SUCCESS)
    }
}
