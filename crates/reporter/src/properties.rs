//! Properties of librdkafka, set as usual in Kubernetes: with environment variables, and with
//! secrets in files.
//!
//! Misspelt properties must not be ignored, especially not those that affect security. Therefore
//! librdkafka validates every name and value before anything starts, and all errors are reported at
//! once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::config::ClientConfig;

use crate::hosts::Hosts;
use crate::kubernetes_service_env;
use crate::librdkafka::{self, BROKERS, is_known};

/// Prefix of variables for properties: `KAFKA_SASL_USERNAME` is `sasl.username`.
const PREFIX: &str = "KAFKA_";

/// Suffix of a property name whose value is read from a file.
const OF_FILE: &str = ".file";

/// The reporter's defaults where they differ from librdkafka's.
const DEFAULTS: [(&str, &str); 5] = [
    ("client.id", "reporter"),
    // Retries neither duplicate nor reorder messages.
    ("enable.idempotence", "true"),
    // The queue size limits the waiting messages, not their age: each message contains its own
    // time.
    ("message.timeout.ms", "0"),
    // 14 hours of messages at one per 5 s, a few megabytes.
    ("queue.buffering.max.messages", "10000"),
    // Notice a returning broker within seconds.
    ("reconnect.backoff.max.ms", "2000"),
];

/// Rejected properties, which would break the reporter's guarantees or have no effect, and the
/// reason.
const REFUSED: [(&str, &str); 4] = [
    (
        "delivery.report.only.error",
        "the reporter counts what was delivered",
    ),
    ("log.queue", "the reporter takes the log from there"),
    ("log_level", "RUST_LOG sets the level"),
    ("transactional.id", "the reporter does not use transactions"),
];

/// Substrings of the names of secret properties.
const SECRET: [&str; 5] = [
    "password",
    "passphrase",
    "secret",
    "key.pem",
    "oauthbearer.config",
];

/// Reports whether a property's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// The value of a property and its source.
#[derive(Clone, Debug)]
pub struct Setting {
    pub value: String,
    /// Source of the value, as the user would find it: a variable, an option, a line of a file.
    pub origin: String,
}

/// Properties by canonical name, validated by librdkafka.
#[derive(Clone, Debug, Default)]
pub struct Properties(BTreeMap<String, Setting>);

/// A name and a value as written by the user, not validated yet.
#[derive(Debug)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    pub origin: String,
}

/// The properties of librdkafka that have defaults.
pub struct Known(BTreeMap<String, String>);

impl Known {
    pub fn new() -> Result<Self> {
        Ok(Self(
            librdkafka::defaults().context("librdkafka does not tell its properties")?,
        ))
    }

    /// Returns the name and default of each property.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Validates an assignment and returns the canonical name and the value, which may be read from
    /// a file.
    fn check(
        &self,
        Assignment {
            name,
            value,
            origin,
        }: Assignment,
    ) -> Result<(String, Setting)> {
        let (name, setting) = match name.strip_suffix(OF_FILE) {
            Some(stem) if !is_known(&name) && is_known(stem) => {
                let value = secret(Path::new(&value)).with_context(|| origin.clone())?;
                (stem.to_owned(), Setting { value, origin })
            }
            _ => (name, Setting { value, origin }),
        };
        let origin = &setting.origin;
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| same(refused, &name)) {
            bail!("{origin} sets {name}, and {reason}; remove it");
        }
        if !is_known(&name) {
            let meant = self.nearest(&name).map_or_else(
                || "see librdkafka's CONFIGURATION.md".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            bail!(
                "{origin}: librdkafka has no property `{}`; {meant}",
                name.escape_debug()
            );
        }
        librdkafka::check(&name, &setting.value).map_err(|reason| {
            if is_secret(&name) {
                anyhow!("{origin}: librdkafka does not take this value of {name}")
            } else {
                anyhow!("{origin}: {reason}")
            }
        })?;
        Ok((librdkafka::canonical(&name).to_owned(), setting))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let distance = |known: &str| strsim::damerau_levenshtein(known, name);
        let names = self.0.keys().map(String::as_str);
        names
            .chain(librdkafka::well_known_names())
            .map(|known| (distance(known), known))
            .min()
            .filter(|(distance, _)| *distance <= 3)
            .map(|(_, known)| known)
    }
}

/// Compares names without distinguishing `.` and `_`: the variable KAFKA_LOG_LEVEL yields
/// `log.level` for `log_level`.
fn same(one: &str, other: &str) -> bool {
    one.replace('_', ".") == other.replace('_', ".")
}

impl Properties {
    /// Returns the reporter's defaults. `statistics` enables librdkafka's statistics, for metrics.
    pub fn of_the_reporter(statistics: bool) -> Self {
        let of_statistics = statistics.then_some(("statistics.interval.ms", "5000"));
        let defaults = DEFAULTS.into_iter().chain(of_statistics);
        let settings = defaults.map(|(name, value)| {
            let origin = "the reporter's default".to_owned();
            let value = value.to_owned();
            (name.to_owned(), Setting { value, origin })
        });
        Self(settings.collect())
    }

