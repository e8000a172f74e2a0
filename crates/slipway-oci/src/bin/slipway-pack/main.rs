//! Inside Nix's sandbox images are made by this program and not by `slipway`: it has the few
//! dependencies that making an image needs, so that a change to the command line tool does not
//! build every image anew. It runs as a builder itself, with no shell, home or /tmp.

mod arguments;
mod recipe;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use slipway_oci::layout::{self, LayoutWriter};
use slipway_oci::plan::{Planned, plan};
use slipway_oci::{Closure, Error, Image, LayerDir, LayerSource, Layout};

use arguments::{Command, USAGE};
use recipe::Recipe;

fn main() -> ExitCode {
    let command = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("slipway-pack: {error}; see: slipway-pack --help");
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("slipway-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives the line to print: what was made, its digest first.
fn run(command: Command) -> Result<String, Error> {
    match command {
        Command::Help => Ok(USAGE.to_owned()),
        Command::Version => Ok(concat!("slipway-pack ", env!("CARGO_PKG_VERSION")).to_owned()),
        Command::Layer {
            out,
            source,
            compression,
        } => {
            let made = LayerDir::create(&out, &source, compression)?;
            let layer = made.layer();
            Ok(format!("{} layer of {} bytes", layer.digest, layer.size))
        }
        Command::Image {
            out,
            config,
            graph,
            layers,
            max_layers,
        } => {
            let recipe = Recipe::read(&config)?;
            let closure = Closure::parse(&read(&graph)?)?;
            let ready = layers
                .iter()
                .map(|directory| LayerDir::open(directory))
                .collect::<Result<Vec<_>, _>>()?;
            let image = pack_image(&out, recipe, &closure, &ready, max_layers)?;
            Ok(format!(
                "{} image for {}, {} layers",
                image.manifest().descriptor().digest,
                image.platform(),
                image.layers().count()
            ))
        }
        Command::Index { out, layouts } => {
            let layouts = layouts
                .iter()
                .map(|directory| Layout::open(directory))
                .collect::<Result<Vec<_>, _>>()?;
            let merged = layout::merge(&out, &layouts)?;
            let digests = merged
                .index()
                .manifests
                .iter()
                .map(|top| top.digest.to_string());
            Ok(format!(
                "{} index of {} layouts",
                digests.collect::<String>(),
                layouts.len()
            ))
        }
        Command::Unpack {
            platform,
            layout,
            directory,
        } => {
            let layout = Layout::open(&layout)?;
            let image = layout.image(&platform)?;
            slipway_oci::unpack(&layout, &image, &directory)?;
            Ok(format!(
                "{} unpacked to {}",
                image.manifest().descriptor().digest,
                directory.display()
            ))
        }
    }
}

fn pack_image(
    out: &Path,
    recipe: Recipe,
    closure: &Closure,
    ready: &[LayerDir],
    max_layers: usize,
) -> Result<Image, Error> {
    let facts: Vec<_> = ready.iter().map(|layer| layer.layer().clone()).collect();
    let planned = plan(closure, &facts, max_layers)?;
    let sources = planned.iter().filter_map(|layer| match layer {
        Planned::Pack(paths) => Some(LayerSource::StorePaths(paths.clone())),
        Planned::Ready(_) => None,
    });

    let mut writer = LayoutWriter::create(out)?;
    let mut packed = writer
        .pack(sources.collect(), recipe.compression)?
        .into_iter();
    let mut layers = Vec::new();
    for layer in planned {
        match layer {
            Planned::Pack(_) => layers.extend(packed.next()),
            Planned::Ready(number) => {
                let layer = ready[number].layer();
                if layer.media_type != recipe.compression.media_type() {
                    return Err(Error::LayerFormat {
                        digest: layer.digest,
                        found: layer.media_type.clone(),
                        wanted: recipe.compression.media_type(),
                    });
                }
                writer.add_layer(&ready[number])?;
                layers.push(layer.clone());
            }
        }
    }
    let image = Image::new(
        recipe.platform,
        recipe.execution,
        recipe.created,
        recipe.annotations,
        &layers,
    )?;
    let top = writer.add_image(&image)?;
    writer.finish(top)?;
    Ok(image)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}
