use std::process::ExitCode;

use anyhow::Result;
use slipway_registry::Contents;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::image::image_source;
use crate::image::image_summary::{Detail, ImageSummary};

/// Show the platforms, configuration and layers of an image
#[derive(clap::Args)]
pub struct Inspect {
    #[command(flatten)]
    source: image_source::Options,

    /// Read the layers, and show how many bytes each package and store path has in them
    #[arg(long)]
    layers: bool,

    /// Read the layers, and show each file in them, too
    #[arg(long)]
    files: bool,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Inspect {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let (detail, contents) = match (self.files, self.layers) {
            (true, _) => (Detail::Files, Contents::Everything),
            (_, true) => (Detail::Layers, Contents::Everything),
            _ => (Detail::Documents, Contents::Documents),
        };
        let source = self.source.open(contents)?;
        let platform = self.source.platform.as_ref();
        let summary = ImageSummary::read(source.layout(), platform, detail)?;
        match self.format {
            Format::Text => print!("{summary}"),
            Format::Json => println!("{:#}", summary.to_json()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
