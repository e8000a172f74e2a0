use std::process::ExitCode;

use anyhow::Result;
use slipway_oci::Platform;
use slipway_registry::Reference;

use crate::GlobalOptions;
use crate::image::container_engine::Engine;
use crate::image::image_source;
use crate::image::load::load;
use crate::project::seeds;

/// Load an image into Podman, Docker or containerd
#[derive(clap::Args)]
pub struct Load {
    /// Image to load: a layout, an archive or a flake output
    #[arg(default_value = image_source::DEFAULT)]
    image: String,

    /// Name of the image, as NAME:TAG (repeatable) [default: localhost/TITLE:latest]
    #[arg(short, long, value_name = "REF")]
    tag: Vec<Reference>,

    /// Platform to load [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Engine to load the image into [default: the first that answers]
    #[arg(long, value_enum, value_name = "ENGINE")]
    into: Option<Engine>,

    #[command(flatten)]
    seeding: seeds::Options,
}

impl Load {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let source = image_source::local(&self.image, directory, verbose, &self.seeding)?;
        let platform = self.platform.as_ref();
        for line in load(source.layout(), &self.tag, platform, self.into)? {
            println!("{line}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
