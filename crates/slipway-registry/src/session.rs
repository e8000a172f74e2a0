//! A repository as one sees it when one is let in: requests carry what proves who is asking, and
//! are sent again when they fail in passing.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use slipway_http::{authority, is_same_origin};
use ureq::Body;
use ureq::http::Response;

use crate::answer::Answer;
use crate::challenge::Challenge;
use crate::client::{Client, Registry, Request, Sending, challenge, lock, retriable};
use crate::credentials::Found;
use crate::error::quote;
use crate::patience::{Failure, Tries, Work};
use crate::secret::{Login, Secret, basic};
use crate::token::Grant;
use crate::{Error, Repository, Result};

/// What a token endpoint may answer at most, in bytes.
const TOKEN_LIMIT: u64 = 1 << 20;

/// What is to be done in a repository.
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

/// A repository, and the right to it.
pub(crate) struct Session<'a> {
    pub client: &'a Client,
    pub registry: Arc<Registry>,
    pub repository: Repository,
    pub work: &'a Work<'a>,
    action: Action,
    found: OnceLock<Found>,
    /// By scopes.
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

    /// The address of something in the repository, such as `manifests/latest`.
    pub fn url(&self, what: &str) -> String {
        format!(
            "{}/v2/{}/{what}",
            self.registry.origin,
            self.repository.path()
        )
    }

    pub fn tries(&self) -> Tries<'a> {
        Tries::new(&self.client.options.patience, self.work)
    }

    /// Sends a request, as often as it takes. `make` makes it anew each time.
    pub fn send<'r>(&self, make: impl Fn() -> Request<'r>) -> Result<Response<Body>> {
        let mut tries = self.tries();
        loop {
            match self.attempt(make(), &[]) {
                Ok(response) => return Ok(response),
                Err(failure) => tries.pause(failure)?,
            }
        }
    }

    /// Sends a request once, but for what it takes to be let in and to get where it is sent on to.
    /// `others` are further scopes that it needs.
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
            // What proves who is asking goes to the registry itself and to no other host.
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
                false => authority(&url),
            };
            let response = retriable(host, answered)?;
            match response.status().as_u16() {
                401 if own && !refused => {
                    refused = true;
                    let asked = match challenge(&response) {
                        Some(asked) => asked,
                        // It does not say what it wants, so it is the oldest way.
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
                    // Who could not prove it before cannot now.
                    if authorization.is_none() && self.authorization(&scopes)?.is_none() {
                        return Ok(response);
                    }
                    if let Sending::Stream(stream) = &mut request.body {
                        stream.rewind()?;
                    }
                }
                // The method stays, also where browsers would change it: a registry that is moved
                // answers a POST or a PUT like this too.
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

    fn login(&self) -> Option<&Login> {
        let find = || self.client.options.credentials.find(&self.repository);
        self.found.get_or_init(find).login.as_ref()
    }

    /// What a registry said of someone without a login, and which logins could not be read.
    fn said_to_nobody(&self, mut said: String) -> String {
        let problems = self.found.get().map(|it| &it.problems[..]);
        for problem in problems.unwrap_or_default() {
            said += &format!("; {problem}");
        }
        said
    }

    /// The value of the header, if the registry wants one and there is one.
    fn authorization(&self, scopes: &[String]) -> std::result::Result<Option<Secret>, Failure> {
        let challenge = lock(&self.registry.challenge).clone();
        let Some(challenge) = challenge else {
            return Ok(None);
        };
        match (challenge, self.login()) {
            (_, Some(Login::Bearer(token))) => Ok(Some(bearer(token))),
            (Challenge::Basic, Some(Login::Password { username, password })) => {
                Ok(Some(basic(username, password)))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, .. }, login) => {
                // Held while one is fetched, so that it is fetched once.
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

    /// Source: distribution's token authentication and OAuth 2 specifications.
    fn fetch_token(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
        login: Option<&Login>,
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
        if let Some(Login::Identity(token)) = login {
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
                Some(Login::Password { username, password }) => Some(basic(username, password)),
                _ => None,
            };
            response = self.get_token(address, realm, password.as_ref())?;
        }

        let response = retriable(authority(realm), response)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let said = Answer::read(response).said;
            let host = host.clone();
            return Err(Failure::Final(match (status, login) {
                (401 | 403, Some(_)) => Error::BadLogin { host, said },
                (401 | 403, None) => Error::NoLogin {
                    host,
                    said: self.said_to_nobody(said),
                },
                _ => wrong(format!("it answers {status}{said}")),
            }));
        }
        let mut bytes = Vec::new();
        let mut body = response.into_body().into_reader().take(TOKEN_LIMIT);
        if let Err(error) = body.read_to_end(&mut bytes) {
            let reason = format!("the connection failed: {error}");
            let host = authority(realm).to_owned();
            return Err(Failure::Passing(Error::GaveUp { host, reason }, None));
        }
        let grant = Grant::parse(&bytes).ok_or_else(|| wrong("it answers with no token".into()))?;
        Ok(Token {
            value: grant.token,
            good_until: Instant::now() + grant.life,
        })
    }

    /// Asks for a token, also where a redirect leads; the password is for the realm's host alone.
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

    /// The error for an answer that is no success. `what` is what was asked for.
    pub fn refusal(&self, what: &str, response: Response<Body>) -> Error {
        self.refused(what, Answer::read(response))
    }

    /// The same for an answer that was read.
    pub fn refused(&self, what: &str, answer: Answer) -> Error {
        let host = self.registry.host.clone();
        let has_login = self.login().is_some();
        let said = match (answer.status, has_login) {
            (401 | 403, false) => self.said_to_nobody(answer.said),
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
            // The token endpoint took the login; what the token is not good for, nobody gave.
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

/// A header's value, if it is text.
pub(crate) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// Source: RFC 3986, section 2.3, "unreserved"; everything else is escaped.
pub(crate) fn encode(pairs: &[(&str, String)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|c| match c {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(c).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", escaped(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
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
