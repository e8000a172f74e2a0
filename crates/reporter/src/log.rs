//! Logging: text on a terminal, JSON elsewhere.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use anyhow::{Error, Result, bail};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::format::Format;

/// Returns the default format: text if standard error is a terminal, otherwise JSON.
pub fn fitting_format() -> Format {
    if io::stderr().is_terminal() {
        Format::Text
    } else {
        Format::Json
    }
}

/// Selects the events to log: a level for all, or for individual targets (a module or
/// `librdkafka`).
#[derive(Clone, Debug)]
pub struct Filter(Targets);

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        for part in text.split(',') {
            // The filter would take an unknown single word as a target and disable all others.
            let level = part.split_once('=').map_or(part, |(_, level)| level);
            if level.is_empty() || level.parse::<LevelFilter>().is_err() {
                bail!("`{level}` is not one of error, warn, info, debug, trace, off");
            }
        }
        Ok(Self(text.parse()?))
    }
}

/// Starts logging to standard error. In JSON, each event is an object on one line with `timestamp`
/// (RFC 3339, in UTC), `level`, `message` and the fields of the event.
pub fn start(format: Format, Filter(filter): Filter) {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false);
    let layer = match format {
        Format::Text => layer.boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_levels_and_levels_per_target() {
        for text in ["info", "OFF", "warn,librdkafka=debug", "reporter=trace"] {
            assert!(text.parse::<Filter>().is_ok(), "{text}");
        }
        for text in ["verbose", "", "librdkafka", "info,", "librdkafka=loud"] {
            assert!(text.parse::<Filter>().is_err(), "{text:?} was accepted");
        }
    }
}
