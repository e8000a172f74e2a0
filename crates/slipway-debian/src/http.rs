//! HTTP client that uses the certificates and proxies of the machine.

use std::collections::HashMap;
use std::process::Command;

use slipway_http::{Agents, Proxies, RetryPolicy, agent_config, resolve, tls_config};
use ureq::http::Response;
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

/// The parts of apt's configuration that affect downloads.
#[derive(Clone, Debug, Default)]
pub struct AptConfiguration {
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    /// Whether apt accepts expired indices (`Acquire::Check-Valid-Until false`).
    pub accepts_expired: bool,
}

impl AptConfiguration {
    /// Reads the configuration with `apt-config`. Returns the defaults if apt is not installed.
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

/// Maximum number of redirects per request.
const MOST_REDIRECTS: usize = 5;

/// Sends HTTP requests.
#[derive(Debug)]
pub struct Client {
    agents: Agents,
}

impl Client {
    /// Creates a client with the timeouts of `retry`. Proxies from apt's configuration take
    /// precedence over those from the environment.
    pub fn new(retry: &RetryPolicy, apt: &AptConfiguration) -> Self {
        let environment = Proxies::of_environment();
        let proxies = Proxies {
            http: apt.http_proxy.clone().or(environment.http),
            https: apt.https_proxy.clone().or(environment.https),
            direct: environment.direct,
        };
        Self {
            agents: Agents::new(proxies, |proxy| {
                agent_config(retry, tls_config(&[], None), proxy)
            }),
        }
    }

    /// Sends a GET request, with a `Range` header if `from` (a byte offset) is not 0. Any status is
    /// a successful result.
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

    /// Sends a HEAD request and returns the status.
    pub fn head(&self, url: &str) -> Result<u16, String> {
        Ok(self
            .request(url, |agent, address| agent.head(address))?
            .status()
            .as_u16())
    }

    /// Sends a request and follows redirects. ureq's own redirects would bypass the choice of
    /// proxy.
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
            if let Some(authorization) = route.authorization {
                request = request.header("Authorization", authorization);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proxies_and_check_valid_until_from_apt() {
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
