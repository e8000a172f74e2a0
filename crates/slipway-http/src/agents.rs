//! HTTP agents, one for each way to reach a server: directly, through a forwarding proxy, or
//! through a tunnel. The HTTP library needs an agent for each proxy and supports tunnels only.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Proxy};

use crate::early_answer::EarlyAnswer;
use crate::location::{authority, host_and_port, without_login};
use crate::proxy::{AbsoluteForm, Proxies, absolute_form, takes_absolute_form};

/// Agents that share their settings except for the proxy.
#[derive(Debug)]
pub struct Agents {
    proxies: Proxies,
    direct: Agent,
    /// For proxies that accept requests in absolute form.
    forwarded: Agent,
    /// For proxies with tunnels (`CONNECT`), by address of the proxy.
    tunnelled: HashMap<String, Agent>,
}

/// How to send a request.
#[derive(Debug)]
pub struct Route<'a> {
    pub agent: &'a Agent,
    /// The address to pass to the agent.
    pub address: String,
    /// Values of the headers `Host` and `Authorization`, if they differ from those that the agent
    /// derives from the address.
    pub host: Option<String>,
    pub authorization: Option<String>,
}

impl Agents {
    /// Creates the agents. `config` returns the settings for a proxy, or for direct connections.
    pub fn new(proxies: Proxies, config: impl Fn(Option<Proxy>) -> Config) -> Self {
        let tunnel = |url: &String| {
            let proxy = Proxy::new(url).ok()?;
            let agent =
                Agent::with_parts(config(Some(proxy)), connector(), DefaultResolver::default());
            Some((url.clone(), agent))
        };
        Self {
            tunnelled: proxies
                .http
                .iter()
                .chain(&proxies.https)
                .filter_map(tunnel)
                .collect(),
            proxies,
            direct: Agent::with_parts(config(None), connector(), DefaultResolver::default()),
            forwarded: Agent::with_parts(
                config(None),
                connector().chain(AbsoluteForm),
                DefaultResolver::default(),
            ),
        }
    }

    /// Chooses the agent for an address. The error is a one-line message.
    pub fn route(&self, url: &str) -> Result<Route<'_>, String> {
        match self.proxies.for_url(url) {
            None => Ok(Route {
                agent: &self.direct,
                address: url.to_owned(),
                host: None,
                authorization: None,
            }),
            Some(proxy) if url.starts_with("http:") && takes_absolute_form(proxy) => Ok(Route {
                agent: &self.forwarded,
                address: absolute_form(proxy, &without_login(url)),
                host: Some(host_and_port(url).to_owned()),
                authorization: login(url),
            }),
            Some(proxy) => Ok(Route {
                agent: self
                    .tunnelled
                    .get(proxy)
                    .ok_or_else(|| format!("{:?} is not a proxy", without_login(proxy)))?,
                address: url.to_owned(),
                host: None,
                authorization: None,
            }),
        }
    }
}

/// The value of `Authorization` for the credentials in an address: HTTP Basic, RFC 7617, section 2.
fn login(url: &str) -> Option<String> {
    let (login, _) = authority(url).rsplit_once('@')?;
    let login: Vec<u8> = percent_decode_str(login).collect();
    Some(format!("Basic {}", STANDARD.encode(login)))
}

/// The HTTP library's default connector, extended to read early responses.
fn connector() -> impl Connector<(), Out = impl Transport> {
    ().chain(ConnectProxyConnector::default())
        .chain(TcpConnector::default())
        .chain(EarlyAnswer)
        .chain(RustlsConnector::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_the_credentials_of_an_address_through_a_proxy() {
        let proxies = Proxies {
            http: Some("http://proxy.example:3128".into()),
            ..Proxies::default()
        };
        let agents = Agents::new(proxies, |proxy| {
            Agent::config_builder().proxy(proxy).build()
        });
        let route = agents.route("http://ada:p%40ss@mirror.example/x").unwrap();
        assert_eq!(route.host.as_deref(), Some("mirror.example"));
        assert_eq!(route.authorization.as_deref(), Some("Basic YWRhOnBAc3M="));
        assert!(route.address.ends_with("http://mirror.example/x"));
        assert!(!route.address.contains("ada"));
    }
}
