//! The installed Nix: its version, its setup, and the options that Slipway passes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use slipway_store_path::StorePath;

/// First version with flakes, as `MAJOR.MINOR`.
const OLDEST: (u32, u32) = (2, 4);

/// First version with `nix config show`.
const CONFIG_SHOW: (u32, u32) = (2, 20);

/// First version with `nix derivation show`.
const DERIVATION_SHOW: (u32, u32) = (2, 15);

/// First version with `DERIVATION^OUTPUT`. Before it, a derivation stands for its outputs.
const SELECTS_OUTPUTS: (u32, u32) = (2, 13);

/// A Nix installation that passed the checks, with the directory to run in.
#[derive(Debug)]
pub struct Nix {
    version: (u32, u32),
    directory: PathBuf,
    options: Vec<String>,
    /// The Nix expression whose attributes installables are, if it is not a flake's.
    pub(crate) expression: Option<String>,
    verbose: bool,
    /// The store directory, without a trailing slash.
    pub(crate) store: String,
}

/// How Nix is set up on the machine, for `slipway doctor`.
#[derive(Debug)]
pub struct Setup {
    /// `MAJOR.MINOR`
    pub version: (u32, u32),
    /// Whether the user's settings enable flakes. Slipway enables them for its own calls.
    pub flakes: bool,
    /// Whether the user's settings enable the sandbox.
    pub sandbox: bool,
    pub access: Access,
    /// The store directory.
    pub store: PathBuf,
}

/// How the store is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Through the daemon.
    Daemon,
    /// Directly, usually as root.
    Own,
}

