//! Where things are: the project's files and the user's cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A project: the directory that holds `slipway.toml`.
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// Looks in `directory` and then in each one above it.
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
            }),
            None => bail!(
                "no slipway.toml in {} or above it; name the project with -C DIR",
                start.display()
            ),
        }
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("slipway.toml")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("slipway.lock")
    }
}

/// The directory for what can be fetched again (XDG Base Directory Specification).
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
