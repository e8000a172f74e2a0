//! Proxies, as configured for apt and in the environment.
//!
//! The HTTP library asks every proxy for a tunnel (`CONNECT`). Package caches, the most common
//! proxies in apt's configuration, and many company proxies reject that for plain HTTP: they expect
//! the whole URL in the request line (RFC 9112, section 3.2.2, "absolute-form"). So plain HTTP
//! requests are sent in that form.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::location::host_and_port;

/// The proxies for HTTP and HTTPS URLs.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    pub http: Option<String>,
    pub https: Option<String>,
    /// Hosts that are reached without a proxy: names, domains, addresses, networks, or `*`.
    pub direct: Vec<String>,
}

impl Proxies {
    /// Reads the environment: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, or the same
    /// in capitals. `HTTP_PROXY` is ignored, because a CGI server sets it from a header of the
    /// request.
    pub fn of_environment() -> Self {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        };
        let direct = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Self {
            http: first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            direct: direct
                .split([',', ' '])
                .filter(|host| !host.is_empty())
                .map(String::from)
                .collect(),
        }
    }

    /// The proxy for a URL.
    pub fn for_url(&self, url: &str) -> Option<&str> {
        let (scheme, _) = url.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        let default_port = if is_https { 443 } else { 80 };
        let (host, port) = split_port(host_and_port(url));
        let port = port.unwrap_or(default_port);
        if self.direct.iter().any(|it| is_match(it, host, port)) {
            return None;
        }
        match is_https {
            true => self.https.as_deref(),
            false => self.http.as_deref(),
        }
    }
}

/// Splits `name:80`, `[::1]:80` and `[::1]`. Brackets of IPv6 addresses are removed.
fn split_port(text: &str) -> (&str, Option<u16>) {
    let number = |port: &str| port.parse().ok();
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(number));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, number(port)),
        _ => (text, None),
    }
}

/// Whether an entry of `no_proxy` matches a host. An entry is `*`, a name (which also matches its
/// subdomains), an address or a network such as `10.0.0.0/8`. A name or an address may have a port.
fn is_match(entry: &str, host: &str, port: u16) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if let Some((network, bits)) = entry.split_once('/') {
        let network = split_port(network).0.parse();
        return match (network, bits.parse(), address) {
            (Ok(network), Ok(bits), Some(address)) => is_in(address, network, bits),
            _ => false,
        };
    }
    let (name, wanted_port) = split_port(entry);
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let (Ok(wanted), Some(address)) = (name.parse::<IpAddr>(), address) {
        return wanted == address;
    }
    let trim = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (name, host) = (trim(name), trim(host));
    let name = name.trim_start_matches('*').trim_start_matches('.');
    let below = || host.strip_suffix(name).is_some_and(|it| it.ends_with('.'));
    name.is_empty() || host == name || below()
}

/// Whether the first `bits` bits of the addresses are equal.
fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        bits <= width && (one ^ other).checked_shr(width - bits).unwrap_or(0) == 0
    };
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            same(one.to_bits().into(), other.to_bits().into(), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

/// Whether a proxy accepts requests in absolute form here: it speaks plain HTTP and needs no
/// password.
pub fn takes_absolute_form(proxy: &str) -> bool {
    !proxy.contains('@') && (proxy.starts_with("http://") || !proxy.contains("://"))
}

/// The URL to request so that [`AbsoluteForm`] turns it into a request to `proxy` for `url`.
pub fn absolute_form(proxy: &str, url: &str) -> String {
    let proxy = proxy.trim_start_matches("http://").trim_end_matches('/');
    format!("http://{proxy}/{}{url}", mark())
}

/// Marks request lines to rewrite. It is random, so that it does not occur in a body.
fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    let random = || RandomState::new().build_hasher().finish();
    MARK.get_or_init(|| format!("{:016x}{:016x}", random(), random()))
}

