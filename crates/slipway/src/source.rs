//! An image that a command works on is named in one way, wherever it is: a layout or an archive on
//! disk, what a flake gives, or a reference in a registry.

use std::path::Path;
use std::slice;

use anyhow::{Context, Result, bail};
use slipway_nix::{Nix, progress};
use slipway_oci::layout::archive;
use slipway_oci::{Layout, Platform};
use slipway_registry::{Contents, Reference};

use crate::project::Project;
use crate::registry;
use crate::scratch::Scratch;
use crate::seed;

/// What is meant where no image is named.
pub const DEFAULT: &str = ".#image";

/// An image that is looked at, wherever it is.
#[derive(clap::Args)]
#[group(skip)]
pub struct Options {
    /// The image: a layout such as ./result, an archive, or a reference in a registry
    image: String,

    /// Only the images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,

    #[command(flatten)]
    registry: registry::Options,
}

impl Options {
    pub fn open(&self, contents: Contents) -> Result<Source> {
        anywhere(&self.image, &self.registry, contents)
    }
}

/// The image, as a layout.
pub struct Source {
    layout: Layout,
    /// Where it was put, if it was no layout before.
    _scratch: Option<Scratch>,
}

impl Source {
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Whether a word means something on this machine, and not in a registry.
pub fn is_local(name: &str) -> bool {
    name.contains('#') || Path::new(name).exists()
}

/// Opens a layout or an archive, or builds an installable.
pub fn local(
    name: &str,
    directory: &Path,
    verbose: bool,
    seeding: &seed::Options,
) -> Result<Source> {
    match name.contains('#') && !Path::new(name).exists() {
        true => build(name, directory, verbose, seeding),
        false => on_disk(Path::new(name)),
    }
}

/// Opens a layout or an archive, or pulls from a registry.
fn anywhere(name: &str, registry: &registry::Options, contents: Contents) -> Result<Source> {
    if Path::new(name).exists() {
        return on_disk(Path::new(name));
    }
    if name.contains('#') {
        bail!("{name} is what a flake gives; build it first, and name ./result");
    }
    if name.starts_with(['/', '.']) {
        bail!("there is no file or directory {name}");
    }
    let reference: Reference = name.parse().with_context(|| {
        format!("{name} is no file or directory here, and no image in a registry")
    })?;
    let scratch = Scratch::new()?;
    let layout = scratch.path().join("layout");
    Ok(Source {
        layout: slipway_registry::pull(
            &registry.client(slice::from_ref(&reference))?,
            &reference,
            contents,
            &layout,
        )?,
        _scratch: Some(scratch),
    })
}

fn on_disk(path: &Path) -> Result<Source> {
    if !path.is_file() {
        return Ok(Source {
            layout: Layout::open(path)?,
            _scratch: None,
        });
    }
    let scratch = Scratch::new()?;
    Ok(Source {
        layout: archive::read(path, &scratch.path().join("layout"))?,
        _scratch: Some(scratch),
    })
}

fn build(
    installable: &str,
    directory: &Path,
    verbose: bool,
    seeding: &seed::Options,
) -> Result<Source> {
    let project = Project::find(directory)?;
    let nix = Nix::find(&project.root, verbose)?;
    let (plan, _) = seeding.seed(&nix, &project, &[installable.to_owned()])?;
    nix.build(&plan, progress::for_stderr().as_ref())?;
    match &plan.targets[..] {
        [target] => on_disk(target.output.as_path()),
        targets => bail!(
            "{installable} gives {} outputs, not one image",
            targets.len()
        ),
    }
}
