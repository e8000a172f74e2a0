use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_complete::{Shell, generate};

use clap::CommandFactory;

use crate::{Arguments, GlobalOptions};

/// Print a completion script for a shell
///
/// For bash: slipway completions bash > ~/.local/share/bash-completion/completions/slipway
#[derive(clap::Args)]
pub struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let mut command = Arguments::command();
        // The generator panics if it cannot write, so it writes to memory.
        let mut script = Vec::new();
        generate(self.shell, &mut command, "slipway", &mut script);
        stdout().write_all(&script).context("standard output")?;
        Ok(ExitCode::SUCCESS)
    }
}
