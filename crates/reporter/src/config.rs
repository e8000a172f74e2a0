//! Command line options and environment variables, validated before anything starts.
//!
//! A container engine restarts a failing program, so every configuration error is a single log line
//! that states what is wrong, why, and what to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use crate::duration;
use crate::format::Format;
use crate::hosts::Hosts;
use crate::librdkafka::BROKERS;
use crate::log::{self, Filter};
use crate::properties::{self, Assignment, Known, Properties};
use crate::settings;
use crate::topic::Topic;

/// Sends the time, its process id and its user id to a Kafka topic, every few seconds.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Options {
    /// Kafka brokers: host or host:port (9092 if none is given), several by comma, IPv6 in brackets
    #[arg(long, env = HOST, value_name = HOST)]
    host: Option<String>,

    /// Topic to send to
    #[arg(
        long,
        env = "KAFKA_TOPIC",
        value_name = "KAFKA_TOPIC",
        default_value = "info"
    )]
    topic: Topic,

    /// A property of librdkafka, e.g. acks=all; the variable of sasl.username is KAFKA_SASL_USERNAME
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,

    /// File of properties, a line NAME=VALUE each
    #[arg(long, env = PROPERTIES_FILE, value_name = PROPERTIES_FILE)]
    properties_file: Option<PathBuf>,

    /// Time between two messages, e.g. 5, 0.5, 500ms, 5s; 0 sends as fast as possible
    #[arg(long, env = "REPORT_INTERVAL", value_name = "REPORT_INTERVAL",
          default_value = "5s", value_parser = duration::parse)]
    interval: Duration,

    /// Number of messages to send before it ends [default: no end]
    #[arg(long, env = "REPORT_COUNT", value_name = "REPORT_COUNT",
          value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// What a message looks like: text or json
    #[arg(
        long,
        env = "REPORT_FORMAT",
        value_name = "REPORT_FORMAT",
        default_value = "text"
    )]
    format: Format,

    /// Grace period at the end for messages not yet delivered
    #[arg(long, env = "REPORT_FLUSH_TIMEOUT", value_name = "REPORT_FLUSH_TIMEOUT",
          default_value = "8s", value_parser = duration::parse)]
    flush_timeout: Duration,

    /// Port for /metrics, /livez and /readyz over HTTP; 0 takes a free one [default: none]
    #[arg(long, env = "REPORT_HTTP_PORT", value_name = "REPORT_HTTP_PORT")]
    http_port: Option<u16>,

    /// What the log looks like: text or json [default: text on a terminal, json otherwise]
    #[arg(long, env = "REPORT_LOG_FORMAT", value_name = "REPORT_LOG_FORMAT")]
    log_format: Option<Format>,

    /// What is logged: error, warn, info, debug, trace or off, also by target: info,librdkafka=debug
    #[arg(
        long,
        env = "RUST_LOG",
        value_name = "RUST_LOG",
        default_value = "info"
    )]
    log: Filter,

    /// Print all settings and where they come from, secrets masked, and end; as text or json
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true,
          default_missing_value = "text")]
    print_config: Option<Format>,

    /// Send to a broker within this process, and print what a consumer reads back; needs no host
    #[arg(long)]
    embedded_broker: bool,
}

const HOST: &str = "KAFKA_HOST";
const PROPERTIES_FILE: &str = "KAFKA_PROPERTIES_FILE";

const AFTER_HELP: &str = "\
Any property of librdkafka can be set: by the variable KAFKA_ and its name, dots as underscores, by \
--property, or in the file of properties. With .file (_FILE) after its name its value is read from \
a file: KAFKA_SASL_PASSWORD_FILE=/run/secrets/password. Options win over variables, variables over \
the file of properties.

The first message is sent at once. On SIGTERM or SIGINT what is not yet delivered is delivered \
before it exits; a second signal ends it without.

Exit codes: 0 everything was delivered, 1 a failure or messages not delivered, 2 bad options, \
variables or properties.";

/// The action that the command line requests.
pub enum Asked {
    Run(Box<Config>),
    /// Print this text and exit.
    Print(String),
}

/// The validated configuration of a run.
#[derive(Debug)]
pub struct Config {
    /// Start a mock cluster in this process and send to it.
    pub embedded_broker: bool,
    /// Properties of the client, including the brokers unless the embedded broker is used.
    pub properties: Properties,
    pub topic: Topic,
    /// Time between two messages; zero means no pause.
    pub interval: Duration,
    /// Number of messages to send, at least 1; `None` means unlimited.
    pub count: Option<u64>,
    pub format: Format,
    pub flush_timeout: Duration,
    /// Port of the HTTP server; zero selects a free port.
    pub http_port: Option<u16>,
    pub log_format: Format,
    pub log: Filter,
}

