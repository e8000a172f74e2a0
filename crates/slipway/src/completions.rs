use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_complete::{Shell, generate};

/// Print what makes a shell complete slipway's commands and options
///
/// For bash: slipway completions bash > ~/.local/share/bash-completion/completions/slipway
#[derive(clap::Args)]
pub struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// `command` is the whole command line.
    pub fn run(&self, mut command: clap::Command) -> Result<ExitCode> {
        // The generator panics when it cannot write.
        let mut script = Vec::new();
        generate(self.shell, &mut command, "slipway", &mut script);
        stdout().write_all(&script).context("standard output")?;
        Ok(ExitCode::SUCCESS)
    }
}
