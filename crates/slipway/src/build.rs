use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use slipway_nix::{Nix, StorePath, progress};
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Document, Index, Layout, MediaType, Platform};

use crate::delivery::{Delivery, Destination};
use crate::format::Format;
use crate::images::{self, INDEX, Row};
use crate::pair::name_and_value;
use crate::platforms::Table;
use crate::project::Project;
use crate::seed;

/// What is built when nothing is named: this index, and the image of each default platform.
const DEFAULT: &str = ".#image";

/// Build images, and send them to where they are wanted
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

    /// Image to build: a platform's is that of the attribute with the platform's name added
    #[arg(
        short,
        long,
        value_name = "FLAKE#ATTR",
        default_value = DEFAULT,
        conflicts_with = "installables"
    )]
    file: String,

    /// Where to put the links to what was built: PATH, PATH-2, …
    #[arg(long, value_name = "PATH", default_value = "result")]
    out_link: PathBuf,

    /// How to show what was built
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Add a label to the image that is sent, as KEY=VALUE
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = name_and_value)]
    labels: Vec<(String, String)>,

    /// Add an annotation to the manifests that are sent; with `index:` before KEY, to the index
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = name_and_value)]
    annotations: Vec<(String, String)>,

    #[command(flatten)]
    delivery: Delivery,

    #[command(flatten)]
    seeding: seed::Options,
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
        let is_delivered = match self.delivery.check()? {
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
        let nix = Nix::find(&project.root, verbose)?;
        let installables = self.installables(&nix)?;
        let (plan, seeded) = self.seeding.seed(&nix, &project, &installables)?;
        if seeded.count > 0 {
            eprintln!("{seeded}");
        }
        let out_link = std::path::absolute(&self.out_link)?;
        let built = nix.build(&plan, progress::for_stderr().as_ref())?;
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
            self.format.also(&self.deliver(&outcomes)?);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn installables(&self, nix: &Nix) -> Result<Vec<String>> {
        if !self.installables.is_empty() {
            return Ok(self.installables.clone());
        }
        if self.platforms.is_empty() && self.file != DEFAULT {
            return Ok(vec![self.file.clone()]);
        }
        let table = Table::read(nix)?;
        let attribute = |platform| table.attribute(&self.file, platform);
        if self.platforms.is_empty() {
            let index = std::iter::once(Ok(DEFAULT.to_owned()));
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

    /// Whether what is sent is not just what was built.
    fn is_changed(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Sends one image: the index if all is built, or what the outputs come to together.
    fn deliver(&self, outcomes: &[Outcome]) -> Result<Vec<String>> {
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
            return self.delivery.deliver(layout, self.delivery.push);
        }
        let scratch = self.delivery.scratch()?;
        let layout = self.assemble(&layouts, &scratch.path().join("image"))?;
        self.delivery.deliver(&layout, self.delivery.push)
    }

    /// Makes one layout of the images, labelled as asked for: an index, or the image if it is the
    /// only one and was built alone.
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
                index.annotations = of_index;
                writer.add_document(&Document::new(MediaType::Index, index)?)?
            }
        };
        Ok(writer.finish(top)?)
    }
}

/// Before the key of an annotation that is for the index, as in `docker buildx build`.
const FOR_INDEX: &str = "index:";

fn print_table(outcomes: &[Outcome]) {
    let mut rows: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.image.as_ref()?, outcome.after)))
        .collect();
    rows.sort_by_key(|(row, _)| row.platform == INDEX);
    if !rows.is_empty() {
        println!("{} {:>8}", images::head(), "seconds");
    }
    for (row, after) in rows {
        println!("{row} {:>8.1}", after.as_secs_f64());
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
            let mut row = outcome.image.as_ref().map_or(json!({}), Row::to_json);
            row["installable"] = json!(outcome.installable);
            row["output"] = json!(outcome.output.as_str());
            row["seconds"] = json!(outcome.after.as_secs_f64());
            row
        })
        .collect();
    println!("{:#}", json!(rows));
}
