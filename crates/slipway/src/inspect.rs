use std::process::ExitCode;

use anyhow::Result;
use slipway_registry::Contents;

use crate::anatomy::Anatomy;
use crate::format::Format;
use crate::source;

/// Show what an image is: its platforms, how it runs, and what is in its layers
#[derive(clap::Args)]
pub struct Inspect {
    #[command(flatten)]
    source: source::Options,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Inspect {
    pub fn run(&self) -> Result<ExitCode> {
        let source = self.source.open(Contents::Documents)?;
        let anatomy = Anatomy::read(source.layout(), self.source.platform.as_ref())?;
        match self.format {
            Format::Text => print!("{anatomy}"),
            Format::Json => println!("{:#}", anatomy.to_json()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
