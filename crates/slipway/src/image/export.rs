//! Options for the destination of an image, which several commands share. They are named as in
//! `docker buildx build`.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use slipway_oci::layout::{LayoutWriter, oci_archive};
use slipway_oci::{Descriptor, Layout};
use slipway_registry::Reference;

use crate::cli::registry;
use crate::cli::temp_dir::{self, TempDir};
use crate::image::load;
use crate::image::metadata_file::Metadata;
use crate::image::output::{Kind, Output};

#[derive(clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Output options")]
pub struct Export {
    /// Name of the image (repeatable)
    #[arg(short, long = "tag", value_name = "REF")]
    pub tags: Vec<Reference>,

    /// Push it to the registries in its names
    #[arg(long, requires = "tags")]
    pub push: bool,

    /// Load the image for this machine's platform into Podman, Docker or containerd
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

/// The destination options that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// At least one destination.
    Said,
    /// Only a name.
    Named,
}

impl Export {
    /// The destination, if one was given. Reports options that cannot work before anything is
    /// built.
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

    /// A temporary directory for the image, beside the output if there is one.
    pub fn temp_dir(&self) -> Result<TempDir> {
        match self.outputs.first() {
            Some(output) => TempDir::beside(&output.destination),
            None => TempDir::new(),
        }
    }

    /// Sends the image to every destination. Pushes to registries last, because others see it
    /// there.
    ///
    /// Returns one line for each name of the image at each destination.
    pub fn export(&self, layout: &Layout, push: bool) -> Result<Vec<String>> {
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
            let pushed = registry::push(&client, layout, &self.tags)?;
            lines.extend(registry::lines(&pushed));
            // The metadata file must describe what the registry serves.
            if let Some(translated) = pushed.into_iter().find_map(|it| it.translated) {
                top = translated;
            }
        }
        if let Some(file) = &self.metadata_file {
            Metadata::new(&top, &self.tags).write(file)?;
        }
        Ok(lines)
    }
}

/// Checks that the output can be written: its parent is a directory, and nothing is in the way.
pub fn check_free(output: &Output) -> Result<()> {
    let destination = &output.destination;
    let parent = temp_dir::parent(destination);
    if !parent.is_dir() {
        bail!(
            "{} is not a directory, so {} cannot be made; make it first",
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

/// Writes to a temporary directory beside the destination, and renames the complete result.
pub fn write(layout: &Layout, tags: &[Reference], output: &Output) -> Result<()> {
    let destination = &output.destination;
    let temp_dir = TempDir::beside(destination)?;
    let made = temp_dir.path().join("image");
    let top = layout.top()?;
    let tops: Vec<Descriptor> = match tags {
        [] => vec![top.clone()],
        _ => {
            let named = |tag: &Reference| oci_archive::named(top, &tag.to_string());
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
            oci_archive::write_docker(layout, &image, &names, &mut to)?;
        } else {
            oci_archive::write(layout, &tops, &mut to)?;
        }
    }
    fs::rename(&made, destination)?;
    Ok(())
}
