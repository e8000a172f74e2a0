//! Packs images in the Nix sandbox.
//!
//! It is separate from `slipway` and has few dependencies, so that a change to the command line
//! tool does not rebuild every image. Nix runs it directly as a builder, without a shell, home or
//! /tmp.

mod arguments;
mod pack_config;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use slipway_oci::layer_plan::{Planned, plan};
use slipway_oci::layout::{self, LayoutWriter};
use slipway_oci::{Closure, Error, Image, LayerDir, LayerSource, Layout, StorePath};

use arguments::{Command, USAGE};
use pack_config::PackConfig;

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

/// Runs a command. Returns the line to print: the digest, then what was created.
fn run(command: Command) -> Result<String, Error> {
    match command {
        Command::Help => Ok(USAGE.to_owned()),
        Command::Version => Ok(concat!("slipway-pack ", env!("CARGO_PKG_VERSION")).to_owned()),
        Command::Layer {
            out,
            source,
            compression,
        } => {
            let created = LayerDir::create(&out, &source, compression)?;
            let layer = created.layer();
            Ok(format!("{} layer of {} bytes", layer.digest, layer.size))
        }
        Command::Image {
            out,
            config,
            graphs,
            root,
            layers,
            max_layers,
        } => {
            let recipe = PackConfig::read(&config)?;
            let closures = graphs
                .iter()
                .map(|graph| Closure::parse(&read(graph)?))
                .collect::<Result<Vec<_>, _>>()?;
            let mut closure = Closure::merge(closures)?;
            if let Some(root) = &root {
                closure = closure.without(root)?;
            }
            let ready = layers
                .iter()
                .map(|directory| LayerDir::open(directory))
                .collect::<Result<Vec<_>, _>>()?;
            let image = pack_image(&out, recipe, root.as_ref(), &closure, &ready, max_layers)?;
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
    recipe: PackConfig,
    root: Option<&StorePath>,
    closure: &Closure,
    ready: &[LayerDir],
    max_layers: usize,
) -> Result<Image, Error> {
    let facts: Vec<_> = ready.iter().map(|layer| layer.layer().clone()).collect();
    let root = match root {
        Some(tree) if !is_empty(tree.as_path())? => {
            Some(LayerSource::Root(tree.as_path().to_path_buf()))
        }
        _ => None,
    };
    let room = max_layers.saturating_sub(usize::from(root.is_some()));
    let planned = plan(closure, &facts, room)?;
    let sources = root
        .iter()
        .cloned()
        .chain(planned.iter().filter_map(|layer| match layer {
            Planned::Pack(paths) => Some(LayerSource::StorePaths(paths.clone())),
            Planned::Ready(_) => None,
        }));

    let mut writer = LayoutWriter::create(out)?;
    let mut packed = writer
        .pack(sources.collect(), recipe.compression)?
        .into_iter();
    let mut layers = Vec::new();
    if root.is_some() {
        layers.extend(packed.next());
    }
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
        recipe.runtime,
        recipe.created,
        recipe.annotations,
        &layers,
    )?;
    let top = writer.add_image(&image)?;
    writer.finish(top)?;
    Ok(image)
}

fn is_empty(directory: &Path) -> Result<bool, Error> {
    let mut children = fs::read_dir(directory).map_err(Error::io("read", directory))?;
    Ok(children.next().is_none())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}
