//! The HTTP client: as the machine is set up, with its certificates and its proxies.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use slipway_http::{Agents, Proxies, resolve};
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, Proxy, RequestBuilder};

/// How long to wait for a mirror.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub stall: Duration,
    /// How many times a file is tried anew at all mirrors without a byte of progress.
    pub rounds: u32,
    /// Before the second round; doubled for each one after it.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            rounds: 4,
            pause: Duration::from_secs(1),
        }
    }
}

/// What of apt's own configuration concerns fetching.
#[derive(Clone, Debug, Default)]
pub struct AptConfiguration {
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    /// Whether an expired index is accepted on this machine (`Acquire::Check-Valid-Until false`).
    pub accepts_expired: bool,
}

impl AptConfiguration {
    /// Asks apt-config; a machine without apt has no such configuration.
    pub fn read() -> Self {
        match Command::new("apt-config")
            .args(["dump", "--format", "%F %v%n", "Acquire"])
            .output()
        {
            Ok(output) => Self::parse(&String::from_utf8_lossy(&output.stdout)),
            Err(_) => Self::default(),
        }
    }

    fn parse(dump: &str) -> Self {
        let values: HashMap<String, &str> = dump
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(key, value)| (key.to_ascii_lowercase(), value))
            .collect();
        let proxy = |key: &str| {
            values
                .get(key)
                .filter(|value| !matches!(**value, "" | "DIRECT"))
                .map(|value| (*value).to_owned())
        };
        let off = |value: &&str| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "false" | "no" | "off" | "0" | "without"
            )
        };
        Self {
            http_proxy: proxy("acquire::http::proxy"),
            https_proxy: proxy("acquire::https::proxy"),
            accepts_expired: values.get("acquire::check-valid-until").is_some_and(off),
        }
    }
}

/// How often a mirror may send a request on to another address.
const MOST_REDIRECTS: usize = 5;

/// Sends requests.
#[derive(Debug)]
pub struct Client {
    agents: Agents,
}

impl Client {
    /// A client that waits as `patience` says, and uses the proxies of apt's configuration or else
    /// of the environment.
    pub fn new(patience: &Patience, apt: &AptConfiguration) -> Self {
        let environment = Proxies::of_environment();
        let proxies = Proxies {
            http: apt.http_proxy.clone().or(environment.http),
            https: apt.https_proxy.clone().or(environment.https),
            direct: environment.direct,
        };
        Self {
            agents: Agents::new(proxies, |proxy| config(patience, proxy)),
        }
    }

    /// GET, from the byte `from` on if it is not 0. Any status is an answer.
    pub fn get(&self, url: &str, from: u64) -> Result<Response<Body>, String> {
        self.request(url, |agent, address| {
            let request = agent.get(address);
            if from > 0 {
                request.header("Range", format!("bytes={from}-"))
            } else {
                request
            }
        })
    }

    /// The status of HEAD.
    pub fn head(&self, url: &str) -> Result<u16, String> {
        Ok(self
            .request(url, |agent, address| agent.head(address))?
            .status()
            .as_u16())
    }

    /// Follows redirects here: the library would send them past a proxy.
    fn request(
        &self,
        url: &str,
        make: impl Fn(&Agent, &str) -> RequestBuilder<WithoutBody>,
    ) -> Result<Response<Body>, String> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let route = self.agents.route(&url)?;
            let mut request = make(route.agent, &route.address);
            if let Some(host) = route.host {
                request = request.header("Host", host);
            }
            let response = request.call().map_err(|e| e.to_string())?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response
                .headers()
                .get("location")
                .and_then(|value| value.to_str().ok());
            url = location
                .and_then(|location| resolve(&url, location))
                .ok_or("redirected to no address")?;
        }
        Err("redirected too often".into())
    }
}

fn config(patience: &Patience, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.stall))
        .timeout_per_read(Some(patience.stall))
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .max_idle_connections_per_host(8)
        .proxy(proxy)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apts_proxies_and_its_view_on_expired_indices_are_read() {
        let apt = AptConfiguration::parse(
            "Acquire \nAcquire::http::Proxy http://proxy.example:3142\nAcquire::https::Proxy DIRECT\n\
             Acquire::Check-Valid-Until false\n",
        );
        assert_eq!(apt.http_proxy.as_deref(), Some("http://proxy.example:3142"));
        assert_eq!(apt.https_proxy, None);
        assert!(apt.accepts_expired);
        assert!(!AptConfiguration::parse("Acquire::Check-Valid-Until true\n").accepts_expired);
    }
}
