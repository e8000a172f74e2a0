use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use slipway_oci::{Image, Layout, Platform};
use slipway_registry::Reference;

use crate::engine::Engine;
use crate::programs;
use crate::seed;
use crate::source;

/// Load an image into Podman, Docker or containerd
#[derive(clap::Args)]
pub struct Load {
    /// Image to load: a layout, an archive, or what a flake gives
    #[arg(default_value = source::DEFAULT)]
    image: String,

    /// Name it, as NAME:TAG; may be given several times [default: localhost/TITLE:latest]
    #[arg(short, long, value_name = "REF")]
    tag: Vec<Reference>,

    /// Platform to load [default: that of this machine]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Engine to load it into [default: the first that answers]
    #[arg(long, value_enum, value_name = "ENGINE")]
    into: Option<Engine>,

    #[command(flatten)]
    seeding: seed::Options,
}

impl Load {
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
        let source = source::local(&self.image, directory, verbose, &self.seeding)?;
        let platform = self.platform.as_ref();
        for line in load(source.layout(), &self.tag, platform, self.into)? {
            println!("{line}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Loads one image of a layout, and gives a line for each name that it has then.
pub fn load(
    layout: &Layout,
    tags: &[Reference],
    platform: Option<&Platform>,
    into: Option<Engine>,
) -> Result<Vec<String>> {
    let image = choose(layout, platform)?;
    let names = names(&image, tags)?;
    let engine = match into {
        Some(engine) => engine,
        None => Engine::find()?,
    };
    engine.load(layout, &image, &names)?;
    let id = image.config().descriptor().digest;
    let line = |name| format!("{name} is in {engine}: {}, image ID {id}", image.platform());
    Ok(names.into_iter().map(line).collect())
}

/// The image of `platform`, or else of this machine, or the only one.
pub fn choose(layout: &Layout, platform: Option<&Platform>) -> Result<Image> {
    if let Some(platform) = platform {
        return Ok(layout.image(platform)?);
    }
    let mut images = layout.images()?;
    if images.len() == 1 {
        return Ok(images.remove(0));
    }
    layout
        .image(&programs::this_machine()?)
        .context("this machine's platform cannot be loaded; name one with --platform")
}

/// What the image shall be called: as told, or by its title.
fn names(image: &Image, tags: &[Reference]) -> Result<Vec<String>> {
    if !tags.is_empty() {
        return Ok(tags.iter().map(Reference::to_string).collect());
    }
    let labels = &image.config().value().config.labels;
    match labels.get(TITLE) {
        Some(title) => {
            let name: Reference =
                format!("localhost/{title}:latest")
                    .parse()
                    .with_context(|| {
                        format!("its label {TITLE} cannot be its name; name the image with --tag")
                    })?;
            Ok(vec![name.to_string()])
        }
        None => bail!("the image has no label {TITLE} to be named by; name it with --tag"),
    }
}

/// Source: OCI image-spec, annotations.md, "Pre-Defined Annotation Keys".
const TITLE: &str = "org.opencontainers.image.title";
