//! Options and environment variables, checked before anything starts.
//!
//! A container restarts a program that fails, so what is wrong with its configuration must stand
//! in one line of its log: what, why, and what to do.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use clap::error::ErrorKind;

use crate::duration;
use crate::hosts::Hosts;
use crate::topic::Topic;

/// Sends the time, its process id and its user id to a Kafka topic, every few seconds.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Options {
    /// Kafka brokers: host or host:port (9092 if none is given), several by comma, IPv6 in brackets
    #[arg(long, env = "KAFKA_HOST", value_name = "KAFKA_HOST")]
    host: Option<String>,

    /// Topic to send to
    #[arg(
        long,
        env = "KAFKA_TOPIC",
        value_name = "KAFKA_TOPIC",
        default_value = "info"
    )]
    topic: Topic,

    /// Time between two messages, e.g. 5, 0.5, 500ms, 5s; 0 sends as fast as possible
    #[arg(long, env = "REPORT_INTERVAL", value_name = "REPORT_INTERVAL",
          default_value = "5s", value_parser = duration::parse)]
    interval: Duration,

    /// Number of messages to send before it ends [default: no end]
    #[arg(long, env = "REPORT_COUNT", value_name = "REPORT_COUNT",
          value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Grace period at the end for messages not yet delivered
    #[arg(long, env = "REPORT_FLUSH_TIMEOUT", value_name = "REPORT_FLUSH_TIMEOUT",
          default_value = "10s", value_parser = duration::parse)]
    flush_timeout: Duration,

    /// Send to a broker within this process, and print what a consumer reads back; needs no host
    #[arg(long)]
    embedded_broker: bool,
}

const AFTER_HELP: &str = "\
The first message is sent at once. On SIGTERM or SIGINT what is not yet delivered is delivered \
before it exits; a second signal ends it without.

Exit codes: 0 everything was delivered, 1 a failure or messages not delivered, 2 bad options.";

/// Where the messages go.
#[derive(Debug)]
pub enum Brokers {
    /// A mock cluster started within this process.
    Embedded,
    Remote(Hosts),
}

/// What to report, where to, and how often.
#[derive(Debug)]
pub struct Config {
    pub brokers: Brokers,
    pub topic: Topic,
    /// Zero means without a pause.
    pub interval: Duration,
    /// At least 1; `None` means without end.
    pub count: Option<u64>,
    pub flush_timeout: Duration,
}

impl Config {
    /// Reads the process's arguments and environment. `--help` and `--version` end the process.
    pub fn from_command_line() -> Result<Self> {
        let options = Options::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => anyhow!(first_line(&error.to_string())),
        })?;
        Self::check(options)
    }

    fn check(options: Options) -> Result<Self> {
        let brokers = match options.host {
            // The host is not even read then: a wrong one does no harm.
            _ if options.embedded_broker => Brokers::Embedded,
            Some(text) => Brokers::Remote(
                text.parse()
                    .with_context(|| format!("KAFKA_HOST `{}`", text.escape_debug()))?,
            ),
            None => {
                return Err(anyhow!(
                    "KAFKA_HOST is not set, so there is no broker to report to; \
                     set it to host[:port], or use --embedded-broker to try without one"
                ));
            }
        };
        Ok(Self {
            brokers,
            topic: options.topic,
            interval: options.interval,
            count: options.count,
            flush_timeout: options.flush_timeout,
        })
    }
}

/// clap explains itself over several lines; the first says what is wrong.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let reason = line.strip_prefix("error: ").unwrap_or(line);
    format!("{reason} (see reporter --help)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Result<Config> {
        let all = ["reporter", "--host=kafka"].iter().chain(arguments);
        Config::check(Options::try_parse_from(all)?)
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = config(&[]).unwrap();
        assert_eq!(config.topic.as_str(), "info");
        assert_eq!(config.interval, Duration::from_secs(5));
        assert_eq!(config.flush_timeout, Duration::from_secs(10));
        assert_eq!(config.count, None);
    }

    #[test]
    fn a_count_of_zero_is_refused() {
        assert!(config(&["--count=0"]).is_err());
    }

    #[test]
    fn the_embedded_broker_needs_no_host() {
        let options = Options::try_parse_from(["reporter", "--host=,", "--embedded-broker"]);
        let config = Config::check(options.unwrap()).unwrap();
        assert!(matches!(config.brokers, Brokers::Embedded));
    }
}
