//! Proxies, as apt and the environment name them.
//!
//! The HTTP library asks every proxy for a tunnel (`CONNECT`). Caches for packages, which is what a
//! proxy in apt's configuration mostly is, and the usual company proxy refuse that for plain HTTP:
//! they want the whole address in the request line (RFC 9112, section 3.2.2, "absolute-form"). So
//! requests for plain HTTP are sent that way.

use std::env;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Which proxy serves which address.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    pub http: Option<String>,
    pub https: Option<String>,
    /// Hosts that are reached without one: names, ends of names, or `*`.
    pub direct: Vec<String>,
}

impl Proxies {
    /// Those of the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, and in
    /// capitals but for the first, which a CGI server would set to what its client likes).
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

    /// The proxy for an address.
    pub fn for_url(&self, url: &str) -> Option<&str> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next().unwrap_or(rest);
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        };
        if self.direct.iter().any(|pattern| is_match(pattern, host)) {
            return None;
        }
        if scheme == "https" {
            self.https.as_deref()
        } else {
            self.http.as_deref()
        }
    }
}

fn is_match(pattern: &str, host: &str) -> bool {
    let name = pattern.trim_start_matches('*').trim_start_matches('.');
    name.is_empty()
        || host == name
        || host
            .strip_suffix(name)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// Whether a proxy can be sent requests in absolute form: it speaks plain HTTP and wants no
/// password.
pub fn takes_absolute_form(proxy: &str) -> bool {
    !proxy.contains('@') && (proxy.starts_with("http://") || !proxy.contains("://"))
}

/// The address to ask for so that [`AbsoluteForm`] makes of it a request to `proxy` for `url`.
pub fn absolute_form(proxy: &str, url: &str) -> String {
    let proxy = proxy.trim_start_matches("http://").trim_end_matches('/');
    format!("http://{proxy}/{url}")
}

/// Takes the slash from before `http://` in a request line, which no address for the HTTP library
/// can be without.
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
        let amount = without_slash(output, amount);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }
}

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Gives the new length.
fn without_slash(output: &mut [u8], amount: usize) -> usize {
    let slash = METHODS.iter().find_map(|method| {
        let rest = output[..amount].strip_prefix(method.as_bytes())?;
        rest.starts_with(b" /http://").then_some(method.len() + 1)
    });
    match slash {
        Some(slash) => {
            output.copy_within(slash + 1..amount, slash);
            amount - 1
        }
        None => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hosts_are_reached_without_a_proxy() {
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
    fn a_request_line_gets_the_whole_address() {
        assert_eq!(
            absolute_form("http://proxy.example:3128/", "http://m.example/x"),
            "http://proxy.example:3128/http://m.example/x"
        );
        let mut output = *b"GET /http://m.example/x HTTP/1.1\r\n\r\n...";
        let length = without_slash(&mut output, 36);
        assert_eq!(
            &output[..length],
            b"GET http://m.example/x HTTP/1.1\r\n\r\n"
        );
        let mut output = *b"PATCH /http://m.example/x HTTP/1.1\r\n";
        let length = without_slash(&mut output, 36);
        assert_eq!(&output[..length], b"PATCH http://m.example/x HTTP/1.1\r\n");
        let mut other = *b"GET /x HTTP/1.1\r\n";
        assert_eq!(without_slash(&mut other, 17), 17);
    }
}
