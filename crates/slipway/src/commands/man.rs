use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use clap::CommandFactory;

use crate::{Arguments, GlobalOptions};

/// Write the man pages
#[derive(clap::Args)]
pub struct Man {
    /// Directory to write to, such as ~/.local/share/man/man1
    directory: PathBuf,
}

impl Man {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let command = Arguments::command();
        let directory = &self.directory;
        fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(command, directory))
            .with_context(|| format!("writing man pages to {}", directory.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
