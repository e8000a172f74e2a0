//! Authenticated access to one repository, with retries of transient failures.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use slipway_http::{host_and_port, is_same_origin};
use slipway_oci::Digest;
use ureq::Body;
use ureq::http::Response;

use crate::challenge::Challenge;
use crate::client::{Client, Registry, Request, Sending, challenge, lock, retriable};
use crate::credentials::Found;
use crate::error::quote;
use crate::error_response::ErrorResponse;
use crate::retry::{Failure, Tries, Work};
use crate::secret::{Credential, Secret, basic};
use crate::token::Grant;
use crate::{Error, Repository, Result};

/// Size limit on the response of a token endpoint, in bytes.
const TOKEN_LIMIT: u64 = 1 << 20;

/// The access that a session needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pull,
    Push,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Action::Pull => "pull from",
            Action::Push => "push to",
        }
    }

    fn scope(self, path: &str) -> String {
        match self {
            Action::Pull => format!("repository:{path}:pull"),
            Action::Push => format!("repository:{path}:pull,push"),
        }
    }
}

/// A repository with the credentials to access it.
pub(crate) struct Session<'a> {
    pub client: &'a Client,
    pub registry: Arc<Registry>,
    pub repository: Repository,
    pub work: &'a Work<'a>,
    action: Action,
    found: OnceLock<Found>,
    /// Tokens by their scopes.
    tokens: Mutex<HashMap<Vec<String>, Token>>,
}

struct Token {
    value: Secret,
    good_until: Instant,
}

impl<'a> Session<'a> {
    pub fn open(
        client: &'a Client,
        repository: &Repository,
        action: Action,
        work: &'a Work<'a>,
    ) -> Result<Self> {
        Ok(Self {
            client,
            registry: client.registry(repository, work)?,
            repository: repository.clone(),
            work,
            action,
            found: OnceLock::new(),
            tokens: Mutex::default(),
        })
    }

    /// Returns the URL of a resource in the repository, such as `manifests/latest`.
    pub fn url(&self, what: &str) -> String {
        format!(
            "{}/v2/{}/{what}",
            self.registry.origin,
            self.repository.path()
        )
    }

