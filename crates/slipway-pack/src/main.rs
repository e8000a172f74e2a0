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
use slipway_oci::{Closure, Contents, Error, Files, Image, Layer, LayerDir, LayerSource, Layout};

use arguments::{Command, ContentsLayer, Source, USAGE};
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
            let source = match source {
                Source::StorePaths(paths) => LayerSource::StorePaths(paths),
                Source::Root(tree) => LayerSource::Root(tree),
                Source::Contents(list) => LayerSource::Files(Contents::read(&list)?.files()?),
                Source::System(system) => LayerSource::Files(system.files()?),
            };
            let created = LayerDir::create(&out, &source, compression)?;
            let layer = created.layer();
            Ok(format!("{} layer of {} bytes", layer.digest, layer.size))
        }
        Command::Image(parts) => {
            let image = pack_image(parts)?;
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

fn pack_image(parts: arguments::Image) -> Result<Image, Error> {
    let recipe = PackConfig::read(&parts.config)?;
    let mut closure = read_closure(&parts)?;
    let base = match &parts.base {
        Some(directory) => Some(Layout::open(directory)?),
        None => None,
    };
    let base = match &base {
        Some(layout) => Some((layout, layout.image(&recipe.platform)?)),
        None => None,
    };
    let mut base_layers = 0;
    if let Some((_, image)) = &base {
        closure = closure.beyond(&image.config().value().store_paths());
        base_layers = image.layers().count();
    }
    let ready = parts
        .layers
        .iter()
        .map(|directory| LayerDir::open(directory))
        .collect::<Result<Vec<_>, _>>()?;
    let facts: Vec<_> = ready.iter().map(|layer| layer.layer().clone()).collect();
    let root = match &parts.root {
        Some(tree) if !is_empty(tree.as_path())? => Some(tree.as_path()),
        _ => None,
    };
    if let (Some(ContentsLayer { list, .. }), Some(root)) = (&parts.contents, root) {
        let contents = Contents::read(list.as_path())?.files()?;
        contents.check_above(&Files::of_tree(root)?)?;
    }
    let contents = match &parts.contents {
        Some(ContentsLayer { layer, .. }) => Some(LayerDir::open(layer)?),
        None => None,
    };
    let root = root.map(|tree| LayerSource::Root(tree.to_path_buf()));
    let room = parts.max_layers.saturating_sub(
        base_layers + usize::from(root.is_some()) + usize::from(contents.is_some()),
    );
    let planned = plan(&closure, &facts, room)?;
    let sources = root
        .iter()
        .cloned()
        .chain(planned.iter().filter_map(|layer| match layer {
            Planned::Pack(paths) => Some(LayerSource::StorePaths(paths.clone())),
            Planned::Ready(_) => None,
        }));

    let mut writer = LayoutWriter::create(&parts.out)?;
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
            Planned::Ready(number) => layers.push(add_ready(&mut writer, &ready[number], &recipe)?),
        }
    }
    // The last layer: when files change, engines need not unpack packages again.
    if let Some(contents) = &contents {
        layers.push(add_ready(&mut writer, contents, &recipe)?);
    }
    let mut image = Image::new(
        recipe.platform,
        recipe.runtime,
        recipe.created,
        recipe.annotations,
        &layers,
    )?;
    if let Some((layout, base)) = base {
        writer.add_layers_of(layout, &base)?;
        image = image.onto(&base)?;
    }
    let top = writer.add_image(&image)?;
    writer.finish(top)?;
    Ok(image)
}

/// Adds a layer that was packed before, if it is compressed as the image wants it.
fn add_ready(
    writer: &mut LayoutWriter,
    ready: &LayerDir,
    recipe: &PackConfig,
) -> Result<Layer, Error> {
    let layer = ready.layer();
    if layer.media_type != recipe.compression.media_type() {
        return Err(Error::LayerFormat {
            digest: layer.digest,
            found: layer.media_type.clone(),
            wanted: recipe.compression.media_type(),
        });
    }
    writer.add_layer(ready)?;
    Ok(layer.clone())
}

/// The store paths of the image.
fn read_closure(parts: &arguments::Image) -> Result<Closure, Error> {
    let mut closures = Vec::new();
    for graph in &parts.graphs {
        let closure = Closure::parse(&read(graph)?)?;
        closures.push(match &parts.contents {
            Some(ContentsLayer { list, .. }) => closure.without_copies(list),
            None => closure,
        });
    }
    let closure = Closure::merge(closures)?;
    match &parts.root {
        Some(root) => closure.without(root),
        None => Ok(closure),
    }
}

fn is_empty(directory: &Path) -> Result<bool, Error> {
    let mut children = fs::read_dir(directory).map_err(Error::io("read", directory))?;
    Ok(children.next().is_none())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}
