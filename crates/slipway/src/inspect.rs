use std::process::ExitCode;

use anyhow::Result;
use slipway_oci::Platform;

use crate::anatomy::Anatomy;
use crate::format::Format;
use crate::source::{self, Contents};

/// Show what an image is: its platforms, how it runs, and what is in its layers
#[derive(clap::Args)]
pub struct Inspect {
    /// Image to show: an image layout such as ./result
    image: String,

    /// Only the images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Inspect {
    pub fn run(&self) -> Result<ExitCode> {
        let layout = source::open(&self.image, Contents::Documents)?;
        let anatomy = Anatomy::read(&layout, self.platform.as_ref())?;
        match self.format {
            Format::Text => print!("{anatomy}"),
            Format::Json => println!("{:#}", anatomy.to_json()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
