//! HTTP client for registries. It keeps the connections per host and the result of the API version
//! check per registry, so that each registry is probed once.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slipway_http::{
    Agents, Proxies, RetryPolicy, agent_config, host_and_port, is_transient, resolve, retry_after,
};
use ureq::http::Response;
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::error::quote;
use crate::error_response::ErrorResponse;
use crate::reference::DEFAULT_HOST;
use crate::retry::{Failure, Tries, Work};
use crate::tls::{Tls, TlsOptions};
use crate::{Error, Repository, Result};

/// Host of the API of Docker Hub.
const DOCKER_API: &str = "registry-1.docker.io";

/// Maximum number of redirects per request.
const MOST_REDIRECTS: usize = 5;

/// Connection settings for registries.
#[derive(Clone, Debug)]
pub struct Options {
    pub credentials: Credentials,
    pub tls: TlsOptions,
    /// Whether to use plain HTTP for hosts other than loopback.
    pub plain_http: bool,
    /// Number of blobs to transfer in parallel.
    pub jobs: usize,
    pub retry: RetryPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            tls: TlsOptions::default(),
            plain_http: false,
            jobs: 4,
            retry: RetryPolicy::default(),
        }
    }
}

/// Sends requests to registries. It can be shared between threads.
#[derive(Debug)]
pub struct Client {
    pub(crate) options: Options,
    pub(crate) mount_from: Vec<Repository>,
    tls: Tls,
    /// Connections per host, and whether the user named the host.
    hosts: Mutex<HashMap<String, (Arc<Agents>, bool)>>,
    registries: Mutex<HashMap<String, Arc<Registry>>>,
}

/// A registry that has answered the API version check.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Host name as given by the user.
    pub host: String,
    /// `https://host`.
    pub origin: String,
    pub challenge: Mutex<Option<Challenge>>,
}

/// A request that can be sent again.
pub(crate) struct Request<'a> {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Sending<'a>,
}

pub(crate) enum Sending<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Stream(&'a mut dyn Stream),
}

/// A request body that is read from a stream.
pub(crate) trait Stream: std::io::Read {
    fn size(&self) -> u64;
    /// Rewinds to the start of the body.
    fn rewind(&mut self) -> Result<()>;
}

