//! Image configs.
//!
//! An engine runs an image according to its config. The digest of the config is the image ID, so
//! the config holds nothing that differs between builds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use slipway_store_path::BadStorePath;

use crate::healthcheck::Healthcheck;
use crate::{Digest, Error, Layer, Platform, Result, StorePath, Timestamp, null};

/// An image config. Source: OCI image-spec, config.md, "Properties".
///
/// Fields that Slipway does not write are ignored when reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339, as printed by [`Timestamp`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(flatten)]
    pub platform: Platform,
    #[serde(default, deserialize_with = "null::or_default")]
    pub config: RuntimeConfig,
    pub rootfs: RootFs,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub history: Vec<History>,
}

/// How to run a container of the image. Source: OCI image-spec, config.md, `config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RuntimeConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `NAME=value`, sorted.
    #[serde(
        skip_serializing_if = "is_empty",
        deserialize_with = "null::or_default"
    )]
    pub env: Vec<String>,
    #[serde(
        skip_serializing_if = "is_empty",
        deserialize_with = "null::or_default"
    )]
    pub entrypoint: Vec<String>,
    #[serde(
        skip_serializing_if = "is_empty",
        deserialize_with = "null::or_default"
    )]
    pub cmd: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub labels: BTreeMap<String, String>,
    /// `80/tcp`, sorted. In JSON the ports are keys of empty objects.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub exposed_ports: BTreeMap<String, Nothing>,
    /// Directories that engines mount a volume on, sorted. In JSON they are keys of empty objects.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub volumes: BTreeMap<String, Nothing>,
    /// The signal that ends the program: `SIGTERM`, or its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Docker's field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The shell of `CMD-SHELL` health checks and of builds on this image. Docker's field.
    #[serde(
        skip_serializing_if = "is_empty",
        deserialize_with = "null::or_default"
    )]
    pub shell: Vec<String>,
}

/// An empty JSON object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

fn is_empty(list: &[String]) -> bool {
    list.is_empty()
}

/// The layers' DiffIDs, lowest first. Source: OCI image-spec, config.md, `rootfs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "null::or_default")]
    pub diff_ids: Vec<Digest>,
}

/// How a layer was created. Source: OCI image-spec, config.md, `history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// This step created no layer.
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "null::or_default"
    )]
    pub empty_layer: bool,
}

/// Whether a label is written as an annotation, too.
pub(crate) fn is_public(label: &str) -> bool {
    label.starts_with("org.opencontainers.")
}

/// Parses ports for [`RuntimeConfig::exposed_ports`]: `80`, which means TCP, or `53/udp`.
pub fn ports(ports: &[String]) -> Result<BTreeMap<String, Nothing>> {
    let port = |text: &String| {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let known = ["tcp", "udp", "sctp"].contains(&protocol);
        match number.parse::<u16>() {
            Ok(number) if known && number > 0 => Ok((format!("{number}/{protocol}"), Nothing {})),
            _ => Err(Error::Config {
                what: text.clone(),
                reason: "is not a port, such as 80, 80/tcp or 53/udp",
            }),
        }
    };
    ports.iter().map(port).collect()
}

/// Makes [`RuntimeConfig::volumes`] of paths.
pub fn volumes(paths: &[String]) -> BTreeMap<String, Nothing> {
    let volume = |path: &String| (path.clone(), Nothing {});
    paths.iter().map(volume).collect()
}

/// The signals of Linux by number, from 1. Source: signal(7).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The number of the last real-time signal.
const LAST_SIGNAL: u8 = 64;

/// Whether `text` is a signal as the OCI image-spec has it: `SIGNAME`, `SIGRTMIN+3` or a number.
fn is_signal(text: &str) -> bool {
    match text.strip_prefix("SIG") {
        Some("RTMIN" | "RTMAX") => true,
        Some(name) => match name.strip_prefix("RTMIN+").or(name.strip_prefix("RTMAX-")) {
            Some(offset) => offset.parse::<u8>().is_ok_and(|offset| offset <= 30),
            None => SIGNALS.contains(&name),
        },
        None => text
            .parse::<u8>()
            .is_ok_and(|number| (1..=LAST_SIGNAL).contains(&number)),
    }
}