/// Parses the arguments and environment of the process. `--help` and `--version` exit the process.
pub fn from_command_line() -> Result<Asked> {
    let command = Options::command();
    let (options, matches) = command
        .try_get_matches()
        .and_then(|matches| Ok((Options::from_arg_matches(&matches)?, matches)))
        .map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => anyhow!(first_line(&error.to_string())),
        })?;
    let variables = std::env::vars_os();
    let known = Known::new()?;
    let properties = properties(&options, &matches, &known, variables)?;
    Ok(match options.print_config {
        Some(format) => {
            let own = settings::of_options(&Options::command(), &matches);
            let properties = settings::of_properties(&properties, &known)?;
            Asked::Print(settings::show(format, own, properties))
        }
        None => Asked::Run(Box::new(Config::new(options, properties))),
    })
}

impl Config {
    fn new(options: Options, properties: Properties) -> Self {
        Self {
            embedded_broker: options.embedded_broker,
            properties,
            topic: options.topic,
            interval: options.interval,
            count: options.count,
            format: options.format,
            flush_timeout: options.flush_timeout,
            http_port: options.http_port,
            log_format: options.log_format.unwrap_or_else(log::fitting_format),
            log: options.log,
        }
    }
}

/// Merges the client's properties from all sources; the last source takes precedence.
fn properties(
    options: &Options,
    matches: &ArgMatches,
    known: &Known,
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Result<Properties> {
    let variables_of_options: Vec<String> = Options::command()
        .get_arguments()
        .filter_map(|option| option.get_env()?.to_str().map(str::to_owned))
        .collect();
    let mut of_variables = properties::of_environment(variables, &variables_of_options)?;
    let mut of_options = properties::of_options(&options.properties)?;
    // Ignore the host with an embedded broker, even if it is invalid.
    if let (Some(text), false) = (&options.host, options.embedded_broker) {
        let hosts: Hosts = text
            .parse()
            .with_context(|| format!("{HOST} `{}`", text.escape_debug()))?;
        let of_option = matches.value_source("host") == Some(ValueSource::CommandLine);
        let (source, origin) = match of_option {
            true => (&mut of_options, "--host"),
            false => (&mut of_variables, HOST),
        };
        source.push(Assignment {
            name: BROKERS.to_owned(),
            value: hosts.to_string(),
            origin: origin.to_owned(),
        });
    }

    let mut properties = Properties::of_the_reporter(options.http_port.is_some());
    if let Some(path) = &options.properties_file {
        properties.lay_over(known, properties::of_file(path)?)?;
    }
    properties.lay_over(known, of_variables)?;
    properties.lay_over(known, of_options)?;
    if properties.get(BROKERS).is_none() && !options.embedded_broker {
        return Err(anyhow!(
            "KAFKA_HOST is not set, so there is no broker to report to; \
             set it to host[:port], or use --embedded-broker to try without one"
        ));
    }
    properties.check_brokers()?;
    properties.check_sasl()?;
    Ok(properties)
}

/// Returns the first line of a clap error, which states the error; the others are hints.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let reason = line.strip_prefix("error: ").unwrap_or(line);
    format!("{reason} (see reporter --help)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config> {
        let all = ["reporter"].iter().chain(arguments);
        let matches = Options::command().try_get_matches_from(all)?;
        let options = Options::from_arg_matches(&matches)?;
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let properties = properties(&options, &matches, &Known::new()?, variables)?;
        Ok(Config::new(options, properties))
    }

    fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let arguments = [&["--host=kafka"], arguments].concat();
        format!("{:#}", config(&arguments, variables).unwrap_err())
    }

    #[test]
    fn defaults_match_the_documentation() {
        let config = config(&["--host=kafka"], &[]).unwrap();
        assert_eq!(config.topic.as_str(), "info");
        assert_eq!(config.interval, Duration::from_secs(5));
        assert_eq!(config.flush_timeout, Duration::from_secs(8));
        assert_eq!(config.count, None);
        assert_eq!(config.http_port, None);
        let brokers = config.properties.get(BROKERS).unwrap();
        assert_eq!(brokers.value, "kafka:9092");
        assert_eq!(brokers.origin, "--host");
        let idempotence = config.properties.get("enable.idempotence").unwrap();
        assert_eq!(idempotence.value, "true");
    }

    #[test]
    fn rejects_a_count_of_zero() {
        assert!(config(&["--host=kafka", "--count=0"], &[]).is_err());
    }

    #[test]
    fn the_embedded_broker_needs_no_host() {
        let config = config(&["--host=,", "--embedded-broker"], &[]).unwrap();
        assert!(config.embedded_broker);
    }

    #[test]
    fn options_override_variables_and_variables_override_the_file() {
        let directory = std::env::temp_dir().join(format!("reporter-{}", std::process::id()));
        std::fs::write(
            &directory,
            "# ours\n\nlinger.ms = 1\nclient.id=file\nacks=all\nbootstrap.servers=file:1\n",
        )
        .unwrap();
        let file = format!("--properties-file={}", directory.display());
        let config = config(
            &[&file, "-X", "linger.ms=3"],
            &[("KAFKA_LINGER_MS", "2"), ("KAFKA_CLIENT_ID", "variable")],
        );
        std::fs::remove_file(directory).unwrap();
        let properties = config.unwrap().properties;
        let value = |name| &*properties.get(name).unwrap().value;
        assert_eq!(value("queue.buffering.max.ms"), "3");
        assert_eq!(value("client.id"), "variable");
        assert_eq!(value("request.required.acks"), "all");
        assert_eq!(value(BROKERS), "file:1");
    }

    #[test]
    fn reports_all_unknown_properties_and_invalid_values_at_once() {
        let wrong = [
            ("KAFKA_SASL_PASWORD", "x"),
            ("KAFKA_ACKS", "some"),
            ("KAFKA_LINGER_MS", "5s"),
            ("KAFKA_PORT", "9092"),
        ];
        assert_eq!(
            refusal(&[], &wrong),
            "KAFKA_ACKS: Invalid value for configuration property \"request.required.acks\"; \
             KAFKA_LINGER_MS: linger.ms takes a number alone, without a unit, and would be 5 with \
             this one; KAFKA_PORT: librdkafka has no property `port`; see librdkafka's \
             CONFIGURATION.md; KAFKA_SASL_PASWORD: librdkafka has no property `sasl.pasword`; \
             did you mean sasl.password?"
        );
    }

    #[test]
    fn rejects_two_names_of_one_property() {
        let both = [
            ("KAFKA_BOOTSTRAP_SERVERS", "a:1"),
            ("KAFKA_METADATA_BROKER_LIST", "b:1"),
        ];
        assert_eq!(
            refusal(&[], &both),
            "KAFKA_BOOTSTRAP_SERVERS and KAFKA_METADATA_BROKER_LIST both set \
             metadata.broker.list; keep one"
        );
    }

    #[test]
    fn rejects_properties_that_would_break_the_reporter() {
        for (name, reason) in [
            ("KAFKA_TRANSACTIONAL_ID", "does not use transactions"),
            (
                "KAFKA_DELIVERY_REPORT_ONLY_ERROR",
                "counts what was delivered",
            ),
            ("KAFKA_LOG_LEVEL", "RUST_LOG sets the level"),
        ] {
            assert!(refusal(&[], &[(name, "7")]).contains(reason), "{name}");
        }
    }

    #[test]
    fn rejects_missing_and_unsupported_sasl_mechanisms() {
        for mechanism in ["client.id=reporter", "sasl.mechanism=oauthbearer"] {
            let line = refusal(&["-X", "security.protocol=sasl_ssl", "-X", mechanism], &[]);
            assert!(line.contains("set KAFKA_SASL_MECHANISM"), "{line}");
        }
    }

    #[test]
    fn validates_brokers_from_every_source() {
        for (brokers, reason) in [
            ("", "is empty"),
            ("kafka:port", "its port `port`"),
            ("a:1, PLAINTEXT://b:0", "its port `0`"),
        ] {
            let variables = [("KAFKA_BOOTSTRAP_SERVERS", brokers)];
            let error = format!("{:#}", config(&[], &variables).unwrap_err());
            assert!(error.contains("KAFKA_BOOTSTRAP_SERVERS"), "{error}");
            assert!(error.contains(reason), "{error}");
        }
        let both = [("KAFKA_BOOTSTRAP_SERVERS", "a:1, SSL://[::1]:2")];
        assert!(config(&[], &both).is_ok());
    }

    #[test]
    fn ignores_kubernetes_service_variables() {
        let link = [("KAFKA_PORT", "tcp://10.0.0.1:9092")];
        assert!(config(&["--host=kafka"], &link).is_ok());
    }

    #[test]
    fn reports_missing_secret_files() {
        let line = refusal(&[], &[("KAFKA_SASL_PASSWORD_FILE", "/no/such")]);
        assert!(
            line.starts_with("KAFKA_SASL_PASSWORD_FILE: cannot read /no/such: "),
            "{line}"
        );
    }
}
