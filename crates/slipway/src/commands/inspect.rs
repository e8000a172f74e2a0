use std::process::ExitCode;

use anyhow::Result;
use slipway_registry::Contents;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::image::image_source;
use crate::image::image_summary::ImageSummary;

/// Show the platforms, configuration and layers of an image
#[derive(clap::Args)]
pub struct Inspect {
    #[command(flatten)]
    source: image_source::Options,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Inspect {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let source = self.source.open(Contents::Documents)?;
        let summary = ImageSummary::read(source.layout(), self.source.platform.as_ref())?;
        match self.format {
            Format::Text => print!("{summary}"),
            Format::Json => println!("{:#}", summary.to_json()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