/// Removes the slash and the mark in front of `http://` in a request line. The HTTP library always
/// writes a slash there.
#[derive(Debug)]
pub struct AbsoluteForm;

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = AbsoluteFormTransport<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(AbsoluteFormTransport))
    }
}

/// A connection to a proxy.
#[derive(Debug)]
pub struct AbsoluteFormTransport<T>(T);

impl<T: Transport> Transport for AbsoluteFormTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.0.buffers().output();
        let amount = without_mark(output, amount);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }
}

/// Removes the mark in place and returns the new length.
fn without_mark(output: &mut [u8], amount: usize) -> usize {
    let start = format!("/{}", mark());
    let line = output[..amount].split(|&byte| byte == b'\r').next();
    let line = line.unwrap_or_default();
    let method = line.iter().position(|&byte| byte == b' ');
    match method {
        Some(space) if line[space + 1..].starts_with(start.as_bytes()) => {
            output.copy_within(space + 1 + start.len()..amount, space + 1);
            amount - start.len()
        }
        _ => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bypasses_the_proxy_for_some_hosts() {
        let proxies = Proxies {
            http: Some("http://proxy.example:3128".into()),
            https: None,
            direct: vec![
                "127.0.0.1".into(),
                ".inside.example".into(),
                "near.example".into(),
            ],
        };
        for (url, proxied) in [
            ("http://mirror.example/debian", true),
            ("https://mirror.example/debian", false),
            ("http://127.0.0.1:8080/debian", false),
            ("http://a.inside.example/", false),
            ("http://near.example", false),
            ("http://not-near.example", true),
        ] {
            assert_eq!(proxies.for_url(url).is_some(), proxied, "{url}");
        }
        let all = Proxies {
            direct: vec!["*".into()],
            ..proxies
        };
        assert_eq!(all.for_url("http://mirror.example/"), None);
    }

    #[test]
    fn no_proxy_supports_ports_addresses_networks_and_any_case() {
        let http = Some("http://proxy.example:3128".to_owned());
        for (direct, url, proxied) in [
            ("Inside.Example", "http://A.INSIDE.example./", false),
            ("inside.example", "http://ada:secret@inside.example/", false),
            ("inside.example:8080", "http://inside.example:8080/", false),
            ("inside.example:8080", "http://inside.example/", true),
            ("inside.example:80", "http://inside.example/", false),
            ("[::1]", "http://[::1]:5000/", false),
            ("::1", "http://[::1]/", false),
            ("[::1]:5000", "http://[::1]:5001/", true),
            ("10.0.0.0/8", "http://10.1.2.3:5000/", false),
            ("10.0.0.0/8", "http://11.1.2.3/", true),
            ("0.0.0.0/0", "http://11.1.2.3/", false),
            ("fd00::/8", "http://[fd12::1]/", false),
            ("fd00::/8", "http://10.1.2.3/", true),
            ("10.0.0.0/99", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://inside.example/", true),
        ] {
            let proxies = Proxies {
                http: http.clone(),
                https: None,
                direct: vec![direct.into()],
            };
            assert_eq!(proxies.for_url(url).is_some(), proxied, "{direct} {url}");
        }
    }

    #[test]
    fn rewrites_the_request_line_to_absolute_form() {
        let sent = |text: String| {
            let mut output = text.into_bytes();
            let length = output.len();
            let length = without_mark(&mut output, length);
            String::from_utf8(output[..length].to_vec()).unwrap()
        };
        let address = absolute_form("http://proxy.example:3128/", "http://m.example/x");
        let path = address.strip_prefix("http://proxy.example:3128").unwrap();
        for method in ["GET", "PATCH"] {
            let line = sent(format!("{method} {path} HTTP/1.1\r\n\r\n..."));
            assert_eq!(
                line,
                format!("{method} http://m.example/x HTTP/1.1\r\n\r\n...")
            );
        }
        // A body that looks like a request line is unchanged.
        let body = "GET /http://m.example/x HTTP/1.1\r\n";
        assert_eq!(sent(body.to_owned()), body);
    }
}
