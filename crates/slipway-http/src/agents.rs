//! The HTTP library wants an agent a proxy, and knows one kind of proxy only; here is the agent
//! that suits an address.

use std::collections::HashMap;

use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Proxy};

use crate::early_answer::EarlyAnswer;
use crate::location::authority;
use crate::proxy::{AbsoluteForm, Proxies, absolute_form, takes_absolute_form};

/// Agents that share their settings, but for the way that they take.
#[derive(Debug)]
pub struct Agents {
    proxies: Proxies,
    direct: Agent,
    /// Through a proxy that is sent the whole address.
    forwarded: Agent,
    /// Through tunnels of proxies.
    tunnelled: HashMap<String, Agent>,
}

/// How to send a request.
#[derive(Debug)]
pub struct Route<'a> {
    pub agent: &'a Agent,
    /// What to ask the agent for.
    pub address: String,
    /// The header `Host`, where it is not that of the address.
    pub host: Option<String>,
}

impl Agents {
    /// Agents with the settings that `config` gives for each proxy.
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

    /// The way to an address. The error is one line.
    pub fn route(&self, url: &str) -> Result<Route<'_>, String> {
        match self.proxies.for_url(url) {
            None => Ok(Route {
                agent: &self.direct,
                address: url.to_owned(),
                host: None,
            }),
            Some(proxy) if url.starts_with("http:") && takes_absolute_form(proxy) => Ok(Route {
                agent: &self.forwarded,
                address: absolute_form(proxy, url),
                host: Some(authority(url).to_owned()),
            }),
            Some(proxy) => Ok(Route {
                agent: self
                    .tunnelled
                    .get(proxy)
                    .ok_or_else(|| format!("{proxy:?} is not a proxy"))?,
                address: url.to_owned(),
                host: None,
            }),
        }
    }
}

/// The HTTP library's own connections, but that early answers are read.
fn connector() -> impl Connector<(), Out = impl Transport> {
    ().chain(ConnectProxyConnector::default())
        .chain(TcpConnector::default())
        .chain(EarlyAnswer)
        .chain(RustlsConnector::default())
}
