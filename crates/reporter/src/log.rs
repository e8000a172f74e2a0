//! The log: for people on a terminal, for programs elsewhere.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use anyhow::{Error, Result, bail};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::format::Format;

/// The form for whoever reads the standard error.
pub fn fitting_format() -> Format {
    if io::stderr().is_terminal() {
        Format::Text
    } else {
        Format::Json
    }
}

/// Which events are logged: a level for all, or for those of a target (a module or `librdkafka`).
#[derive(Clone, Debug)]
pub struct Filter(Targets);

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        for part in text.split(',') {
            // A lone word that is no level would be a target, and silence all others.
            let level = part.split_once('=').map_or(part, |(_, level)| level);
            if level.is_empty() || level.parse::<LevelFilter>().is_err() {
                bail!("`{level}` is not one of error, warn, info, debug, trace, off");
            }
        }
        Ok(Self(text.parse()?))
    }
}

/// Starts to log to the standard error. As JSON an event is an object in a line: `timestamp` (RFC
/// 3339, in UTC), `level`, `message`, and what else there is to it.
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
    fn a_filter_is_a_level_and_levels_of_targets() {
        for text in ["info", "OFF", "warn,librdkafka=debug", "reporter=trace"] {
            assert!(text.parse::<Filter>().is_ok(), "{text}");
        }
        for text in ["verbose", "", "librdkafka", "info,", "librdkafka=loud"] {
            assert!(text.parse::<Filter>().is_err(), "{text:?} was accepted");
        }
    }
}
