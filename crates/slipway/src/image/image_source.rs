//! Resolves the image argument of a command. An image is named in the same way wherever it is: a
//! layout or an archive on disk, optionally with the name of one image in it; a flake output; or a
//! registry reference.

use std::path::Path;

use anyhow::{Context, Result, bail};
use slipway_oci::layout::oci_archive;
use slipway_oci::{Layout, Platform};
use slipway_registry::{Client, Contents, Reference};

use crate::cli::progress;
use crate::cli::registry;
use crate::cli::temp_dir::TempDir;
use crate::project::Project;
use crate::project::build_hints;
use crate::project::seeds;

/// The flake output that is used if no image is named.
pub const DEFAULT: &str = ".#image";

/// An image that is looked at, wherever it is.
#[derive(clap::Args)]
#[group(skip)]
pub struct Options {
    /// Image: a layout such as ./result, an archive, or a reference in a registry; add :NAME to a
    /// layout or archive with several images
    pub image: String,

    /// Look only at images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,

    #[command(flatten)]
    registry: registry::Options,
}

impl Options {
    pub fn open(&self, contents: Contents) -> Result<Source> {
        if place(&self.image).is_some() {
            return on_disk(&self.image);
        }
        let reference = self.image.parse().into_iter().collect::<Vec<_>>();
        anywhere(&self.image, &self.registry.client(&reference)?, contents)
    }
}

/// An image, opened as a layout.
pub struct Source {
    layout: Layout,
    /// The temporary directory of the layout, unless the source was a layout on disk.
    _temp_dir: Option<TempDir>,
}

impl Source {
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Whether the argument names a file or flake output on this machine rather than a registry
/// reference.
pub fn is_local(name: &str) -> bool {
    name.contains('#') || place(name).is_some()
}

/// Splits `PATH` or `PATH:NAME` into a file or directory and the name of an image in it.
fn place(word: &str) -> Option<(&Path, Option<&str>)> {
    if Path::new(word).exists() {
        return Some((Path::new(word), None));
    }
    let mut colons = word.match_indices(':');
    colons.find_map(|(at, _)| {
        let path = Path::new(&word[..at]);
        // Check for `oci-layout`, because a directory may have the same name as a registry.
        let has_images = path.is_file() || path.join("oci-layout").exists();
        has_images.then_some((path, Some(&word[at + 1..])))
    })
}

/// Opens a layout or an archive, or builds an installable.
pub fn local(
    name: &str,
    directory: &Path,
    verbose: bool,
    seeding: &seeds::Options,
) -> Result<Source> {
    match place(name) {
        None if name.contains('#') => build(name, directory, verbose, seeding),
        _ => on_disk(name),
    }
}

/// Opens a layout or an archive, or pulls from a registry.
pub fn anywhere(name: &str, client: &Client, contents: Contents) -> Result<Source> {
    if place(name).is_some() {
        return on_disk(name);
    }
    if name.contains('#') {
        bail!("{name} is what a flake gives; build it first, and name ./result");
    }
    if name.starts_with(['/', '.']) {
        bail!("there is no file or directory {name}");
    }
    let reference: Reference = name.parse().with_context(|| {
        format!("{name} is neither a file or directory here nor an image in a registry")
    })?;
    let temp_dir = TempDir::new()?;
    let layout = temp_dir.path().join("layout");
    Ok(Source {
        layout: slipway_registry::pull(
            client,
            &reference,
            contents,
            &layout,
            progress::for_stderr().as_ref(),
        )?,
        _temp_dir: Some(temp_dir),
    })
}

/// Opens a layout or an archive.
pub fn on_disk(word: &str) -> Result<Source> {
    let (path, name) = place(word).unwrap_or((Path::new(word), None));
    let (layout, temp_dir) = match path.is_file() {
        false => (Layout::open(path)?, None),
        true => {
            let temp_dir = TempDir::new()?;
            let layout = oci_archive::read(path, &temp_dir.path().join("layout"))?;
            (layout, Some(temp_dir))
        }
    };
    Ok(Source {
        layout: match name {
            Some(name) => layout.of_name(name)?,
            None => layout,
        },
        _temp_dir: temp_dir,
    })
}

fn build(
    installable: &str,
    directory: &Path,
    verbose: bool,
    seeding: &seeds::Options,
) -> Result<Source> {
    let project = Project::find(directory)?;
    let nix = project.nix(verbose, &[installable.to_owned()])?;
    let (plan, _) = seeding.seed(&nix, &project, &[installable.to_owned()])?;
    nix.build(&plan, progress::for_stderr().as_ref())
        .map_err(|error| build_hints::explain(error, &nix, &project, seeding))?;
    match &plan.targets[..] {
        [target] => on_disk(&target.output.to_string()),
        targets => bail!(
            "{installable} gives {} outputs, not one image",
            targets.len()
        ),
    }
}
