//! One client serves many requests to a few hosts: here are their connections, and what was found
//! out about each registry, which is asked for once.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use slipway_http::{Agents, Proxies, authority, resolve};
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::TlsConfig;
use ureq::{Agent, AsSendBody, Body, Proxy, SendBody};

use crate::answer::Answer;
use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::error::quote;
use crate::patience::{Failure, Patience, Tries, Work, retry_after};
use crate::reference::DEFAULT_HOST;
use crate::tls::{Tls, Trust};
use crate::{Error, Repository, Result};

/// Where Docker's registry really is.
const DOCKER_API: &str = "registry-1.docker.io";

/// How often a request may be sent on to another address.
const MOST_REDIRECTS: usize = 5;

/// How a registry is talked to.
#[derive(Clone, Debug)]
pub struct Options {
    pub credentials: Credentials,
    pub trust: Trust,
    /// Whether hosts that are not this machine are talked to without encryption.
    pub plain_http: bool,
    /// How many blobs are under way at a time.
    pub jobs: usize,
    pub patience: Patience,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            trust: Trust::default(),
            plain_http: false,
            jobs: 4,
            patience: Patience::default(),
        }
    }
}

/// Sends requests to registries. May be used by several threads at once.
#[derive(Debug)]
pub struct Client {
    pub(crate) options: Options,
    pub(crate) mount_from: Vec<Repository>,
    tls: Tls,
    /// With whether the user named the host.
    hosts: Mutex<HashMap<String, (Arc<Agents>, bool)>>,
    registries: Mutex<HashMap<String, Arc<Registry>>>,
}

/// What is known of a registry.
#[derive(Debug)]
pub(crate) struct Registry {
    /// As the user calls it.
    pub host: String,
    /// `https://host`.
    pub origin: String,
    pub challenge: Mutex<Option<Challenge>>,
}

/// A request, and what it takes to send it again.
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

/// A body that is read from somewhere.
pub(crate) trait Stream: std::io::Read {
    fn size(&self) -> u64;
    /// Begins anew.
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
            tls: Tls::new(options.trust.clone()),
            options,
            mount_from: Vec::new(),
            hosts: Mutex::default(),
            registries: Mutex::default(),
        }
    }

    /// The same, for pushes to registries on which these repositories may have some of the blobs.
    pub fn mounting(self, mount_from: Vec<Repository>) -> Self {
        Self { mount_from, ..self }
    }

    /// The registry of a repository; asks it how it wants to be asked, the first time.
    pub(crate) fn registry(&self, repository: &Repository, work: &Work) -> Result<Arc<Registry>> {
        // Held on purpose, so that only one thread asks.
        let mut registries = lock(&self.registries);
        if let Some(registry) = registries.get(repository.host()) {
            return Ok(registry.clone());
        }
        let registry = Arc::new(self.ping(repository.host(), work)?);
        registries.insert(registry.host.clone(), registry.clone());
        Ok(registry)
    }

    /// Source: OCI distribution-spec, "Determining Support".
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
        let mut tries = Tries::new(&self.options.patience, work);
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
                // Docker's rule for what is on this machine anyway.
                Err(Transmission { tls: false, .. }) if schemes.len() > 1 => {
                    schemes = &schemes[1..];
                    continue;
                }
                Err(failed) => failed.at_first_contact(),
            };
            tries.pause(failure)?;
        }
    }

    /// Sends a request once and gives whatever comes back, also a redirect.
    pub(crate) fn transmit(
        &self,
        request: Request,
        authorization: Option<&str>,
    ) -> std::result::Result<Response<Body>, Transmission> {
        let host = authority(&request.url).to_owned();
        let failed = |error: Error| Transmission::new(Failure::Final(error));
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
        if let Some(authorization) = authorization {
            builder = builder.header("Authorization", authorization);
        }
        let bad = |error: ureq::http::Error| {
            failed(Error::Protocol {
                what: host.clone(),
                reason: format!("a request cannot be made: {error}"),
            })
        };
        let answer = self.options.patience.answer;
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

    /// Where a redirect from `url` leads. `followed` counts those of one request.
    pub(crate) fn redirect(
        &self,
        url: &str,
        response: &Response<Body>,
        followed: &mut usize,
    ) -> Result<String> {
        *followed += 1;
        if *followed > MOST_REDIRECTS {
            return Err(Error::Protocol {
                what: authority(url).to_owned(),
                reason: format!("it redirects more than {MOST_REDIRECTS} times"),
            });
        }
        let location = response.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok());
        self.follow(url, location.unwrap_or_default())
    }

    /// The connections to a host; `named` if it is the user who named it, and not a registry.
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
            config(&self.options, tls.clone(), proxy)
        }));
        hosts.insert(host.to_owned(), (agents.clone(), named));
        Ok(agents)
    }

    /// Where an answer from `from` leads, if it is a place to go: not from https to http, and to
    /// other hosts over http only if this is allowed at all.
    pub(crate) fn follow(&self, from: &str, location: &str) -> Result<String> {
        let refuse = |reason: String| Error::Protocol {
            what: authority(from).to_owned(),
            reason,
        };
        let url = resolve(from, location).ok_or_else(|| {
            refuse(format!(
                "it leads to {:?}, which is no address",
                quote(location)
            ))
        })?;
        self.check_encrypted(from, &url)?;
        Ok(url)
    }

    pub(crate) fn check_encrypted(&self, from: &str, url: &str) -> Result<()> {
        let fine = url.starts_with("https://")
            || from.starts_with("http://")
                && (self.options.plain_http || is_loopback(authority(url)));
        match fine {
            true => Ok(()),
            false => Err(Error::Protocol {
                what: authority(from).to_owned(),
                reason: format!(
                    "it leads to {}, which is not encrypted; refused",
                    quote(authority(url))
                ),
            }),
        }
    }
}

