use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use slipway_oci::Layout;
use slipway_registry::{Contents, Reference};

use crate::GlobalOptions;
use crate::cli::progress;
use crate::cli::registry;
use crate::cli::temp_dir::TempDir;
use crate::release::artifact;

/// Download an image as a layout, or the files of an artifact
#[derive(clap::Args)]
pub struct Pull {
    /// What to download, such as registry.example/tool:v1.2.3
    reference: Reference,

    /// Download the files of an artifact, such as those that slipway release pushed
    #[arg(long)]
    artifact: bool,

    /// New or empty directory for the layout or the files
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    #[command(flatten)]
    registry: registry::Options,
}

impl Pull {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let client = self
            .registry
            .client(std::slice::from_ref(&self.reference))?;
        let pull = |directory: &std::path::Path| -> Result<Layout> {
            let progress = progress::for_stderr();
            let everything = Contents::Everything;
            Ok(slipway_registry::pull(
                &client,
                &self.reference,
                everything,
                directory,
                progress.as_ref(),
            )?)
        };
        if !self.artifact {
            let layout = pull(&self.output)?;
            println!("{}", self.reference.pinned(layout.top()?.digest));
            return Ok(ExitCode::SUCCESS);
        }
        let place = TempDir::beside(&self.output)?;
        let layout = pull(&place.path().join("layout"))?;
        for name in artifact::unpack(&layout, &self.output)? {
            println!("{name}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
