//! Parses the command line into complete, typed commands.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use slipway_oci::compression::Method;
use slipway_oci::layer_plan::MAX_LAYERS;
use slipway_oci::{Compression, Platform, StorePath, SystemFiles};

pub const USAGE: &str = "\
slipway-pack makes OCI layers, images and indexes, the same bytes every time

slipway-pack layer  --out DIR [--compression zstd|gzip] [--level N] STORE_PATH...
slipway-pack layer  --out DIR [--compression zstd|gzip] [--level N] --root TREE
slipway-pack layer  --out DIR [--compression zstd|gzip] [--level N] --contents CONTENTS.json
slipway-pack layer  --out DIR [--compression zstd|gzip] [--level N] --system
                    [--account NAME=UID[:GID[:HOME]]]... [--certificates FILE_OR_DIR]...
slipway-pack image  --out DIR --config CONFIG.json --graph FILE... [--root TREE] [--layer DIR]...
                    [--contents CONTENTS.json --contents-layer DIR] [--base LAYOUT] [--max-layers N]
slipway-pack index  --out DIR LAYOUT...
slipway-pack unpack --platform OS/ARCHITECTURE LAYOUT DIR

layer   packs store paths, TREE to lie at /, what CONTENTS.json lists, or users, certificates and
        /tmp of a system into DIR/blob and DIR/layer.json
image   packs the closures in FILE... (from exportReferencesGraph) into an image layout, with
        what is in the store path TREE at /; a --layer is used if the closures hold all of it;
        at most N layers (100); CONTENTS.json is a store path whose layer becomes the last one, and
        what it lists is in the image only there; the layers of the image in LAYOUT lie below all
        others, and store paths that its history lists are not packed again
index   merges image layouts into one, for all their platforms
unpack  lays the layers of an image over each other in DIR";

pub enum Command {
    Help,
    Version,
    Layer {
        out: PathBuf,
        source: Source,
        compression: Compression,
    },
    Image(Image),
    Index {
        out: PathBuf,
        layouts: Vec<PathBuf>,
    },
    Unpack {
        platform: Platform,
        layout: PathBuf,
        directory: PathBuf,
    },
}

/// The content of a layer.
pub enum Source {
    StorePaths(Vec<StorePath>),
    Root(PathBuf),
    Contents(PathBuf),
    System(SystemFiles),
}

/// The parts of an image.
pub struct Image {
    pub out: PathBuf,
    pub config: PathBuf,
    pub graphs: Vec<PathBuf>,
    pub root: Option<StorePath>,
    pub layers: Vec<PathBuf>,
    pub contents: Option<ContentsLayer>,
    pub base: Option<PathBuf>,
    pub max_layers: usize,
}

/// What lies at paths outside the store, and its layer.
pub struct ContentsLayer {
    pub list: StorePath,
    pub layer: PathBuf,
}

pub fn parse(mut parser: Parser) -> Result<Command, lexopt::Error> {
    match parser.next()? {
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Help),
        Some(Arg::Short('V') | Arg::Long("version")) => Ok(Command::Version),
        Some(Arg::Value(name)) => match name.to_str() {
            Some("layer") => layer(parser),
            Some("image") => image(parser),
            Some("index") => index(parser),
            Some("unpack") => unpack(parser),
            _ => Err(format!("there is no command {name:?}").into()),
        },
        Some(other) => Err(other.unexpected()),
        None => Err("a command is missing".into()),
    }
}

fn layer(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut out = None;
    let mut root: Option<OsString> = None;
    let mut contents: Option<OsString> = None;
    let mut is_system = false;
    let mut system = SystemFiles::default();
    let mut method = Method::Zstd;
    let mut level = None;
    let mut paths = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("out") => out = Some(parser.value()?),
            Arg::Long("root") => root = Some(parser.value()?),
            Arg::Long("contents") => contents = Some(parser.value()?),
            Arg::Long("system") => is_system = true,
            Arg::Long("account") => system.accounts.push(parser.value()?.parse()?),
            Arg::Long("certificates") => system.certificates.push(parser.value()?.into()),
            Arg::Long("compression") => method = parser.value()?.parse()?,
            Arg::Long("level") => level = Some(parser.value()?.parse()?),
            Arg::Value(path) => paths.push(path.parse()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    let source = match (root, contents, is_system, paths.is_empty()) {
        (Some(tree), None, false, true) => Source::Root(tree.into()),
        (None, Some(list), false, true) => Source::Contents(list.into()),
        (None, None, true, true) => Source::System(system),
        (None, None, false, false) => Source::StorePaths(paths),
        (None, None, false, true) => {
            return Err("store paths, --root, --contents or --system are missing".into());
        }
        _ => {
            return Err("a layer has --root, --contents, --system or store paths, only one".into());
        }
    };
    Ok(Command::Layer {
        out: required("--out", out)?,
        source,
        compression: Compression::new(method, level).map_err(|error| error.to_string())?,
    })
}

fn image(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut out = None;
    let mut config = None;
    let mut graphs = Vec::new();
    let mut root = None;
    let mut layers = Vec::new();
    let mut contents = None;
    let mut contents_layer = None;
    let mut base = None;
    let mut max_layers = MAX_LAYERS;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("out") => out = Some(parser.value()?),
            Arg::Long("config") => config = Some(parser.value()?),
            Arg::Long("graph") => graphs.push(parser.value()?.into()),
            Arg::Long("root") => root = Some(parser.value()?.parse()?),
            Arg::Long("layer") => layers.push(parser.value()?.into()),
            Arg::Long("contents") => contents = Some(parser.value()?.parse()?),
            Arg::Long("contents-layer") => contents_layer = Some(parser.value()?.into()),
            Arg::Long("base") => base = Some(parser.value()?.into()),
            Arg::Long("max-layers") => max_layers = parser.value()?.parse()?,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if graphs.is_empty() {
        return Err("--graph is missing".into());
    }
    let contents = match (contents, contents_layer) {
        (Some(list), Some(layer)) => Some(ContentsLayer { list, layer }),
        (None, None) => None,
        _ => return Err("--contents and --contents-layer need each other".into()),
    };
    Ok(Command::Image(Image {
        out: required("--out", out)?,
        config: required("--config", config)?,
        graphs,
        root,
        layers,
        contents,
        base,
        max_layers,
    }))
}

fn index(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut out = None;
    let mut layouts = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("out") => out = Some(parser.value()?),
            Arg::Value(layout) => layouts.push(layout.into()),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if layouts.is_empty() {
        return Err("the layouts to merge are missing".into());
    }
    Ok(Command::Index {
        out: required("--out", out)?,
        layouts,
    })
}

fn unpack(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut platform = None;
    let mut places = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("platform") => platform = Some(parser.value()?.parse()?),
            Arg::Value(place) => places.push(PathBuf::from(place)),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    let platform = platform.ok_or("--platform is missing")?;
    match <[PathBuf; 2]>::try_from(places) {
        Ok([layout, directory]) => Ok(Command::Unpack {
            platform,
            layout,
            directory,
        }),
        Err(_) => Err("unpack takes a layout and a directory".into()),
    }
}

fn required(option: &str, value: Option<OsString>) -> Result<PathBuf, lexopt::Error> {
    value
        .map(PathBuf::from)
        .ok_or_else(|| format!("{option} is missing").into())
}