impl Nix {
    /// Reads the user's setup, without the options that Slipway adds.
    pub fn setup(&self) -> Result<Setup, Error> {
        let words = self.words_for_settings();
        let own = self.text(&Call::new("nix").args(words));
        // `nix config show` itself needs the feature `nix-command`.
        let output = match &own {
            Ok((stdout, _)) => stdout.clone(),
            Err(_) => self.text(&Call::new("nix").args(features()).args(words))?.0,
        };
        let setting = |name: &str| {
            let line = output.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_start().strip_prefix('='))
                .unwrap_or_default()
        };
        let has = |feature: &str| {
            setting("experimental-features ")
                .split_whitespace()
                .any(|one| one == feature)
        };
        let daemon = state_directory().join("daemon-socket/socket").exists();
        let root = rustix::process::geteuid().is_root();
        Ok(Setup {
            version: self.version,
            flakes: own.is_ok() && has("nix-command") && has("flakes"),
            sandbox: setting("sandbox ").trim() == "true",
            access: if daemon && !root {
                Access::Daemon
            } else {
                Access::Own
            },
            store: PathBuf::from(&self.store),
        })
    }

    /// Finds Nix and checks that it is recent enough, that the store is writable and that there are
    /// build users. `directory` is the directory of the flake. With `verbose`, each call is printed
    /// before it runs.
    pub fn find(directory: impl Into<PathBuf>, verbose: bool) -> Result<Self, Error> {
        let (stdout, _) = Call::new("nix").arg("--version").text(None)?;
        let version = parse_version(&stdout).filter(|version| *version >= OLDEST);
        let Some(version) = version else {
            return Err(Error::TooOld(
                stdout
                    .split_whitespace()
                    .last()
                    .unwrap_or("of unknown version")
                    .into(),
            ));
        };
        let options = features().map(String::from).to_vec();
        let mut nix = Self {
            version,
            directory: directory.into(),
            options,
            expression: None,
            verbose,
            store: "/nix/store".into(),
        };
        let settings = nix.settings()?;
        check_store()?;
        check_build_users(&settings)?;
        nix.options.extend(nix.options_for(&settings));
        if let Ok(store) = std::env::var("NIX_STORE_DIR") {
            nix.store = store;
        }
        Ok(nix)
    }

    /// Changes the directory that relative flake references are resolved from.
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Makes installables attributes of a Nix expression. It must not depend on the environment.
    pub fn of_expression(mut self, expression: String) -> Self {
        self.expression = Some(expression);
        self
    }

    /// `MAJOR.MINOR`
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    fn words_for_settings(&self) -> &'static [&'static str] {
        if self.version >= CONFIG_SHOW {
            &["config", "show"]
        } else {
            &["show-config"]
        }
    }

    fn settings(&self) -> Result<Value, Error> {
        let words = self.words_for_settings();
        let call = Call::new("nix")
            .args(&self.options)
            .args(words)
            .arg("--json");
        let (stdout, _) = self.text(&call)?;
        serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))
    }

    fn options_for(&self, settings: &Value) -> Vec<String> {
        let mut options = Vec::new();
        let mut option = |name: &str, value: &str| {
            options.extend(["--option", name, value].map(String::from));
        };
        // Nix downloads the flake registry even for a flake without inputs.
        option("flake-registry", "");
        // The public cache has no outputs of a Slipway flake, and querying it offline takes
        // seconds. Keep caches that the user configured.
        let substituters = &settings["substituters"];
        if substituters["value"] == substituters["defaultValue"] {
            option("substituters", "");
        }
        // For other users, the daemon decides.
        let is_root = rustix::process::geteuid().is_root();
        if is_root && settings["sandbox"]["value"] != Value::Bool(true) {
            option("sandbox", "true");
        }
        options
    }

    /// A call of `nix` with the usual options.
    pub(crate) fn nix(&self) -> Call {
        Call::new("nix").args(&self.options)
    }

    /// The call that shows derivations in this version.
    pub(crate) fn show_derivation(&self) -> Call {
        if self.version >= DERIVATION_SHOW {
            self.nix().args(["derivation", "show"])
        } else {
            self.nix().arg("show-derivation")
        }
    }

    /// The installable of a derivation's output `out` in this version.
    pub(crate) fn output_of(&self, derivation: &StorePath) -> String {
        if self.version >= SELECTS_OUTPUTS {
            format!("{derivation}^out")
        } else {
            derivation.to_string()
        }
    }

    /// Prints the call in verbose mode.
    pub(crate) fn announce(&self, call: &Call) {
        if self.verbose {
            eprintln!("$ {call}");
        }
    }

    pub(crate) fn text(&self, call: &Call) -> Result<(String, String), Error> {
        self.announce(call);
        call.text(Some(&self.directory))
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Parses the output of `nix --version`, such as `nix (Nix) 2.8.0`, and that of forks.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let version = text.split_whitespace().last()?;
    let mut numbers = version.split('.').map(|part| {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..end].parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

/// The options that enable the features Slipway uses.
fn features() -> [&'static str; 2] {
    ["--extra-experimental-features", "nix-command flakes"]
}

fn state_directory() -> PathBuf {
    let set = std::env::var_os("NIX_STATE_DIR");
    set.map_or_else(|| "/nix/var/nix".into(), PathBuf::from)
}

fn check_store() -> Result<(), Error> {
    let state = state_directory();
    let writable = rustix::fs::access(state.join("db"), rustix::fs::Access::WRITE_OK).is_ok();
    let chosen_otherwise = std::env::var_os("NIX_REMOTE").is_some_and(|value| !value.is_empty());
    let daemon = state.join("daemon-socket/socket").exists();
    // Root creates a missing store.
    if writable || daemon || chosen_otherwise || rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(Error::NoDaemon)
    }
}

fn check_build_users(settings: &Value) -> Result<(), Error> {
    let group = settings["build-users-group"]["value"]
        .as_str()
        .unwrap_or_default();
    if group.is_empty() || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    match fs::read_to_string("/etc/group") {
        Ok(groups) if !has_members(&groups, group) => Err(Error::NoBuildUsers(group.into())),
        // The group may come from another source, so leave the check to Nix.
        _ => Ok(()),
    }
}

/// Whether a group of `/etc/group` (group(5)) has members.
fn has_members(groups: &str, group: &str) -> bool {
    groups.lines().any(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        fields.first() == Some(&group)
            && fields
                .get(3)
                .is_some_and(|members| !members.trim().is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nix() -> Nix {
        Nix {
            version: (2, 8),
            directory: ".".into(),
            expression: None,
            options: vec![],
            verbose: false,
            store: "/nix/store".into(),
        }
    }

    #[test]
    fn parses_versions_of_nix_and_its_forks() {
        for (text, version) in [
            ("nix (Nix) 2.8.0\n", Some((2, 8))),
            ("nix (Nix) 2.26.3pre20250101_abc", Some((2, 26))),
            ("nix (Determinate Nix 3.5.2) 2.28.3", Some((2, 28))),
            ("nix (Lix, like Nix) 2.91.1", Some((2, 91))),
            ("nix", None),
        ] {
            assert_eq!(parse_version(text), version, "{text}");
        }
        assert!(parse_version("nix (Nix) 2.3.16").unwrap() < OLDEST);
    }

    #[test]
    fn disables_the_public_cache_but_keeps_configured_ones() {
        let default = json!(["https://cache.example"]);
        let silent = json!({"substituters": {"value": default, "defaultValue": default}, "sandbox": {"value": true}});
        assert!(
            nix()
                .options_for(&silent)
                .join(" ")
                .contains("--option substituters ")
        );
        let own =
            json!({"substituters": {"value": ["http://own.example"], "defaultValue": default}});
        assert!(!nix().options_for(&own).join(" ").contains("substituters"));
    }

    #[test]
    fn a_build_group_needs_members() {
        let groups = "root:x:0:\nnixbld:x:994:nixbld1,nixbld2\nempty:x:9:\n";
        assert!(has_members(groups, "nixbld"));
        assert!(
            !has_members(groups, "empty")
                && !has_members(groups, "root")
                && !has_members(groups, "other")
        );
    }
}