    pub fn tries(&self) -> Tries<'a> {
        Tries::new(&self.client.options.retry, self.work)
    }

    /// Sends a request and retries transient failures. `make` creates the request for each attempt.
    pub fn send<'r>(&self, make: impl Fn() -> Request<'r>) -> Result<Response<Body>> {
        let mut tries = self.tries();
        loop {
            match self.attempt(make(), &[]) {
                Ok(response) => return Ok(response),
                Err(failure) => tries.pause(failure)?,
            }
        }
    }

    /// Sends a request once, and again only to authenticate and to follow redirects. `others` lists
    /// additional scopes that it needs.
    pub fn attempt(
        &self,
        mut request: Request,
        others: &[String],
    ) -> std::result::Result<Response<Body>, Failure> {
        let mut scopes = vec![self.action.scope(self.repository.path())];
        scopes.extend_from_slice(others);
        let mut refused = false;
        let mut redirects = 0;
        loop {
            // Send credentials only to the registry itself, never to another host.
            let own = is_same_origin(&request.url, &self.registry.origin);
            let authorization = match own {
                true => self.authorization(&scopes)?,
                false => None,
            };
            let url = request.url.clone();
            let answered = self.client.transmit(
                Request {
                    method: request.method,
                    url: request.url.clone(),
                    headers: request.headers.clone(),
                    body: match &mut request.body {
                        Sending::Nothing => Sending::Nothing,
                        Sending::Bytes(bytes) => Sending::Bytes(bytes),
                        Sending::Stream(stream) => Sending::Stream(&mut **stream),
                    },
                },
                authorization.as_ref().map(Secret::reveal),
            )?;
            let host = match own {
                true => &self.registry.host,
                false => host_and_port(&url),
            };
            let response = retriable(host, answered)?;
            match response.status().as_u16() {
                401 if own && !refused => {
                    refused = true;
                    let asked = match challenge(&response) {
                        Some(asked) => asked,
                        // Without a challenge, assume Basic.
                        None if header(&response, "www-authenticate").is_none() => Challenge::Basic,
                        None => return Ok(response),
                    };
                    lock(&self.tokens).remove(&scopes);
                    if let Challenge::Bearer {
                        scope: Some(scope), ..
                    } = &asked
                    {
                        scopes = scope.split(' ').map(str::to_owned).collect();
                    }
                    *lock(&self.registry.challenge) = Some(asked);
                    // Without credentials a retry would fail as well.
                    if authorization.is_none() && self.authorization(&scopes)?.is_none() {
                        return Ok(response);
                    }
                    if let Sending::Stream(stream) = &mut request.body {
                        stream.rewind()?;
                    }
                }
                // Keep the method, even where browsers change it to GET: registries that have moved
                // also redirect POST and PUT like this.
                301 | 302 | 307 | 308 => {
                    request.url = self.client.redirect(&url, &response, &mut redirects)?;
                    if let Sending::Stream(stream) = &mut request.body {
                        stream.rewind()?;
                    }
                }
                303 if request.is_read() => {
                    request.url = self.client.redirect(&url, &response, &mut redirects)?;
                }
                _ => return Ok(response),
            }
        }
    }

    fn login(&self) -> Option<&Credential> {
        let find = || self.client.options.credentials.find(&self.repository);
        self.found.get_or_init(find).login.as_ref()
    }

    /// Returns the registry's response to an anonymous request, with the auth sources that could
    /// not be read.
    fn with_auth_problems(&self, mut said: String) -> String {
        let problems = self.found.get().map(|it| &it.problems[..]);
        for problem in problems.unwrap_or_default() {
            said += &format!("; {problem}");
        }
        said
    }

    /// Returns the value of `Authorization`, if the registry requires one and a login exists.
    fn authorization(&self, scopes: &[String]) -> std::result::Result<Option<Secret>, Failure> {
        let challenge = lock(&self.registry.challenge).clone();
        let Some(challenge) = challenge else {
            return Ok(None);
        };
        match (challenge, self.login()) {
            (_, Some(Credential::Bearer(token))) => Ok(Some(bearer(token))),
            (Challenge::Basic, Some(Credential::Password { username, password })) => {
                Ok(Some(basic(username, password)))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, .. }, login) => {
                // Keep the lock during the request, so that the token is fetched once.
                let mut tokens = lock(&self.tokens);
                let now = Instant::now();
                if let Some(token) = tokens.get(scopes).filter(|it| it.good_until > now) {
                    return Ok(Some(bearer(&token.value)));
                }
                let token = self.fetch_token(&realm, service.as_deref(), scopes, login)?;
                let header = bearer(&token.value);
                tokens.insert(scopes.to_vec(), token);
                Ok(Some(header))
            }
        }
    }

    /// Fetches a token. Source: distribution's token authentication and OAuth 2 specifications.
    fn fetch_token(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
        login: Option<&Credential>,
    ) -> std::result::Result<Token, Failure> {
        let host = &self.registry.host;
        let wrong = |reason: String| Error::Protocol {
            what: format!("the token endpoint of {host}"),
            reason,
        };
        if !realm.starts_with("https://") && !realm.starts_with("http://") {
            let reason = format!("{:?} is not an address", quote(realm));
            return Err(wrong(reason).into());
        }
        self.client.check_encrypted(&self.registry.origin, realm)?;

        let mut query = Vec::new();
        query.extend(service.map(|service| ("service", service.to_owned())));
        let (response, form);
        if let Some(Credential::Identity(token)) = login {
            query.push(("scope", scopes.join(" ")));
            query.push(("grant_type", "refresh_token".into()));
            query.push(("client_id", "slipway".into()));
            query.push(("refresh_token", token.reveal().to_owned()));
            form = encode(&query);
            let request = Request::new("POST", realm.to_owned())
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(Sending::Bytes(form.as_bytes()));
            response = self.client.transmit(request, None)?;
        } else {
            query.extend(scopes.iter().map(|scope| ("scope", scope.clone())));
            let separator = if realm.contains('?') { '&' } else { '?' };
            let address = format!("{realm}{separator}{}", encode(&query));
            let password = match login {
                Some(Credential::Password { username, password }) => {
                    Some(basic(username, password))
                }
                _ => None,
            };
            response = self.get_token(address, realm, password.as_ref())?;
        }

        let response = retriable(host_and_port(realm), response)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let said = ErrorResponse::read(response).said;
            let host = host.clone();
            return Err(Failure::Permanent(match (status, login) {
                (401 | 403, Some(_)) => Error::BadLogin { host, said },
                (401 | 403, None) => Error::NoLogin {
                    host,
                    said: self.with_auth_problems(said),
                },
                _ => wrong(format!("it answers {status}{said}")),
            }));
        }
        let mut bytes = Vec::new();
        let mut body = response.into_body().into_reader().take(TOKEN_LIMIT);
        if let Err(error) = body.read_to_end(&mut bytes) {
            let reason = format!("the connection failed: {error}");
            let host = host_and_port(realm).to_owned();
            return Err(Failure::Transient(Error::GaveUp { host, reason }, None));
        }
        let grant = Grant::parse(&bytes).ok_or_else(|| wrong("it answers with no token".into()))?;
        Ok(Token {
            value: grant.token,
            good_until: Instant::now() + grant.life,
        })
    }

    /// Requests a token and follows redirects. The password is sent only to the host of the realm.
    fn get_token(
        &self,
        mut url: String,
        realm: &str,
        password: Option<&Secret>,
    ) -> std::result::Result<Response<Body>, Failure> {
        let mut redirects = 0;
        loop {
            let shown = password.filter(|_| is_same_origin(&url, realm));
            let request = Request::new("GET", url.clone());
            let response = self.client.transmit(request, shown.map(Secret::reveal))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = self.client.redirect(&url, &response, &mut redirects)?;
        }
    }

    /// Returns the error for an unsuccessful response. `what` names the requested object.
    pub fn refusal(&self, what: &str, response: Response<Body>) -> Error {
        self.refused(what, ErrorResponse::read(response))
    }

    /// Returns the error for a response that has been read already.
    pub fn refused(&self, what: &str, answer: ErrorResponse) -> Error {
        let host = self.registry.host.clone();
        let has_login = self.login().is_some();
        let said = match (answer.status, has_login) {
            (401 | 403, false) => self.with_auth_problems(answer.said),
            _ => answer.said,
        };
        let denied = |said| Error::Denied {
            action: self.action.verb(),
            repository: self.repository.to_string(),
            said,
        };
        let is_bearer = matches!(
            *lock(&self.registry.challenge),
            Some(Challenge::Bearer { .. })
        );
        match answer.status {
            // The token endpoint accepted the login, but the token lacks the permission.
            401 if has_login && is_bearer => denied(said),
            401 if has_login => Error::BadLogin { host, said },
            401 => Error::NoLogin { host, said },
            403 => denied(said),
            404 => Error::NotFound {
                what: what.to_owned(),
                said,
            },
            status => Error::Refused {
                host,
                what: what.to_owned(),
                status,
                said,
            },
        }
    }
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}

/// Returns the value of a header if it is text.
pub(crate) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// Reports whether a registry returned a different digest. Digests of different algorithms cannot
/// be compared.
pub(crate) fn is_another(found: &str, expected: &Digest) -> bool {
    let algorithm = found.split_once(':').map(|(name, _)| name);
    algorithm == Some(expected.algorithm().name()) && found != expected.to_string()
}

/// Characters that need no escape in a query: RFC 3986, 2.3.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes query parameters. Escapes everything except the unreserved characters (RFC 3986, section
/// 2.3).
pub(crate) fn encode(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, &UNRESERVED)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_query_parameters() {
        let query = encode(&[
            ("scope", "repository:a/b:pull,push".into()),
            ("x", "ä &".into()),
        ]);
        assert_eq!(
            query,
            "scope=repository%3Aa%2Fb%3Apull%2Cpush&x=%C3%A4%20%26"
        );
    }
}
