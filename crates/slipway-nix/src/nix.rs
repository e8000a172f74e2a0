//! The Nix that this machine has: its version, how it is set up, and what to pass so that it serves
//! Slipway.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::call::Call;
use crate::error::Error;

/// `MAJOR.MINOR` of the first version that has flakes.
const OLDEST: (u32, u32) = (2, 4);

/// The version from which on the settings are shown by `nix config show`.
const CONFIG_SHOW: (u32, u32) = (2, 20);

/// The version from which on derivations are shown by `nix derivation show`.
const DERIVATION_SHOW: (u32, u32) = (2, 15);

/// A Nix that was found fit; runs in one directory.
#[derive(Debug)]
pub struct Nix {
    version: (u32, u32),
    directory: PathBuf,
    options: Vec<String>,
    verbose: bool,
    /// Directory of the store, without a slash at the end.
    pub(crate) store: String,
}

/// How the machine's Nix is set up, for who wants to know.
#[derive(Debug)]
pub struct Setup {
    /// `MAJOR.MINOR`
    pub version: (u32, u32),
    /// Whether the user's settings have what Slipway otherwise turns on for each call.
    pub flakes: bool,
    /// Whether the user's settings build in a sandbox.
    pub sandbox: bool,
    pub access: Access,
    /// Directory of the store.
    pub store: PathBuf,
}

/// By what right the store is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A daemon does it.
    Daemon,
    /// The user's own: root's mostly.
    Own,
}

impl Nix {
    /// What is set up, without what Slipway adds to it.
    pub fn setup(&self) -> Result<Setup, Error> {
        let words = self.words_for_settings();
        let own = self.text(&Call::new("nix").args(words));
        // Without `nix-command` Nix does not even show its settings.
        let shown = match &own {
            Ok((stdout, _)) => stdout.clone(),
            Err(_) => self.text(&Call::new("nix").args(features()).args(words))?.0,
        };
        let setting = |name: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(name));
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

    /// Finds Nix and checks that it can build: that it is new enough, that the store can be
    /// written, that there are build users. `directory` is where the flake is; with `verbose` each
    /// call is printed before it is made.
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
        // A flake without inputs asks no registry, but Nix would download it all the same.
        option("flake-registry", "");
        // Nothing of a Slipway flake is in the public cache, and offline asking it costs seconds.
        // Caches that somebody set up are another matter.
        let substituters = &settings["substituters"];
        if substituters["value"] == substituters["defaultValue"] {
            option("substituters", "");
        }
        // For others than root the daemon decides.
        let is_root = rustix::process::geteuid().is_root();
        if is_root && settings["sandbox"]["value"] != Value::Bool(true) {
            option("sandbox", "true");
        }
        options
    }

    /// A call of `nix` with the options that it always gets.
    pub(crate) fn nix(&self) -> Call {
        Call::new("nix").args(&self.options)
    }

    /// The word that shows derivations in this version.
    pub(crate) fn show_derivation(&self) -> Call {
        if self.version >= DERIVATION_SHOW {
            self.nix().args(["derivation", "show"])
        } else {
            self.nix().arg("show-derivation")
        }
    }

    /// Prints the call if that was asked for.
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

/// Reads `nix (Nix) 2.8.0`, and what its relatives print.
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

/// The options that turn on what Slipway uses of Nix.
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
    // Root makes the store when it is not there yet.
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
        // Groups may come from elsewhere; then Nix itself is to judge.
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
            options: vec![],
            verbose: false,
            store: "/nix/store".into(),
        }
    }

    #[test]
    fn the_version_is_read_from_nix_and_its_relatives() {
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
    fn the_public_cache_is_not_asked_but_one_that_was_set_up_is() {
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
    fn a_group_counts_when_it_has_members() {
        let groups = "root:x:0:\nnixbld:x:994:nixbld1,nixbld2\nempty:x:9:\n";
        assert!(has_members(groups, "nixbld"));
        assert!(
            !has_members(groups, "empty")
                && !has_members(groups, "root")
                && !has_members(groups, "other")
        );
    }
}
