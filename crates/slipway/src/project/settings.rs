//! Settings of a user or a system for all projects. They are read from `slipway/slipway.toml` in
//! the configuration directories (XDG Base Directory Specification), and from
//! `/etc/slipway/slipway.toml`.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use slipway_debian::config::one_line;
use slipway_debian::mirrors::Wanted;

/// The content of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Mirrors of Debian's archive.
    #[serde(default)]
    mirrors: Vec<String>,
    /// Mirrors of Debian's security archive, if they are not on the same hosts as `mirrors`.
    #[serde(default)]
    security_mirrors: Vec<String>,
}

/// The mirrors in the first settings file that names any.
pub fn mirrors() -> Result<Option<Wanted>> {
    for file in files() {
        let settings = read(&file)?.unwrap_or_default();
        if !settings.mirrors.is_empty() {
            return Ok(Some(Wanted {
                main: settings.mirrors,
                security: settings.security_mirrors,
            }));
        }
    }
    Ok(None)
}

/// The user's settings file, then those of the system.
fn files() -> Vec<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let set = |name: &str| env::var_os(name).map(PathBuf::from).and_then(absolute);
    let user = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let system = env::var_os("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let system: Vec<PathBuf> = env::split_paths(&system).filter_map(absolute).collect();
    user.into_iter()
        .chain(system)
        .chain([PathBuf::from("/etc")])
        .map(|directory| directory.join("slipway/slipway.toml"))
        .collect()
}

fn read(file: &Path) -> Result<Option<Settings>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
    };
    let settings = toml::from_str(&text)
        .map_err(|e| anyhow!("{}: {}", file.display(), one_line(&text, &e)))?;
    Ok(Some(settings))
}