    /// Overrides properties with the assignments of one source. The error lists all invalid ones.
    pub fn lay_over(&mut self, known: &Known, source: Vec<Assignment>) -> Result<()> {
        let mut layer = BTreeMap::<String, Setting>::new();
        let mut errors = Vec::new();
        for assignment in source {
            match known.check(assignment) {
                Ok((name, setting)) => match layer.get(&name) {
                    Some(first) => errors.push(format!(
                        "{} and {} both set {name}; keep one",
                        first.origin, setting.origin
                    )),
                    None => drop(layer.insert(name, setting)),
                },
                Err(error) => errors.push(format!("{error:#}")),
            }
        }
        if !errors.is_empty() {
            bail!("{}", errors.join("; "));
        }
        self.0.extend(layer);
        Ok(())
    }

    /// Returns the setting of a property, by canonical name; `None` if librdkafka's default
    /// applies.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (&**name, setting))
    }

    /// Checks the SASL mechanism. librdkafka's default is GSSAPI, which this build lacks; without
    /// this check, its error message would advise to rebuild librdkafka. With OAUTHBEARER it would
    /// wait for tokens for ever.
    pub fn check_sasl(&self) -> Result<()> {
        let value = |name| {
            self.get(name)
                .map(|setting| setting.value.to_ascii_uppercase())
        };
        let protocol = value("security.protocol").unwrap_or_default();
        let mechanism = value("sasl.mechanisms").unwrap_or_else(|| "GSSAPI".to_owned());
        if protocol.starts_with("SASL") && ["GSSAPI", "OAUTHBEARER"].contains(&&*mechanism) {
            bail!(
                "security.protocol is {protocol} and the SASL mechanism {mechanism}, which is not \
                 supported; set KAFKA_SASL_MECHANISM to SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"
            );
        }
        Ok(())
    }

    /// Checks the broker list. librdkafka accepts almost any text, including spaces and a
    /// `PROTOCOL://` prefix, and then reports connection errors for ever.
    pub fn check_brokers(&self) -> Result<()> {
        let Some(Setting { value, origin }) = self.get(BROKERS) else {
            return Ok(());
        };
        let hosts: Vec<&str> = value
            .split([',', ' '])
            .filter(|entry| !entry.is_empty())
            .map(|entry| entry.split_once("://").map_or(entry, |(_, host)| host))
            .collect();
        let hosts: Result<Hosts> = hosts.join(",").parse();
        let shown = || format!("{origin} `{}`", value.escape_debug());
        hosts.map(drop).with_context(shown)
    }

    /// Returns the maximum number of messages in librdkafka's queue.
    pub fn queue_capacity(&self) -> u64 {
        let setting = self.get("queue.buffering.max.messages");
        match setting.and_then(|setting| setting.value.parse().ok()) {
            // librdkafka's value for unlimited
            None | Some(0) => u64::MAX,
            Some(capacity) => capacity,
        }
    }

    /// Returns the properties with other brokers.
    pub fn with_brokers(&self, brokers: &str) -> Self {
        let mut properties = self.clone();
        let setting = Setting {
            value: brokers.to_owned(),
            origin: "the embedded broker".to_owned(),
        };
        properties.0.insert(BROKERS.to_owned(), setting);
        properties
    }

    /// Converts the properties to a client configuration.
    pub fn to_client_config(&self) -> ClientConfig {
        self.iter()
            .map(|(name, setting)| (name.to_owned(), setting.value.clone()))
            .collect()
    }
}

/// Returns the assignments in environment variables: those with the prefix `KAFKA_` that are not in
/// `others`.
pub fn of_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    others: &[String],
) -> Result<Vec<Assignment>> {
    let mut found = Vec::new();
    for (origin, value) in variables {
        // The reporter's variables have Unicode names.
        let Ok(origin) = origin.into_string() else {
            continue;
        };
        let Some(name) = origin.strip_prefix(PREFIX) else {
            continue;
        };
        if others.contains(&origin) {
            continue;
        }
        let Ok(value) = value.into_string() else {
            bail!("{origin}: its value is not valid UTF-8");
        };
        if kubernetes_service_env::is_one(&origin, &value) {
            continue;
        }
        let name = name.to_lowercase().replace('_', ".");
        found.push(Assignment {
            name,
            value,
            origin,
        });
    }
    // Environment variables have no order; sort for stable error messages.
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(found)
}

/// Parses the assignments of a file, one `name=value` per line. Blank lines and lines that start
/// with `#` are skipped.
pub fn of_file(path: &Path) -> Result<Vec<Assignment>> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the properties file {shown}"))?;
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| assignment(line, format!("{shown} line {at}")))
        .collect()
}

/// Parses the assignments of options, each of the form `name=value`.
pub fn of_options(options: &[String]) -> Result<Vec<Assignment>> {
    options
        .iter()
        .map(|option| assignment(option, "--property".to_owned()))
        .collect()
}

fn assignment(text: &str, origin: String) -> Result<Assignment> {
    match text.split_once('=') {
        Some((name, value)) => Ok(Assignment {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            origin,
        }),
        // Do not show the text: it may be a misplaced secret.
        None => Err(anyhow!("{origin} is not a property; write name=value")),
    }
}

/// Reads a value from a file, without the trailing newline that editors add.
fn secret(path: &Path) -> Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
