//! Where an image goes when it is built: options that several commands share, in the words of
//! `docker buildx build`.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use slipway_oci::layout::{LayoutWriter, archive};
use slipway_oci::{Descriptor, Layout};
use slipway_registry::Reference;

use crate::load;
use crate::output::{Kind, Output};
use crate::push;
use crate::registry;
use crate::scratch::{self, Scratch};

#[derive(clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Where the image goes")]
pub struct Delivery {
    /// Name of the image; may be given several times
    #[arg(short, long = "tag", value_name = "REF")]
    pub tags: Vec<Reference>,

    /// Push it to the registries that its names say
    #[arg(long, requires = "tags")]
    pub push: bool,

    /// Load it into Podman, Docker or containerd, for the platform of this machine
    #[arg(long)]
    load: bool,

    /// Write it to a file or directory: type=oci|docker,dest=PATH
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub outputs: Vec<Output>,

    /// Write its digest and names to this file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,

    #[command(flatten)]
    registry: registry::Options,
}

/// What was said of where an image goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Where to.
    Said,
    /// Only its name.
    Named,
}

impl Delivery {
    /// Where the image goes, if anywhere. What cannot work is found before anything is built.
    pub fn check(&self) -> Result<Option<Destination>> {
        for output in &self.outputs {
            check_free(output)?;
        }
        let goes = self.push || self.load || !self.outputs.is_empty();
        Ok(match goes || self.metadata_file.is_some() {
            true => Some(Destination::Said),
            false if !self.tags.is_empty() => Some(Destination::Named),
            false => None,
        })
    }

    /// A place for an image on the way, where it need not be moved far.
    pub fn scratch(&self) -> Result<Scratch> {
        match self.outputs.first() {
            Some(output) => Scratch::beside(&output.destination),
            None => Scratch::new(),
        }
    }

    /// Sends the image of a layout everywhere; to registries, if it is to be pushed, last, since others
    /// see it there.
    ///
    /// Gives a line for each name that the image has there.
    pub fn deliver(&self, layout: &Layout, push: bool) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for output in &self.outputs {
            write(layout, &self.tags, output)
                .with_context(|| format!("writing {}", output.destination.display()))?;
            eprintln!("wrote {}", output.destination.display());
        }
        if self.load {
            lines.extend(load::load(layout, &self.tags, None, None)?);
        }
        let mut top = layout.top()?.clone();
        if push {
            let client = self.registry.client(&self.tags)?;
            let pushed = push::push(&client, layout, &self.tags)?;
            lines.extend(push::lines(&pushed));
            // What others find there.
            if let Some(translated) = pushed.into_iter().find_map(|it| it.translated) {
                top = translated;
            }
        }
        if let Some(file) = &self.metadata_file {
            write_metadata(file, &top, &self.tags)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(lines)
    }
}

fn check_free(output: &Output) -> Result<()> {
    let destination = &output.destination;
    let parent = scratch::parent(destination);
    if !parent.is_dir() {
        bail!(
            "{} is no directory, so {} cannot be made; make it first",
            parent.display(),
            destination.display()
        );
    }
    let Ok(metadata) = destination.symlink_metadata() else {
        return Ok(());
    };
    let shown = destination.display();
    if output.kind != Kind::Oci && metadata.is_dir() {
        bail!("{shown} is a directory, and an archive is a file; name another dest");
    }
    let is_empty = || fs::read_dir(destination).is_ok_and(|mut entries| entries.next().is_none());
    if output.kind == Kind::Oci && !(metadata.is_dir() && is_empty()) {
        bail!("{shown} exists already; remove it, or name another dest");
    }
    Ok(())
}

/// Writes beside the destination, and renames what is whole.
fn write(layout: &Layout, tags: &[Reference], output: &Output) -> Result<()> {
    let destination = &output.destination;
    let scratch = Scratch::beside(destination)?;
    let made = scratch.path().join("image");
    let top = layout.top()?;
    let tops: Vec<Descriptor> = match tags {
        [] => vec![top.clone()],
        _ => {
            let named = |tag: &Reference| archive::named(top, &tag.to_string());
            tags.iter().map(named).collect()
        }
    };
    if output.kind == Kind::Oci {
        let mut writer = LayoutWriter::create(&made)?;
        for blob in layout.blobs(&tops)? {
            writer.add_blob(&blob, &layout.blob_path(&blob))?;
        }
        writer.finish_named(tops)?;
    } else {
        let mut to = BufWriter::with_capacity(128 * 1024, File::create_new(&made)?);
        if output.kind == Kind::Docker {
            let image = load::choose(layout, None)?;
            let names: Vec<String> = tags.iter().map(Reference::to_string).collect();
            archive::write_docker(layout, &image, &names, &mut to)?;
        } else {
            archive::write(layout, &tops, &mut to)?;
        }
    }
    fs::rename(&made, destination)?;
    Ok(())
}

/// The keys are those of `docker buildx build --metadata-file`.
fn write_metadata(file: &Path, top: &Descriptor, tags: &[Reference]) -> Result<()> {
    let mut metadata = json!({
        "containerimage.digest": top.digest,
        "containerimage.descriptor": top,
    });
    if !tags.is_empty() {
        let names: Vec<String> = tags.iter().map(Reference::to_string).collect();
        metadata["image.name"] = json!(names.join(","));
    }
    let scratch = Scratch::beside(file)?;
    let made = scratch.path().join("metadata");
    fs::write(&made, format!("{metadata:#}\n"))?;
    fs::rename(&made, file)?;
    Ok(())
}
