//! Nobody wants to tell one more program their password: logins are taken from where `docker
//! login` and `podman login` put them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::quote;
use crate::reference::DEFAULT_HOST;
use crate::secret::{Login, Secret};
use crate::{Error, Repository, Result};

/// Under this name Docker keeps the login for its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a helper may answer at most, in bytes.
const HELPER_LIMIT: u64 = 64 << 10;

/// The username that helpers give with an identity token.
const TOKEN_USER: &str = "<token>";

/// Where logins are found.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// A login for one host, which wins.
    given: Option<(String, Login)>,
    files: Vec<PathBuf>,
}

/// A config file of Docker or an auth file of Podman: containers-auth.json(5).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuthFile {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl Credentials {
    /// Those that Podman and Docker use: $REGISTRY_AUTH_FILE and nothing else if it is set, or
    /// else Podman's files and then Docker's.
    pub fn of_environment() -> Self {
        let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).map(PathBuf::from);
        if let Some(file) = path("REGISTRY_AUTH_FILE") {
            return Self::in_files(vec![file]);
        }
        let home = path("HOME");
        let config = path("XDG_CONFIG_HOME").or(home.as_ref().map(|home| home.join(".config")));
        let docker = path("DOCKER_CONFIG").or(home.map(|home| home.join(".docker")));
        let podman = [path("XDG_RUNTIME_DIR"), config]
            .into_iter()
            .flatten()
            .map(|directory| directory.join("containers/auth.json"));
        let docker = docker.map(|directory| directory.join("config.json"));
        Self::in_files(podman.chain(docker).collect())
    }

    /// Those in these files, the first that has one first. A file need not exist.
    pub fn in_files(files: Vec<PathBuf>) -> Self {
        Self { given: None, files }
    }

    /// The same, with a login for the host that goes before them.
    pub fn with_login(self, host: &str, login: Login) -> Self {
        Self {
            given: Some((host.to_owned(), login)),
            ..self
        }
    }

    /// The login for a repository, if there is one: of the namespace that is nearest, or else of
    /// the host.
    pub fn find(&self, repository: &Repository) -> Result<Option<Login>> {
        if let Some((host, login)) = &self.given {
            if host == repository.host() {
                return Ok(Some(login.clone()));
            }
        }
        for path in &self.files {
            if let Some(login) = find_in(path, repository)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

fn find_in(path: &Path, repository: &Repository) -> Result<Option<Login>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let wrong = |reason: String| Error::CredentialsFile {
        path: path.to_owned(),
        reason,
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let file: AuthFile = serde_json::from_slice(&bytes).map_err(|error| {
        // Only the place: the parser's own words may quote a password.
        wrong(format!(
            "line {} is not what a file of logins has",
            error.line()
        ))
    })?;
    let names = names(repository);

    for name in &names {
        if let Some(helper) = lookup(&file.cred_helpers, name) {
            return ask(helper, repository.host());
        }
    }
    if let Some(helper) = file.creds_store.as_deref().filter(|name| !name.is_empty()) {
        if let Some(login) = ask(helper, repository.host())? {
            return Ok(Some(login));
        }
    }
    for name in &names {
        if let Some(entry) = lookup(&file.auths, name) {
            let login = entry
                .login()
                .map_err(|reason| wrong(format!("the login for {name} {reason}")))?;
            if login.is_some() {
                return Ok(login);
            }
        }
    }
    Ok(None)
}

/// `host/a/b`, `host/a`, `host`.
fn names(repository: &Repository) -> Vec<String> {
    let whole = repository.to_string();
    let ends = whole.match_indices('/').map(|(at, _)| at);
    let mut names: Vec<String> = ends.map(|at| whole[..at].to_owned()).collect();
    names.push(whole);
    names.reverse();
    names
}

/// The value for a name, as it stands or as Docker once wrote it: with a scheme and a path.
fn lookup<'a, T>(table: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let old = |key: &str| {
        let rest = key
            .strip_prefix("https://")
            .or_else(|| key.strip_prefix("http://"));
        let host = match rest {
            Some(rest) => rest.split('/').next(),
            None => key.split_once('/').and_then(|(host, path)| {
                matches!(path.trim_end_matches('/'), "v1" | "v2").then_some(host)
            }),
        };
        match host.unwrap_or(key) {
            "index.docker.io" | "registry-1.docker.io" => DEFAULT_HOST.to_owned(),
            other => other.to_owned(),
        }
    };
    let exact = table.get(name);
    exact.or_else(|| {
        table
            .iter()
            .find(|(key, _)| old(key) == name)
            .map(|(_, value)| value)
    })
}

impl Entry {
    fn login(&self) -> std::result::Result<Option<Login>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Login::Bearer(Secret::new(&self.registrytoken))));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::Identity(Secret::new(&self.identitytoken))));
        }
        let (username, password) = match self.auth.is_empty() {
            true => (self.username.clone(), self.password.clone()),
            false => {
                let pair = STANDARD
                    .decode(&self.auth)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or("is not base64 of a text")?;
                let (username, password) = pair.split_once(':').ok_or("has no password")?;
                // Docker once padded it so.
                (username.to_owned(), password.trim_end_matches('\0').into())
            }
        };
        Ok((!username.is_empty()).then(|| Login::Password {
            username,
            password: Secret::new(password),
        }))
    }
}

/// Asks a credential helper: the protocol of docker-credential-helpers, "get".
fn ask(helper: &str, host: &str) -> Result<Option<Login>> {
    let fail = |reason: String| Error::Helper {
        helper: quote(helper),
        host: host.to_owned(),
        reason,
    };
    if helper.contains(['/', '\0']) {
        return Err(fail("that is not the name of a program".into()));
    }
    let server = match host {
        DEFAULT_HOST => DOCKER_HUB,
        other => other,
    };
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => fail("there is no such program; install it".into()),
            _ => fail(error.to_string()),
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read has its own idea of what to answer.
        let _ = stdin.write_all(server.as_bytes());
    }
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(HELPER_LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|error| fail(error.to_string()))?;
    }
    let status = child.wait().map_err(|error| fail(error.to_string()))?;
    if !status.success() {
        let said = quote(&String::from_utf8_lossy(&bytes));
        return match said.contains("credentials not found") {
            true => Ok(None),
            // Where there is JSON, there may be a password in it.
            false if said.is_empty() || said.contains('{') => Err(fail(status.to_string())),
            false => Err(fail(said)),
        };
    }
    let helped: Helped = serde_json::from_slice(&bytes)
        .map_err(|_| fail("it printed something else than a login".into()))?;
    Ok(Some(match helped.username.as_str() {
        TOKEN_USER => Login::Identity(Secret::new(helped.secret)),
        _ => Login::Password {
            username: helped.username,
            password: Secret::new(helped.secret),
        },
    }))
}
