//! The project on disk: its files, its Cargo workspace, its flake, and the user's cache.

pub mod base_images;
pub mod build_hints;
pub mod cargo;
pub mod git;
pub mod git_crates;
pub mod go;
pub mod go_modules;
pub mod known_files;
pub mod native_libraries;
pub mod package_sources;
pub mod platform_table;
pub mod seeds;
pub mod self_flake;
pub mod settings;
pub mod source_tree;
pub mod source_watch;
pub mod template;

use std::cell::OnceCell;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slipway_nix::Nix;

use crate::cli::temp_dir::TempDir;

/// A project: the directory that contains `slipway.toml`.
pub struct Project {
    pub root: PathBuf,
    /// A copy of the sources that Nix reads instead of the root, if one was made.
    sources: OnceCell<TempDir>,
}

impl Project {
    /// Searches `directory` and then each of its parents.
    pub fn find(directory: &Path) -> Result<Self> {
        let start = directory
            .canonicalize()
            .with_context(|| format!("the directory {} cannot be entered", directory.display()))?;
        match start
            .ancestors()
            .find(|candidate| candidate.join("slipway.toml").exists())
        {
            Some(root) => Ok(Self {
                root: root.to_owned(),
                sources: OnceCell::new(),
            }),
            None => bail!(
                "no slipway.toml in {} or above it; name the project with -C DIR",
                start.display()
            ),
        }
    }

    /// A project that `slipway init` writes, without slipway.toml yet.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            sources: OnceCell::new(),
        }
    }

    /// Finds Nix, and checks that it can read the project to build these installables.
    pub fn nix(&self, verbose: bool, installables: &[String]) -> Result<Nix> {
        let nix = Nix::find(&self.root, verbose)?;
        let sources = source_tree::prepare(&self.root, nix.version(), installables)?;
        Ok(match sources {
            Some(sources) => nix.in_directory(self.sources.get_or_init(|| sources).path()),
            None => nix,
        })
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("slipway.toml")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("slipway.lock")
    }
}

/// The cache directory, for files that can be fetched again (XDG Base Directory Specification).
pub fn cache() -> Result<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    match base {
        Some(base) => Ok(base.join("slipway")),
        None => bail!("there is no place for fetched files: set HOME or XDG_CACHE_HOME"),
    }
}
