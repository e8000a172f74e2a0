//! The effective settings and their sources, to debug a configuration.

use std::fmt::Write;
use std::mem::forget;
use std::sync::Arc;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use rdkafka::producer::Producer as _;
use serde_json::{Map, Value, json};

use crate::delivery_tracker::DeliveryTracker;
use crate::events::Events;
use crate::format::Format;
use crate::librdkafka;
use crate::producer;
use crate::properties::{Known, Properties, is_secret};

/// One setting to display.
pub struct Shown {
    name: String,
    value: String,
    origin: String,
}

/// Returns the options that have a value, by the names of their variables, except the host, which
/// is a property.
pub fn of_options(command: &Command, matches: &ArgMatches) -> Vec<Shown> {
    let options = command.get_arguments().filter_map(|option| {
        let id = option.get_id().as_str();
        let name = option.get_env()?.to_str()?.to_owned();
        let value = matches.get_raw(id)?.next()?.to_string_lossy().into_owned();
        let origin = match matches.value_source(id)? {
            ValueSource::CommandLine => format!("--{}", option.get_long()?),
            ValueSource::EnvVariable => name.clone(),
            _ => "default".to_owned(),
        };
        Some(Shown {
            name,
            value,
            origin,
        })
    });
    options
        .filter(|option| option.name != "KAFKA_HOST")
        .collect()
}

/// Returns all properties: first those that are set, then librdkafka's defaults. Returns an error
/// if a producer would not start with them.
pub fn of_properties(properties: &Properties, known: &Known) -> Result<Vec<Shown>> {
    // Only a client can detect conflicts and derive values.
    let client = producer::client(
        properties,
        Events::new(Arc::new(DeliveryTracker::new()), false),
    )?;
    let in_force = librdkafka::in_force(client.client());
    // The process exits soon: do not wait for the client's threads.
    forget(client);

    let masked = |name: &str, value: &str| match is_secret(name) && !value.is_empty() {
        true => "***".to_owned(),
        false => value.to_owned(),
    };
    let set = properties.iter().map(|(name, setting)| Shown {
        name: name.to_owned(),
        value: masked(name, &setting.value),
        origin: setting.origin.clone(),
    });
    let unset = known
        .defaults()
        .filter(|(name, _)| properties.get(name).is_none())
        .map(|(name, default)| {
            let value = in_force.get(name).map_or(default, String::as_str);
            let origin = match value == default {
                true => "librdkafka's default",
                false => "librdkafka, to fit the others",
            };
            Shown {
                name: name.to_owned(),
                value: masked(name, value),
                origin: origin.to_owned(),
            }
        });
    Ok(set.chain(unset).collect())
}

/// Formats the effective settings. As text they are lines `name=value` with the source as a
/// comment.
pub fn show(format: Format, own: Vec<Shown>, properties: Vec<Shown>) -> String {
    match format {
        Format::Text => own.iter().chain(&properties).map(line).collect(),
        Format::Json => {
            let all = json!({ "options": object(own), "properties": object(properties) });
            format!("{all:#}\n")
        }
    }
}

fn line(
    Shown {
        name,
        value,
        origin,
    }: &Shown,
) -> String {
    let mut line = format!("{name}={value}");
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "{:1$}  # {origin}",
        "",
        48usize.saturating_sub(line.len())
    );
    line
}

fn object(settings: Vec<Shown>) -> Map<String, Value> {
    let member = |Shown {
                      name,
                      value,
                      origin,
                  }| (name, json!({ "value": value, "origin": origin }));
    settings.into_iter().map(member).collect()
}
