use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;
use slipway_nix::{Nix, StorePath, progress};

use crate::images::{INDEX, Row};
use crate::project::Project;
use crate::seed;

/// Build images, and what they need
#[derive(clap::Args)]
pub struct Build {
    /// What to build
    #[arg(default_values = [".#image", ".#image-x86_64", ".#image-aarch64"])]
    installables: Vec<String>,

    /// Where to put the links to what was built: PATH, PATH-1, …
    #[arg(long, value_name = "PATH", default_value = "result")]
    out_link: PathBuf,

    /// How to show what was built
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    seeding: seed::Options,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A row of the table, or what there is to say of an output that is no image.
struct Outcome {
    installable: String,
    output: StorePath,
    image: Option<Row>,
    after: Duration,
}

impl Build {
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
        let project = Project::find(directory)?;
        let nix = Nix::find(&project.root, verbose)?;
        let (plan, seeded) = self.seeding.seed(&nix, &project, &self.installables)?;
        if seeded.count > 0 {
            eprintln!("{seeded}");
        }
        let out_link = std::path::absolute(&self.out_link)?;
        let built = nix.build(&plan, Some(&out_link), progress::for_stderr().as_ref())?;
        let after: HashMap<&StorePath, Duration> = built
            .iter()
            .map(|one| (&one.derivation, one.after))
            .collect();
        let outcomes = plan
            .targets
            .iter()
            .map(|target| {
                let is_image = target.output.as_path().join("oci-layout").exists();
                Ok(Outcome {
                    installable: target.installable.clone(),
                    output: target.output.clone(),
                    image: if is_image {
                        Some(Row::read(target.output.as_path())?)
                    } else {
                        None
                    },
                    after: after.get(&target.derivation).copied().unwrap_or_default(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        match self.format {
            Format::Text => print_table(&outcomes),
            Format::Json => print_json(&outcomes),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_table(outcomes: &[Outcome]) {
    let mut images: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.image.as_ref()?, outcome.after)))
        .collect();
    images.sort_by_key(|(row, _)| row.platform == INDEX);
    if !images.is_empty() {
        println!(
            "{:<14} {:<71} {:>9} {:>7} {:>8}",
            "platform", "digest", "size", "layers", "seconds"
        );
    }
    for (
        Row {
            platform,
            digest,
            size,
            layers,
        },
        after,
    ) in images
    {
        let size = format!("{:.2} MB", *size as f64 / 1e6);
        println!(
            "{platform:<14} {digest:<71} {size:>9} {layers:>7} {:>8.1}",
            after.as_secs_f64()
        );
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.image.is_none()) {
        println!(
            "{} → {} ({:.1} s)",
            outcome.installable,
            outcome.output,
            outcome.after.as_secs_f64()
        );
    }
}

fn print_json(outcomes: &[Outcome]) {
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let mut row = json!({
                "installable": outcome.installable,
                "output": outcome.output.as_str(),
                "seconds": outcome.after.as_secs_f64(),
            });
            if let Some(image) = &outcome.image {
                row["platform"] = json!(image.platform);
                row["digest"] = json!(image.digest);
                row["size"] = json!(image.size);
                row["layers"] = json!(image.layers);
            }
            row
        })
        .collect();
    println!("{:#}", json!(rows));
}
