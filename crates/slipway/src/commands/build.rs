use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use slipway_nix::{Nix, StorePath};
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Document, Index, Layout, MediaType, Platform, shared_annotations};
use slipway_progress::seconds;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::key_value::name_and_value;
use crate::cli::progress;
use crate::image::export::{Destination, Export};
use crate::image::image_table::{self, INDEX, Row};
use crate::project::Project;
use crate::project::build_hints;
use crate::project::platform_table::Table;
use crate::project::seeds;

/// The output that is built if none is named, together with the image of each default platform.
const DEFAULT: &str = ".#image";

/// Build images, and send them to registries, engines or files
#[derive(clap::Args)]
pub struct Build {
    /// What to build [default: images of the default platforms]
    installables: Vec<String>,

    /// Platforms to build for, such as linux/amd64,linux/arm64
    #[arg(
        long = "platform",
        value_name = "OS/ARCH",
        value_delimiter = ',',
        conflicts_with = "installables"
    )]
    platforms: Vec<Platform>,

    /// Image to build; for a single platform, the platform's name is added to the attribute
    #[arg(
        short,
        long,
        value_name = "FLAKE#ATTR",
        default_value = DEFAULT,
        conflicts_with = "installables"
    )]
    file: String,

    /// Build the image with a shell and tools in further layers: busybox and strace
    #[arg(long, conflicts_with = "installables")]
    debug: bool,

    /// Where to put links to the results: PATH, PATH-2, …
    #[arg(long, value_name = "PATH", default_value = "result")]
    out_link: PathBuf,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Add a label to the image, as KEY=VALUE
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = name_and_value)]
    labels: Vec<(String, String)>,

    /// Add an annotation to the manifests and their index, or only to the index with `index:` before
    /// KEY
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = name_and_value)]
    annotations: Vec<(String, String)>,

    #[command(flatten)]
    export: Export,

    #[command(flatten)]
    seeding: seeds::Options,
}

/// A row of the table, or an output that is not an image.
struct Outcome {
    installable: String,
    output: StorePath,
    image: Option<Row>,
    after: Duration,
}

impl Build {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let is_delivered = match self.export.check()? {
            Some(Destination::Named) => {
                bail!("--tag names an image that goes nowhere; add --push, --load or --output")
            }
            destination => destination.is_some(),
        };
        if !is_delivered && self.is_changed() {
            bail!(
                "labels and annotations are for an image that is sent; add --push, --load or --output"
            );
        }
        let project = Project::find(directory)?;
        let nix = project.nix(verbose, &self.installables)?;
        let installables = self.installables(&nix)?;
        let (plan, seeded) = self.seeding.seed(&nix, &project, &installables)?;
        if seeded.count > 0 {
            eprintln!("{seeded}");
        }
        let out_link = std::path::absolute(&self.out_link)?;
        let built = nix
            .build(&plan, progress::for_stderr().as_ref())
            .map_err(|error| build_hints::explain(error, &nix, &project, &self.seeding))?;
        let outputs: Vec<&StorePath> = plan.targets.iter().map(|target| &target.output).collect();
        nix.link(&out_link, &outputs)?;
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
        if is_delivered {
            self.format.also(&self.export(&outcomes)?);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn installables(&self, nix: &Nix) -> Result<Vec<String>> {
        if !self.installables.is_empty() {
            return Ok(self.installables.clone());
        }
        let file = match self.debug {
            true => format!("{}-debug", self.file),
            false => self.file.clone(),
        };
        if self.platforms.is_empty() && self.file != DEFAULT {
            return Ok(vec![file]);
        }
        let table = Table::read(nix)?;
        let attribute = |platform| table.attribute(&file, platform);
        if self.platforms.is_empty() {
            let index = std::iter::once(Ok(file.clone()));
            return index
                .chain(
                    table
                        .defaults()
                        .into_iter()
                        .map(|row| row.platform())
                        .map(attribute),
                )
                .collect();
        }
        self.platforms.iter().map(attribute).collect()
    }

    /// Whether options change the image after it was built.
    fn is_changed(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Sends one image: the index if everything is built, otherwise the built images combined.
    fn export(&self, outcomes: &[Outcome]) -> Result<Vec<String>> {
        let is_default = self.installables.is_empty() && self.platforms.is_empty();
        let sent = match is_default {
            true => &outcomes[..1],
            false => outcomes,
        };
        let layouts = sent
            .iter()
            .map(|outcome| Ok(Layout::open(outcome.output.as_path())?))
            .collect::<Result<Vec<_>>>()?;
        if let ([layout], false) = (&layouts[..], self.is_changed()) {
            return self.export.export(layout, self.export.push);
        }
        let temp_dir = self.export.temp_dir()?;
        let layout = self.assemble(&layouts, &temp_dir.path().join("image"))?;
        self.export.export(&layout, self.export.push)
    }

    /// Combines the images in one layout, with the requested labels and annotations. The result is
    /// an index, unless only one image was built.
    fn assemble(&self, layouts: &[Layout], directory: &Path) -> Result<Layout> {
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        let mut of_index = BTreeMap::new();
        let mut of_images = BTreeMap::new();
        for (key, value) in self.annotations.iter().cloned() {
            match key.strip_prefix(FOR_INDEX) {
                Some(key) => of_index.insert(key.to_owned(), value),
                None => of_images.insert(key, value),
            };
        }
        let mut images = BTreeMap::new();
        for layout in layouts {
            for image in layout.images()? {
                let image = image.labelled(labels.clone(), of_images.clone())?;
                let platform = image.platform().to_string();
                if images.insert(platform.clone(), (layout, image)).is_some() {
                    bail!("{platform} is built twice; name each platform once");
                }
            }
        }
        let mut writer = LayoutWriter::create(directory)?;
        let mut manifests = Vec::new();
        for (layout, image) in images.values() {
            manifests.push(writer.add_image_of(layout, image)?);
        }
        let is_image = |layout: &Layout| {
            layout
                .top()
                .is_ok_and(|top| top.media_type == MediaType::Manifest)
        };
        let top = match &manifests[..] {
            [image] if layouts.iter().all(is_image) => image.clone(),
            _ => {
                let mut index = Index::new(manifests);
                index.annotations = shared_annotations(images.values().map(|(_, image)| image));
                index.annotations.extend(of_index);
                writer.add_document(&Document::new(MediaType::Index, index)?)?
            }
        };
        Ok(writer.finish(top)?)
    }
}

/// Prefix of an annotation for the index, as in `docker buildx build`.
const FOR_INDEX: &str = "index:";

fn print_table(outcomes: &[Outcome]) {
    let mut rows: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.image.as_ref()?, outcome.after)))
        .collect();
    rows.sort_by_key(|(row, _)| row.platform == INDEX);
    if !rows.is_empty() {
        println!("{} {:>8}", image_table::head(), "seconds");
    }
    for (row, after) in rows {
        println!("{row} {:>8.1}", after.as_secs_f64());
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.image.is_none()) {
        println!(
            "{} → {} ({})",
            outcome.installable,
            outcome.output,
            seconds(outcome.after)
        );
    }
}

fn print_json(outcomes: &[Outcome]) {
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let mut row = outcome.image.as_ref().map_or(json!({}), Row::to_json);
            row["installable"] = json!(outcome.installable);
            row["output"] = json!(outcome.output.as_str());
            row["seconds"] = json!(outcome.after.as_secs_f64());
            row
        })
        .collect();
    println!("{:#}", json!(rows));
}
