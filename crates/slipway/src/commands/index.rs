use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::slice;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use slipway_oci::layout::{Part, Taken, merge_parts};
use slipway_oci::{Layout, MediaType};
use slipway_registry::{Client, Contents, Reference};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::key_value::name_and_value;
use crate::cli::registry;
use crate::cli::temp_dir::TempDir;
use crate::image::export;
use crate::image::image_source::{self, Source};
use crate::image::output::Output;

/// Make an index from images that were built separately
#[derive(Args)]
pub struct Index {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an index from all given images
    ///
    /// Of images that are in DEST's registry only documents are moved; their layers are mounted. Two images
    /// of one platform are refused. The same images give the same index, in whatever order they are named.
    Create(Create),
    /// Add images to the index at DEST
    ///
    /// Refuses a platform that the index already has, unless --replace is given.
    Append(Append),
}

#[derive(Args)]
struct Create {
    #[command(flatten)]
    words: Words,
}

#[derive(Args)]
struct Append {
    /// Replace images of the same platforms
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    words: Words,
}

#[derive(Args)]
struct Words {
    /// Destination: a reference in a registry, or a layout or archive such as ./image or
    /// ./image.tar
    #[arg(value_name = "DEST")]
    destination: String,

    /// Images: layouts, archives, or references in registries
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,

    /// Add an annotation to the index, as KEY=VALUE (repeatable)
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = name_and_value)]
    annotations: Vec<(String, String)>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,
}

impl Index {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        match &self.action {
            Action::Create(create) => create.words.run(None),
            Action::Append(append) => append.words.run(Some(append)),
        }
    }
}

/// The destination of the index.
enum Destination {
    Registry(Reference),
    Disk(Output),
}

impl Destination {
    fn parse(word: &str) -> Result<Self> {
        if !word.starts_with(['.', '/']) && !Path::new(word).exists() {
            return Ok(Self::Registry(word.parse()?));
        }
        Ok(Self::Disk(word.parse().with_context(|| word.to_owned())?))
    }

    fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Registry(reference) => Some(reference),
            Self::Disk(_) => None,
        }
    }
}

impl Words {
    fn run(&self, append: Option<&Append>) -> Result<ExitCode> {
        let destination = Destination::parse(&self.destination)?;
        if let (Destination::Disk(output), None) = (&destination, append) {
            export::check_free(output)?;
        }
        let references: Vec<Reference> = self
            .sources
            .iter()
            .filter(|source| !image_source::is_local(source))
            .filter_map(|source| source.parse().ok())
            .chain(destination.reference().cloned())
            .collect();
        let repositories = references.iter().map(|it| it.repository().clone());
        let client = self
            .registry
            .client(&references)?
            .mounting(repositories.collect());
        let making = Making {
            words: self,
            append,
            client,
            destination,
        };
        let (name, digest) = making.run()?;
        match self.format {
            Format::Text => println!("{name}@{digest}"),
            Format::Json => println!("{:#}", json!({"destination": name, "digest": digest})),
        }
        Ok(ExitCode::SUCCESS)
    }
}

struct Making<'a> {
    words: &'a Words,
    append: Option<&'a Append>,
    client: Client,
    destination: Destination,
}

impl Making<'_> {
    /// Makes the index and sends it. Returns its destination and digest.
    fn run(&self) -> Result<(String, String)> {
        match &self.destination {
            Destination::Registry(reference) => {
                let pushed = match self.push(reference, Taken::Documents) {
                    // A registry may refuse to mount layers from another repository.
                    Err(error) if lacks_layer(&error) => self.push(reference, Taken::Everything),
                    pushed => pushed,
                };
                Ok((reference.to_string(), pushed?))
            }
            Destination::Disk(output) => {
                let temp_dir = TempDir::beside(&output.destination)?;
                let layout = self.merge(&temp_dir, Taken::Everything)?;
                let made = Output {
                    kind: output.kind,
                    destination: temp_dir.path().join("made"),
                };
                export::write(&layout, &[], &made)?;
                replace(&made.destination, &output.destination, &temp_dir)?;
                let name = output.destination.display().to_string();
                Ok((name, layout.top()?.digest.to_string()))
            }
        }
    }

    fn push(&self, reference: &Reference, near: Taken) -> Result<String> {
        let temp_dir = TempDir::new()?;
        let layout = self.merge(&temp_dir, near)?;
        let pushed = registry::push(&self.client, &layout, slice::from_ref(reference))?;
        let pushed = pushed.first().context("nothing was pushed")?;
        Ok(pushed.digest.to_string())
    }

    /// Makes the index of all images. `near` says what to take from images in the destination's
    /// registry.
    fn merge(&self, temp_dir: &TempDir, near: Taken) -> Result<Layout> {
        let mut sources = Vec::new();
        let mut annotations = BTreeMap::new();
        if let Some(append) = self.append {
            let (source, taken) = self.open(&self.words.destination, near)?;
            let layout = source.layout();
            let top = layout.top()?;
            if top.media_type.meaning() != MediaType::Index {
                bail!(
                    "{} is one image and no index; make one of it: slipway index create",
                    self.words.destination
                );
            }
            annotations.extend(layout.read_index(top)?.value().annotations.clone());
            sources.push((&self.words.destination, source, taken, append.replace));
        }
        for word in &self.words.sources {
            let (source, taken) = self.open(word, near)?;
            sources.push((word, source, taken, false));
        }
        let part = |(name, source, taken, gives_way): &(&String, Source, Taken, bool)| Part {
            name: (*name).clone(),
            layout: source.layout().clone(),
            taken: *taken,
            gives_way: *gives_way,
        };
        let parts: Vec<Part> = sources.iter().map(part).collect();
        annotations.extend(self.words.annotations.iter().cloned());
        Ok(merge_parts(
            &temp_dir.path().join("index"),
            &parts,
            annotations,
        )?)
    }

    fn open(&self, word: &str, near: Taken) -> Result<(Source, Taken)> {
        let host = |reference: &Reference| reference.repository().host().to_owned();
        let is_near = || {
            let reference: Option<Reference> = word.parse().ok();
            let there = self.destination.reference().map(host);
            there.is_some() && reference.as_ref().map(host) == there
        };
        let taken = match !image_source::is_local(word) && is_near() {
            true => near,
            false => Taken::Everything,
        };
        let contents = match taken {
            Taken::Documents => Contents::Documents,
            Taken::Everything => Contents::Everything,
        };
        let source = image_source::anywhere(word, &self.client, contents)?;
        if source.layout().images()?.is_empty() {
            bail!("{word} has no image");
        }
        Ok((source, taken))
    }
}

/// Whether the error means that a layer had to be sent that is not on this machine.
fn lacks_layer(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
    })
}

/// Replaces the destination with the new file or directory.
fn replace(made: &Path, destination: &Path, temp_dir: &TempDir) -> Result<()> {
    let failed = || format!("writing {}", destination.display());
    // A rename cannot replace a directory that has files.
    let old: PathBuf = temp_dir.path().join("old");
    let is_directory = destination.is_dir();
    if is_directory {
        fs::rename(destination, &old).with_context(failed)?;
    }
    let renamed = fs::rename(made, destination).with_context(failed);
    if renamed.is_err() && is_directory {
        fs::rename(&old, destination).with_context(failed)?;
    }
    renamed
}
