use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// Write the man pages, one for each command
#[derive(clap::Args)]
pub struct Man {
    /// Where to, such as ~/.local/share/man/man1
    directory: PathBuf,
}

impl Man {
    /// `command` is the whole command line.
    pub fn run(&self, command: clap::Command) -> Result<ExitCode> {
        let directory = &self.directory;
        fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(command, directory))
            .with_context(|| format!("writing man pages to {}", directory.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