impl RuntimeConfig {
    /// This config for an image on a base. The base's settings remain, and this config's replace
    /// them or add to them. What describes the base does not remain: how its program is started, and
    /// labels that begin with `org.opencontainers.`.
    #[must_use]
    pub fn over(mut self, base: &RuntimeConfig) -> RuntimeConfig {
        let name = |variable: &String| variable.split('=').next().map(str::to_owned);
        let own: BTreeSet<_> = self.env.iter().map(name).collect();
        let inherited = base.env.iter().filter(|it| !own.contains(&name(it)));
        self.env.extend(inherited.cloned().collect::<Vec<_>>());
        self.env.sort();
        let mut labels = base.labels.clone();
        labels.retain(|name, _| !is_public(name));
        labels.append(&mut self.labels);
        self.labels = labels;
        self.exposed_ports.extend(base.exposed_ports.clone());
        self.volumes.extend(base.volumes.clone());
        self.stop_signal = self.stop_signal.or(base.stop_signal.clone());
        self.healthcheck = self.healthcheck.or(base.healthcheck.clone());
        if self.shell.is_empty() {
            self.shell.clone_from(&base.shell);
        }
        self
    }

    /// Rejects values that an engine would only reject when it starts the container.
    pub fn check(&self) -> Result<()> {
        let fault = |what: &str, reason| {
            Err(Error::Config {
                what: what.to_owned(),
                reason,
            })
        };
        for variable in &self.env {
            if !variable.contains('=') || variable.starts_with('=') {
                return fault(variable, "is not NAME=value");
            }
        }
        if let Some(directory) = &self.working_dir {
            if !directory.starts_with('/') {
                return fault(directory, "the working directory must be an absolute path");
            }
        }
        for volume in self.volumes.keys() {
            if !volume.starts_with('/') || volume.contains(':') {
                return fault(volume, "a volume must be an absolute path without a colon");
            }
        }
        if let Some(signal) = &self.stop_signal {
            if !is_signal(signal) {
                return fault(signal, "is not a signal, such as SIGINT or 2");
            }
        }
        let words = self.env.iter().chain(&self.entrypoint).chain(&self.cmd);
        let words = words.chain(&self.shell);
        for word in words.chain(&self.user).chain(&self.working_dir) {
            if word.contains('\0') {
                return fault(word, "no process can be given a zero byte");
            }
        }
        Ok(())
    }
}

impl ImageConfig {
    /// The config of an image with these layers, lowest first.
    pub fn new(
        platform: Platform,
        config: RuntimeConfig,
        created: Timestamp,
        layers: &[Layer],
    ) -> Result<ImageConfig> {
        config.check()?;
        let created = created.to_string();
        let history = |layer: &Layer| History {
            created: Some(created.clone()),
            created_by: Some(origin(layer)),
            ..History::default()
        };
        Ok(ImageConfig {
            platform,
            config,
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: layers.iter().map(|layer| layer.diff_id).collect(),
            },
            history: layers.iter().map(history).collect(),
            created: Some(created),
        })
    }

    /// The steps of the history that made the layers, lowest first. `None` if the history does not
    /// match the number of layers. Source: OCI image-spec, config.md, `history` and `empty_layer`.
    pub fn steps(&self) -> Option<Vec<&History>> {
        let steps: Vec<&History> = self.history.iter().filter(|it| !it.empty_layer).collect();
        (steps.len() == self.rootfs.diff_ids.len()).then_some(steps)
    }

    /// The store paths in the layers, as far as the history lists them.
    pub fn store_paths(&self) -> BTreeSet<StorePath> {
        let steps = self.steps().into_iter().flatten();
        steps.flat_map(History::store_paths).collect()
    }
}

/// What begins the list of store paths in `created_by`.
const CREATED_BY: &str = "slipway-pack: ";

fn origin(layer: &Layer) -> String {
    let paths: Vec<&str> = layer.paths.iter().map(|path| path.as_str()).collect();
    match paths[..] {
        [] => format!("{CREATED_BY}files at /"),
        _ => format!("{CREATED_BY}{}", paths.join(" ")),
    }
}

impl History {
    /// Whether Slipway made the layer.
    pub fn is_own(&self) -> bool {
        let created_by = self.created_by.as_deref();
        created_by.is_some_and(|text| text.starts_with(CREATED_BY))
    }

    /// What was done, in the words of the tool that did it.
    pub fn text(&self) -> &str {
        let created_by = self.created_by.as_deref().unwrap_or_default();
        match created_by {
            "" => self.comment.as_deref().unwrap_or_default(),
            _ => created_by.strip_prefix(CREATED_BY).unwrap_or(created_by),
        }
    }

