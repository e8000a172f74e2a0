//! Loads images into container engines.

use anyhow::{Context, Result, bail};
use slipway_oci::{Image, Layout, Platform};
use slipway_registry::Reference;

use crate::image::container_engine::Engine;
use crate::image::entrypoint_detection;

/// Loads one image of a layout. Returns one line for each name that the image has in the engine.
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

/// The image for `platform`. Without a platform, the only image, or the one for this machine.
pub fn choose(layout: &Layout, platform: Option<&Platform>) -> Result<Image> {
    if let Some(platform) = platform {
        return Ok(layout.image(platform)?);
    }
    let mut images = layout.images()?;
    if images.len() == 1 {
        return Ok(images.remove(0));
    }
    layout
        .image(&entrypoint_detection::this_processor()?)
        .context("no image is for this machine; name one with --platform")
}

/// The names of the image: the tags, or else one made from its title label.
pub fn names(image: &Image, tags: &[Reference]) -> Result<Vec<String>> {
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
