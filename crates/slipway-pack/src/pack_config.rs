//! Reads the JSON file that describes an image. Unknown fields are an error: ignoring a misspelled
//! field would produce an incomplete image.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use slipway_oci::config::{self, RuntimeConfig};
use slipway_oci::healthcheck::HealthcheckOptions;
use slipway_oci::{Compression, Error, Platform, Timestamp};

/// A validated CONFIG.json.
pub struct PackConfig {
    pub platform: Platform,
    pub runtime: RuntimeConfig,
    pub annotations: BTreeMap<String, String>,
    pub created: Timestamp,
    pub compression: Compression,
}

/// CONFIG.json as written; only `platform` is required.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    platform: String,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// `80/tcp`; without a protocol, TCP.
    #[serde(default)]
    expose: Vec<String>,
    user: Option<String>,
    workdir: Option<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(rename = "stopSignal")]
    stop_signal: Option<String>,
    healthcheck: Option<HealthcheckOptions>,
    #[serde(default)]
    shell: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// Seconds since the epoch.
    created: Option<u32>,
    compression: Option<String>,
    level: Option<i32>,
}

impl PackConfig {
    pub fn read(path: &Path) -> Result<PackConfig, Error> {
        let fields: Fields =
            serde_json::from_str(&super::read(path)?).map_err(|source| Error::Json {
                what: path.display().to_string(),
                source,
            })?;
        let method = fields.compression.as_deref().unwrap_or("zstd").parse()?;
        if let Some(name) = fields.env.keys().find(|name| name.contains('=')) {
            return Err(Error::Config {
                what: name.clone(),
                reason: "is not the name of a variable",
            });
        }
        let variable = |(name, value)| format!("{name}={value}");
        let runtime = RuntimeConfig {
            user: fields.user,
            env: fields.env.into_iter().map(variable).collect(),
            entrypoint: fields.entrypoint,
            cmd: fields.cmd,
            working_dir: fields.workdir,
            labels: fields.labels,
            exposed_ports: config::ports(&fields.expose)?,
            volumes: config::volumes(&fields.volumes),
            stop_signal: fields.stop_signal,
            healthcheck: fields
                .healthcheck
                .map(|options| options.healthcheck())
                .transpose()?,
            shell: fields.shell,
        };
        runtime.check()?;
        Ok(PackConfig {
            platform: fields.platform.parse()?,
            runtime,
            annotations: fields.annotations,
            created: fields
                .created
                .map_or_else(Timestamp::default, Timestamp::from_unix_seconds),
            compression: Compression::new(method, fields.level)?,
        })
    }
}
