use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;
use slipway_oci::Layout;
use slipway_registry::{Outcome, Pushed, Reference, Repository, progress, push};

use crate::registry;

/// Push an image, with all its platforms, to a registry
///
/// What the registry has is not sent again. A tag is moved when everything it stands for is there.
/// Prints REFERENCE@DIGEST for each reference.
#[derive(clap::Args)]
pub struct Push {
    /// The image: an OCI image layout
    #[arg(value_name = "IMAGE")]
    source: PathBuf,

    /// Where to: [HOST[:PORT]/]NAME[:TAG]; without a tag it is `latest`
    #[arg(required = true, value_name = "REFERENCE")]
    references: Vec<Reference>,

    /// A repository of the same registry that may have some of the layers already; may be given
    /// several times
    #[arg(long, value_name = "REPOSITORY")]
    mount_from: Vec<Repository>,

    /// How to show what was pushed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Push {
    pub fn run(&self) -> Result<ExitCode> {
        let layout = Layout::open(&self.source)?;
        let client = self.registry.client(&self.references)?;
        let client = client.mounting(self.mount_from.clone());
        let progress = progress::for_stderr("pushing");
        let pushed = push(
            &client,
            &layout,
            layout.top()?,
            &self.references,
            progress.as_ref(),
        )?;
        match self.format {
            Format::Text => print_text(&pushed),
            Format::Json => print_json(&pushed),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_text(pushed: &[Pushed]) {
    for one in pushed {
        println!("{}", one.reference.pinned(one.digest));
    }
}

fn print_json(pushed: &[Pushed]) {
    let rows: Vec<_> = pushed
        .iter()
        .map(|one| {
            json!({
                "reference": one.reference.to_string(),
                "digest": one.digest.to_string(),
                "outcome": match one.outcome {
                    Outcome::Unchanged => "unchanged",
                    Outcome::Tagged => "tagged",
                    Outcome::Sent => "sent",
                },
            })
        })
        .collect();
    println!("{:#}", json!(rows));
}