impl<'a> Request<'a> {
    pub fn new(method: &'static str, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Sending::Nothing,
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(self, body: Sending<'a>) -> Self {
        Self { body, ..self }
    }

    pub fn is_read(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

impl Client {
    pub fn new(options: Options) -> Self {
        Self {
            tls: Tls::new(options.tls.clone()),
            options,
            mount_from: Vec::new(),
            hosts: Mutex::default(),
            registries: Mutex::default(),
        }
    }

    /// Sets repositories to mount blobs from when pushing to the same registry.
    pub fn mounting(self, mount_from: Vec<Repository>) -> Self {
        Self { mount_from, ..self }
    }

    /// Returns the registry of a repository. The first call sends the API version check.
    pub(crate) fn registry(&self, repository: &Repository, work: &Work) -> Result<Arc<Registry>> {
        // Keep the lock during the request, so that only one thread sends it.
        let mut registries = lock(&self.registries);
        if let Some(registry) = registries.get(repository.host()) {
            return Ok(registry.clone());
        }
        let registry = Arc::new(self.ping(repository.host(), work)?);
        registries.insert(registry.host.clone(), registry.clone());
        Ok(registry)
    }

    /// Sends the API version check, `GET /v2/`. Source: OCI distribution-spec, "Determining
    /// Support".
    fn ping(&self, host: &str, work: &Work) -> Result<Registry> {
        let authority = match host {
            DEFAULT_HOST => DOCKER_API,
            other => other,
        };
        let mut schemes: &[&str] = match (self.options.plain_http, is_loopback(authority)) {
            (true, _) => &["http"],
            (false, true) => &["https", "http"],
            (false, false) => &["https"],
        };
        self.agents(authority, true)?;
        let mut tries = Tries::new(&self.options.retry, work);
        let mut redirects = 0;
        let mut redirected = None;
        loop {
            let origin = format!("{}://{authority}", schemes[0]);
            let url = redirected.take().unwrap_or(format!("{origin}/v2/"));
            let failure = match self.transmit(Request::new("GET", url.clone()), None) {
                Ok(response) if response.status().is_redirection() => {
                    redirected = Some(self.redirect(&url, &response, &mut redirects)?);
                    continue;
                }
                Ok(response) => match retriable(host, response) {
                    Ok(response) => return registry(host, origin, response),
                    Err(failure) => failure,
                },
                // Like Docker, fall back to plain HTTP on loopback.
                Err(Transmission { tls: false, .. }) if schemes.len() > 1 => {
                    schemes = &schemes[1..];
                    continue;
                }
                Err(failed) => failed.at_first_contact(),
            };
            tries.pause(failure)?;
        }
    }

    /// Sends a request once and returns any response, including redirects.
    pub(crate) fn transmit(
        &self,
        request: Request,
        authorization: Option<&str>,
    ) -> std::result::Result<Response<Body>, Transmission> {
        let host = host_and_port(&request.url).to_owned();
        let failed = |error: Error| Transmission::new(Failure::Permanent(error));
        let agents = self.agents(&host, false).map_err(failed)?;
        let route = agents.route(&request.url).map_err(|reason| {
            failed(Error::Unreachable {
                host: host.clone(),
                reason,
            })
        })?;
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(&route.address);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(host) = &route.host {
            builder = builder.header("Host", host);
        }
        if let Some(authorization) = authorization.or(route.authorization.as_deref()) {
            builder = builder.header("Authorization", authorization);
        }
        let bad = |error: ureq::http::Error| {
            failed(Error::Protocol {
                what: host.clone(),
                reason: format!("a request cannot be made: {error}"),
            })
        };
        let answer = self.options.retry.answer;
        let sent = match request.body {
            Sending::Nothing if matches!(request.method, "POST" | "PUT" | "PATCH") => {
                let built = builder.header("Content-Length", "0").body(&[][..]);
                run(route.agent, built.map_err(bad)?, answer)
            }
            Sending::Nothing => route.agent.run(builder.body(()).map_err(bad)?),
            Sending::Bytes(bytes) => run(route.agent, builder.body(bytes).map_err(bad)?, answer),
            Sending::Stream(stream) => {
                let builder = builder.header("Content-Length", stream.size());
                let mut reader = stream;
                let body = SendBody::from_reader(&mut reader);
                run(route.agent, builder.body(body).map_err(bad)?, answer)
            }
        };
        let mut response = sent.map_err(|error| Transmission::of(&host, error))?;
        response.extensions_mut().insert(Address(request.url));
        Ok(response)
    }

    /// Returns the target of a redirect from `url`. `followed` counts the redirects of one request.
    pub(crate) fn redirect(
        &self,
        url: &str,
        response: &Response<Body>,
        followed: &mut usize,
    ) -> Result<String> {
        *followed += 1;
        if *followed > MOST_REDIRECTS {
            return Err(Error::Protocol {
                what: host_and_port(url).to_owned(),
                reason: format!("it redirects more than {MOST_REDIRECTS} times"),
            });
        }
        let location = response.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok());
        self.follow(url, location.unwrap_or_default())
    }

    /// Returns the connections to a host. `named` tells that the user, not a registry, named the
    /// host.
    fn agents(&self, host: &str, named: bool) -> Result<Arc<Agents>> {
        let mut hosts = lock(&self.hosts);
        if let Some((agents, as_named)) = hosts.get(host) {
            if *as_named || !named {
                return Ok(agents.clone());
            }
        }
        let tls = self.tls.config(host, named)?;
        let proxies = match is_loopback(host) {
            true => Proxies::default(),
            false => Proxies::of_environment(),
        };
        let agents = Arc::new(Agents::new(proxies, |proxy| {
            agent_config(&self.options.retry, tls.clone(), proxy)
        }));
        hosts.insert(host.to_owned(), (agents.clone(), named));
        Ok(agents)
    }

    /// Resolves the `Location` of a response from `from`. Refuses targets that downgrade https to
    /// http, and plain HTTP to other hosts unless the options allow it.
    pub(crate) fn follow(&self, from: &str, location: &str) -> Result<String> {
        let refuse = |reason: String| Error::Protocol {
            what: host_and_port(from).to_owned(),
            reason,
        };
        let url = resolve(from, location).ok_or_else(|| {
            refuse(format!(
                "it leads to {:?}, which is not an address",
                quote(location)
            ))
        })?;
        self.check_encrypted(from, &url)?;
        Ok(url)
    }

    pub(crate) fn check_encrypted(&self, from: &str, url: &str) -> Result<()> {
        let fine = url.starts_with("https://")
            || from.starts_with("http://")
                && (self.options.plain_http || is_loopback(host_and_port(url)));
        match fine {
            true => Ok(()),
            false => Err(Error::Protocol {
                what: host_and_port(from).to_owned(),
                reason: format!(
                    "it leads to {}, which is not encrypted; refused",
                    quote(host_and_port(url))
                ),
            }),
        }
    }
}

/// Sends a request whose response may take long, because the registry first validates and stores
/// the body.
fn run<S: AsSendBody>(
    agent: &Agent,
    request: ureq::http::Request<S>,
    answer: Duration,
) -> std::result::Result<Response<Body>, ureq::Error> {
    let request = agent.configure_request(request);
    agent.run(request.timeout_per_read(Some(answer)).build())
}

/// URL that a response came from. After redirects it differs from the URL of the first request.
#[derive(Clone)]
struct Address(String);

pub(crate) fn address(response: &Response<Body>) -> String {
    let address = response.extensions().get::<Address>();
    address.map(|Address(url)| url.clone()).unwrap_or_default()
}

/// Creates the registry from its response to the API version check.
fn registry(host: &str, origin: String, response: Response<Body>) -> Result<Registry> {
    let challenge = challenge(&response);
    match response.status().as_u16() {
        200..=299 | 401 | 403 => Ok(Registry {
            host: host.to_owned(),
            origin,
            challenge: Mutex::new(challenge),
        }),
        // Other kinds of servers and registries with the v1 protocol respond like this.
        status => Err(Error::NotARegistry {
            host: host.to_owned(),
            reason: format!(
                "it answers {status}{} at /v2/",
                ErrorResponse::read(response).said
            ),
        }),
    }
}

pub(crate) fn challenge(response: &Response<Body>) -> Option<Challenge> {
    let values = response.headers().get_all("www-authenticate");
    Challenge::choose(values.iter().filter_map(|value| value.to_str().ok()))
}

/// Returns the response, or a transient failure if its status calls for a retry.
pub(crate) fn retriable(
    host: &str,
    response: Response<Body>,
) -> std::result::Result<Response<Body>, Failure> {
    if !is_transient(response.status().as_u16()) {
        return Ok(response);
    }
    let after = retry_after(response.headers());
    let status = response.status();
    let mut reason = format!("it answers {status}{}", ErrorResponse::read(response).said);
    if let Some(after) = after {
        reason += &format!(" and asks to wait {} s", after.as_secs());
    }
    let host = host.to_owned();
    Err(Failure::Transient(Error::GaveUp { host, reason }, after))
}

/// A request that failed without a response.
pub(crate) struct Transmission {
    failure: Failure,
    /// Whether the server spoke TLS, as far as known.
    tls: bool,
    /// Whether the connection could not be established.
    connecting: bool,
}

impl Transmission {
    fn new(failure: Failure) -> Self {
        Self {
            failure,
            tls: true,
            connecting: false,
        }
    }

    fn of(host: &str, error: ureq::Error) -> Self {
        let host = host.to_owned();
        let transient = |reason: String| {
            Failure::Transient(
                Error::GaveUp {
                    host: host.clone(),
                    reason,
                },
                None,
            )
        };
        match error {
            ureq::Error::HostNotFound => Self {
                connecting: true,
                ..Self::new(transient("no address is known for this name".into()))
            },
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => Self {
                connecting: true,
                ..Self::new(transient("no connection in time".into()))
            },
            ureq::Error::Timeout(_) => Self::new(transient("no answer in time".into())),
            ureq::Error::Rustls(error) => Self::of_tls(host, &error),
            ureq::Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref()) {
                Some(tls) => Self::of_tls(host, tls),
                // Resolver errors have no error kind of their own.
                None if error.to_string().starts_with("failed to lookup address") => Self {
                    connecting: true,
                    ..Self::new(transient("no address is known for this name".into()))
                },
                None => Self {
                    tls: !matches!(
                        error.kind(),
                        ErrorKind::UnexpectedEof
                            | ErrorKind::ConnectionReset
                            | ErrorKind::BrokenPipe
                    ),
                    connecting: matches!(
                        error.kind(),
                        ErrorKind::ConnectionRefused
                            | ErrorKind::HostUnreachable
                            | ErrorKind::NetworkUnreachable
                    ),
                    failure: transient(format!("the connection failed: {error}")),
                },
            },
            other => Self::new(transient(format!(
                "the connection failed: {}",
                quote(&other.to_string())
            ))),
        }
    }

    fn of_tls(host: String, error: &rustls::Error) -> Self {
        use rustls::{AlertDescription as Alert, CertificateError as Certificate};
        let bad = |reason: &str| Error::BadCertificate {
            host: host.clone(),
            reason: reason.to_owned(),
        };
        let (error, tls) = match error {
            rustls::Error::InvalidCertificate(certificate) => {
                let error = match certificate {
                    Certificate::UnknownIssuer => Error::UnknownAuthority { host },
                    Certificate::Expired | Certificate::ExpiredContext { .. } => {
                        bad("it has expired, or this machine's clock is wrong")
                    }
                    Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                        bad("it is not valid yet, or this machine's clock is wrong")
                    }
                    Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                        bad("it is for another name")
                    }
                    // The verifier has no variants for these errors, only texts.
                    other if other.to_string().contains("CaUsedAsEndEntity") => bad(
                        "it is an authority's own (CA:TRUE); give the server one that is signed by it (CA:FALSE)",
                    ),
                    other => bad(&quote(&other.to_string())),
                };
                (error, true)
            }
            rustls::Error::InvalidMessage(_) => (Error::NotTls { host }, false),
            rustls::Error::AlertReceived(
                Alert::CertificateRequired | Alert::BadCertificate | Alert::HandshakeFailure,
            ) => (Error::WantsClientCertificate { host }, true),
            other => (
                Error::Unreachable {
                    reason: format!("TLS failed: {}", quote(&other.to_string())),
                    host,
                },
                true,
            ),
        };
        Self {
            tls,
            ..Self::new(Failure::Permanent(error))
        }
    }

    /// On first contact with a host, treat an unknown host name as a permanent failure.
    fn at_first_contact(self) -> Failure {
        match self.failure {
            Failure::Transient(Error::GaveUp { host, reason }, _) if self.connecting => {
                Failure::Permanent(Error::Unreachable { host, reason })
            }
            other => other,
        }
    }
}

impl From<Transmission> for Failure {
    fn from(failed: Transmission) -> Self {
        failed.failure
    }
}

/// Reports whether a host (with or without port) is `localhost` or a loopback address.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Locks a mutex and ignores poisoning: every update is a single statement, so the data is
/// consistent after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_loopback_hosts() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example",
            "128.0.0.1",
            "registry.example:127",
            "[::2]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn refuses_redirects_to_unencrypted_urls() {
        let client = Client::new(Options::default());
        for (from, to, fine) in [
            ("https://h.example/v2/", "/v2/x", true),
            ("https://h.example/v2/", "https://other.example/x", true),
            ("https://h.example/v2/", "http://h.example/x", false),
            ("https://h.example/v2/", "http://127.0.0.1/x", false),
            ("http://127.0.0.1/v2/", "http://localhost:5000/x", true),
            ("http://127.0.0.1/v2/", "http://h.example/x", false),
            ("http://127.0.0.1/v2/", "file:///etc/passwd", false),
        ] {
            assert_eq!(client.follow(from, to).is_ok(), fine, "{from} {to}");
        }
    }
}
