//! Parses the list of bootstrap brokers in `KAFKA_HOST`.
//!
//! librdkafka accepts almost any text as a broker list and then reports connection errors for ever.
//! This parser is strict, so that mistakes are reported at startup.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

/// Kafka's default port.
const DEFAULT_PORT: u16 = 9092;

/// One or more brokers. Displayed in the format of librdkafka's `bootstrap.servers`.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<Host>);

#[derive(Clone, Debug)]
struct Host {
    /// A host name, an IPv4 address, or an IPv6 address in brackets.
    name: String,
    port: u16,
}

impl FromStr for Hosts {
    type Err = Error;

    /// Parses a comma-separated list of `host[:port]`.
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            bail!("it is empty; write host or host:port");
        }
        text.split(',')
            .enumerate()
            .map(|(at, entry)| {
                entry
                    .parse()
                    .with_context(|| format!("entry {} `{}`", at + 1, entry.escape_debug()))
            })
            .collect::<Result<_>>()
            .map(Self)
    }
}

impl FromStr for Host {
    type Err = Error;

    fn from_str(entry: &str) -> Result<Self> {
        if entry.is_empty() {
            bail!("it is empty; remove the comma too many");
        }
        if entry.contains(char::is_whitespace) {
            bail!("it contains a space; separate hosts by a comma alone");
        }
        if entry.contains("://") {
            bail!("it is a URL; write host or host:port");
        }
        let (name, port) = split_port(entry)?;
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 && digits.chars().all(|c| c.is_ascii_digit()) => port,
                _ => bail!("its port `{digits}` is not a number from 1 to 65535"),
            },
        };
        Ok(Self {
            name: name.to_owned(),
            port,
        })
    }
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets (RFC 3986, 3.2.2).
fn split_port(entry: &str) -> Result<(&str, Option<&str>)> {
    if entry.starts_with('[') {
        let Some(end) = entry.find(']') else {
            bail!("its `[` has no `]`; write [address]:port");
        };
        let (name, rest) = entry.split_at(end + 1);
        if name[1..end].parse::<Ipv6Addr>().is_err() {
            bail!("there is no IPv6 address in its brackets");
        }
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((name, None)),
            (_, Some(port)) => Ok((name, Some(port))),
            _ => bail!("after its `]` only :port may follow"),
        };
    }
    if entry.parse::<Ipv6Addr>().is_ok() {
        bail!("an IPv6 address goes in brackets: [{entry}]");
    }
    let (name, port) = match entry.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (entry, None),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        bail!("it is not a host name; write host or host:port");
    }
    Ok((name, port))
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Host { name, port }) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}:{port}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match text.parse::<Hosts>() {
            Ok(hosts) => hosts.to_string(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn uses_port_9092_by_default() {
        assert_eq!(read("kafka"), "kafka:9092");
        assert_eq!(read("10.0.0.7"), "10.0.0.7:9092");
        assert_eq!(read("a,b:9093,c"), "a:9092,b:9093,c:9092");
    }

    #[test]
    fn requires_brackets_around_ipv6_addresses() {
        assert_eq!(read("[::1]"), "[::1]:9092");
        assert_eq!(read("[2001:db8::7]:29092,b"), "[2001:db8::7]:29092,b:9092");
        assert!(read("::1").ends_with("goes in brackets: [::1]"));
        assert!(read("[::1").contains("has no `]`"));
        assert!(read("[kafka]").contains("no IPv6 address"));
        assert!(read("[::1]9092").contains("only :port may follow"));
    }

    #[test]
    fn errors_name_the_entry_and_the_reason() {
        assert!(read("").contains("is empty"));
        assert!(read("a,,b").starts_with("entry 2 ``: it is empty"));
        assert!(read("a,").starts_with("entry 2 ``: it is empty"));
        assert!(read("a, b").starts_with("entry 2 ` b`: it contains a space"));
        assert!(read("a:").contains("its port ``"));
        assert!(read("a:0").contains("its port `0`"));
        assert!(read("a:+1").contains("its port `+1`"));
        assert!(read("a:65536").contains("its port `65536`"));
        assert!(read("a:90:92").contains("its port `90:92`"));
        assert!(read(":9092").contains("not a host name"));
        assert!(read("kafka://a:9092").contains("is a URL"));
    }
}
