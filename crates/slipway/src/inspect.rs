use std::process::ExitCode;

use anyhow::Result;
use slipway_oci::Platform;
use slipway_registry::Contents;

use crate::anatomy::Anatomy;
use crate::format::Format;
use crate::{registry, source};

/// Show what an image is: its platforms, how it runs, and what is in its layers
#[derive(clap::Args)]
pub struct Inspect {
    /// Image to show: a layout such as ./result, an archive, or a reference in a registry
    image: String,

    /// Only the images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,
}

impl Inspect {
    pub fn run(&self) -> Result<ExitCode> {
        let source = source::anywhere(&self.image, &self.registry, Contents::Documents)?;
        let anatomy = Anatomy::read(source.layout(), self.platform.as_ref())?;
        match self.format {
            Format::Text => print!("{anatomy}"),
            Format::Json => println!("{:#}", anatomy.to_json()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
