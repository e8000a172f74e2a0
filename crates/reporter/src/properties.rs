//! Any property of librdkafka, set as people do it in Kubernetes: by variables, with the secrets in
//! files.
//!
//! What is misspelt must not be passed over in silence, least of all where it is about security. So
//! every name and value is checked by librdkafka before anything starts, and all that is wrong is
//! told at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::config::ClientConfig;

use crate::hosts::Hosts;
use crate::librdkafka::{self, BROKERS, is_known};
use crate::service_link;

/// What the variables of properties begin with: `KAFKA_SASL_USERNAME` is `sasl.username`.
const PREFIX: &str = "KAFKA_";

/// With this after its name a property is given its value by a file.
const OF_FILE: &str = ".file";

/// What the reporter sets unless it is told otherwise, where librdkafka would not.
const DEFAULTS: [(&str, &str); 5] = [
    ("client.id", "reporter"),
    // A retry neither doubles a message nor overtakes another.
    ("enable.idempotence", "true"),
    // What bounds waiting is the queue, not the age of a message: it tells its own time.
    ("message.timeout.ms", "0"),
    // 14 hours of messages at one each 5 s, a few megabytes.
    ("queue.buffering.max.messages", "10000"),
    // When a broker is back, notice within seconds.
    ("reconnect.backoff.max.ms", "2000"),
];

/// What would break the reporter's promises or has no effect, and the reason.
const REFUSED: [(&str, &str); 4] = [
    (
        "delivery.report.only.error",
        "the reporter counts what was delivered",
    ),
    ("log.queue", "the reporter takes the log from there"),
    ("log_level", "RUST_LOG sets the level"),
    ("transactional.id", "the reporter does not use transactions"),
];

/// Parts of names whose values nobody should see.
const SECRET: [&str; 5] = [
    "password",
    "passphrase",
    "secret",
    "key.pem",
    "oauthbearer.config",
];

/// Whether a property's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// One property of librdkafka, as it was set.
#[derive(Clone, Debug)]
pub struct Setting {
    pub value: String,
    /// Who said so, as the user would find it: a variable, an option, a line of a file.
    pub origin: String,
}

/// Properties under the one name that each has, checked by librdkafka.
#[derive(Clone, Debug, Default)]
pub struct Properties(BTreeMap<String, Setting>);

/// A name and a value as someone wrote them, not yet checked.
#[derive(Debug)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    pub origin: String,
}

/// The properties of librdkafka that have a value if nothing is set.
pub struct Known(BTreeMap<String, String>);

impl Known {
    pub fn new() -> Result<Self> {
        Ok(Self(
            librdkafka::defaults().context("librdkafka does not tell its properties")?,
        ))
    }

    /// Name and value of each if nothing is set.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The property's value and its one name; reads the file where a file has the value.
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

/// `log.level` is what the variable KAFKA_LOG_LEVEL makes of `log_level`.
fn same(one: &str, other: &str) -> bool {
    one.replace('_', ".") == other.replace('_', ".")
}

impl Properties {
    /// What the reporter sets of its own accord; statistics are for those who ask for figures.
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

    /// Lays what one source says over what is there. The error tells all that is wrong with it.
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

    /// How a property was set, by its one name; `None` when librdkafka's default holds.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (&**name, setting))
    }

    /// librdkafka's own mechanism for SASL is GSSAPI, and it is built without: who left out the
    /// mechanism learns that here, and not from advice to build librdkafka otherwise. With OAUTHBEARER
    /// it would ask for tokens that nobody has, and wait for ever.
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

    /// librdkafka takes nearly any text for a list of brokers, with `PROTOCOL://` before each and with
    /// spaces, and then reports for ever that it cannot connect.
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

    /// How many messages librdkafka queues at most.
    pub fn queue_capacity(&self) -> u64 {
        let setting = self.get("queue.buffering.max.messages");
        match setting.and_then(|setting| setting.value.parse().ok()) {
            // librdkafka's word for no limit
            None | Some(0) => u64::MAX,
            Some(capacity) => capacity,
        }
    }

    /// The same with other brokers.
    pub fn with_brokers(&self, brokers: &str) -> Self {
        let mut properties = self.clone();
        let setting = Setting {
            value: brokers.to_owned(),
            origin: "the embedded broker".to_owned(),
        };
        properties.0.insert(BROKERS.to_owned(), setting);
        properties
    }

    /// As the client is given them.
    pub fn to_client_config(&self) -> ClientConfig {
        self.iter()
            .map(|(name, setting)| (name.to_owned(), setting.value.clone()))
            .collect()
    }
}

/// The assignments among variables: those that begin with `KAFKA_` and are not in `others`.
pub fn of_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    others: &[String],
) -> Result<Vec<Assignment>> {
    let mut found = Vec::new();
    for (origin, value) in variables {
        // A name that is no Unicode is none of ours.
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
        if service_link::is_one(&origin, &value) {
            continue;
        }
        let name = name.to_lowercase().replace('_', ".");
        found.push(Assignment {
            name,
            value,
            origin,
        });
    }
    // Variables come in any order, and what is told of them should not.
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(found)
}

/// The assignments of a file: a line `name=value` each; blank lines and those that begin with `#`
/// are passed over.
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

/// The assignments of options, as `name=value` each.
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
        // The text is not shown: it may be a secret that went astray.
        None => Err(anyhow!("{origin} is no property; write name=value")),
    }
}

/// A value out of a file, without the line's end that editors leave there.
fn secret(path: &Path) -> Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