/// Sends what has an answer that may take long: a registry checks and moves what it was sent first.
fn run<S: AsSendBody>(
    agent: &Agent,
    request: ureq::http::Request<S>,
    answer: Duration,
) -> std::result::Result<Response<Body>, ureq::Error> {
    let request = agent.configure_request(request);
    agent.run(request.timeout_per_read(Some(answer)).build())
}

/// Where an answer came from, which after redirects is not where the request went first.
#[derive(Clone)]
struct Address(String);

pub(crate) fn address(response: &Response<Body>) -> String {
    let address = response.extensions().get::<Address>();
    address.map(|Address(url)| url.clone()).unwrap_or_default()
}

/// The registry, from its answer to the first request.
fn registry(host: &str, origin: String, response: Response<Body>) -> Result<Registry> {
    let challenge = challenge(&response);
    match response.status().as_u16() {
        200..=299 | 401 | 403 => Ok(Registry {
            host: host.to_owned(),
            origin,
            challenge: Mutex::new(challenge),
        }),
        // It is how a server of another kind, or of the protocol's first version, answers.
        status => Err(Error::NotARegistry {
            host: host.to_owned(),
            reason: format!("it answers {status}{} at /v2/", Answer::read(response).said),
        }),
    }
}

pub(crate) fn challenge(response: &Response<Body>) -> Option<Challenge> {
    let values = response.headers().get_all("www-authenticate");
    Challenge::choose(values.iter().filter_map(|value| value.to_str().ok()))
}

/// The answer, unless it is one that says "not now".
pub(crate) fn retriable(
    host: &str,
    response: Response<Body>,
) -> std::result::Result<Response<Body>, Failure> {
    if !matches!(
        response.status().as_u16(),
        408 | 429 | 500 | 502 | 503 | 504
    ) {
        return Ok(response);
    }
    let after = response.headers().get("retry-after");
    let after = after
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, SystemTime::now()));
    let status = response.status();
    let mut reason = format!("it answers {status}{}", Answer::read(response).said);
    if let Some(after) = after {
        reason += &format!(" and asks to wait {} s", after.as_secs());
    }
    let host = host.to_owned();
    Err(Failure::Passing(Error::GaveUp { host, reason }, after))
}

/// A request that got no answer.
pub(crate) struct Transmission {
    failure: Failure,
    /// Whether the other side spoke TLS, as far as is known.
    tls: bool,
    /// Whether there was no connection at all.
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
        let passing = |reason: String| {
            Failure::Passing(
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
                ..Self::new(passing("no address is known for this name".into()))
            },
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => Self {
                connecting: true,
                ..Self::new(passing("no connection in time".into()))
            },
            ureq::Error::Timeout(_) => Self::new(passing("no answer in time".into())),
            ureq::Error::Rustls(error) => Self::of_tls(host, &error),
            ureq::Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref()) {
                Some(tls) => Self::of_tls(host, tls),
                // What the resolver says has no kind of its own.
                None if error.to_string().starts_with("failed to lookup address") => Self {
                    connecting: true,
                    ..Self::new(passing("no address is known for this name".into()))
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
                    failure: passing(format!("the connection failed: {error}")),
                },
            },
            other => Self::new(passing(format!(
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
                    // Nothing more is known of the kinds that the verifier does not name.
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
            ..Self::new(Failure::Final(error))
        }
    }

    /// When nothing is known of the host yet, a name that does not exist is a mistake and no
    /// accident.
    fn at_first_contact(self) -> Failure {
        match self.failure {
            Failure::Passing(Error::GaveUp { host, reason }, _) if self.connecting => {
                Failure::Final(Error::Unreachable { host, reason })
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

fn config(options: &Options, tls: TlsConfig, proxy: Option<Proxy>) -> Config {
    let Patience {
        connect,
        answer,
        stall,
        ..
    } = options.patience;
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(answer))
        .timeout_per_read(Some(stall))
        .timeout_per_write(Some(stall))
        .tls_config(tls)
        .max_idle_connections_per_host(options.jobs)
        .proxy(proxy)
        .build()
}

/// Whether a host, perhaps with a port, is this machine: `localhost` or a loopback address.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// What a thread that panicked left is whole all the same: each change is made at once.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
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
    fn no_redirect_leads_out_of_encryption() {
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