    /// The store paths of the layer, if the step lists them. Slipway writes `slipway-pack: PATH
    /// PATH` to `created_by`; dockerTools in nixpkgs writes `store paths: ['PATH', …]` to `comment`.
    pub fn store_paths(&self) -> Vec<StorePath> {
        let created_by = self.created_by.as_deref().unwrap_or_default();
        let comment = self.comment.as_deref().unwrap_or_default();
        let list = created_by
            .strip_prefix(CREATED_BY)
            .or_else(|| comment.strip_prefix("store paths: "))
            .unwrap_or_default();
        let words = list.split(|c: char| c.is_whitespace() || "[]',\"".contains(c));
        let words = words.filter(|word| !word.is_empty());
        let paths: std::result::Result<_, BadStorePath> = words.map(str::parse).collect();
        // What is not a list of store paths lists none.
        paths.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(runtime: RuntimeConfig) -> Result<ImageConfig> {
        let platform = "linux/arm64".parse().unwrap();
        ImageConfig::new(platform, runtime, Timestamp::default(), &[])
    }

    #[test]
    fn the_smallest_config_has_only_the_required_fields() {
        let json = serde_json::to_string(&config(RuntimeConfig::default()).unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"created":"1970-01-01T00:00:01Z","architecture":"arm64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#
        );
    }

    #[test]
    fn reads_configs_of_other_tools() {
        let json = r#"{"author":"x","created":"2024-01-01T00:00:00.5+02:00","architecture":"amd64",
            "os":"linux","config":{"Env":["PATH=/bin"],"Cmd":null,"Labels":null,"ExposedPorts":{"80/tcp":{}}},
            "rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"x","empty_layer":true}]}"#;
        let config: ImageConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.platform, "linux/amd64".parse().unwrap());
        assert_eq!(config.config.env, ["PATH=/bin"]);
    }

    #[test]
    fn reads_nulls_and_empty_platforms_of_other_tools() {
        let json = r#"{"created":null,"architecture":"","os":null,"config":null,
            "rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config: ImageConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.platform, "unknown/unknown".parse().unwrap());
        assert!(config.rootfs.diff_ids.is_empty() && config.history.is_empty());
        let json = r#"{"architecture":"x86_64","os":"linux","config":{"User":null,"Env":null},
            "rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config: ImageConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.platform, "linux/amd64".parse().unwrap());
    }

    #[test]
    fn ports_default_to_tcp() {
        let exposed = ports(&["8080".to_owned(), "53/udp".to_owned()]).unwrap();
        let json = serde_json::to_string(&exposed).unwrap();
        assert_eq!(json, r#"{"53/udp":{},"8080/tcp":{}}"#);
        for bad in ["", "http", "0", "65536", "80/", "80/http", "80-90"] {
            assert!(ports(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn rejects_configs_that_cannot_start() {
        let env = |variable: &str| RuntimeConfig {
            env: vec![variable.to_owned()],
            ..RuntimeConfig::default()
        };
        let workdir = RuntimeConfig {
            working_dir: Some("srv".to_owned()),
            ..RuntimeConfig::default()
        };
        let volume = |path: &str| RuntimeConfig {
            volumes: volumes(&[path.to_owned()]),
            ..RuntimeConfig::default()
        };
        let volumes = [volume("data"), volume("/data:ro"), volume("")];
        let configs = [env("A"), env("=b"), env("A=\0"), workdir];
        for runtime in configs.into_iter().chain(volumes) {
            assert!(config(runtime).is_err());
        }
    }

    #[test]
    fn volumes_signals_and_shells_are_written_as_engines_read_them() {
        let runtime = RuntimeConfig {
            volumes: volumes(&["/var/lib/app".to_owned(), "/data".to_owned()]),
            stop_signal: Some("SIGINT".to_owned()),
            shell: vec!["/bin/sh".to_owned(), "-c".to_owned()],
            ..RuntimeConfig::default()
        };
        runtime.check().unwrap();
        assert_eq!(
            serde_json::to_string(&runtime).unwrap(),
            r#"{"Volumes":{"/data":{},"/var/lib/app":{}},"StopSignal":"SIGINT","Shell":["/bin/sh","-c"]}"#
        );
    }

    #[test]
    fn signals_are_names_or_numbers() {
        for signal in [
            "SIGTERM",
            "SIGRTMIN+3",
            "SIGRTMAX-14",
            "SIGRTMIN",
            "1",
            "64",
        ] {
            assert!(is_signal(signal), "{signal}");
        }
        for bad in [
            "",
            "TERM",
            "sigterm",
            "SIGNONE",
            "0",
            "65",
            "-1",
            "SIGRTMIN+31",
        ] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
