//! Runs Debian's docker-registry(1), with a temporary certificate and temporary credentials.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::address::free_address;
use crate::certificate::certificates;
use crate::daemon::Daemon;
use crate::requirement::Requirement;

pub const REGISTRY: Requirement = Requirement::Program("docker-registry", "docker-registry");

/// A user that may push.
pub const WRITER: (&str, &str) = ("ada", "hunter2");
/// A user that may only pull, if the registry uses tokens.
pub const READER: (&str, &str) = ("bob", "swordfish");

/// `ada:hunter2`, hashed with bcrypt by htpasswd(1).
const HTPASSWD: &str = "ada:$2y$05$7/nULj566Zobg9Q91GtL2etiwczCp93kUwUlhiFGNsQUcwMQHZQpa\n";

/// How the registry authenticates clients.
#[derive(Clone, Copy, PartialEq)]
pub enum Guard {
    /// Anonymous access without TLS.
    Open,
    /// A password over TLS.
    Password,
    /// A token from the test's token server, without TLS.
    Token,
}

/// A running registry. Stops when dropped.
pub struct Registry {
    // Declared before the directory, so that it is dropped first.
    _server: Daemon,
    directory: TempDir,
    host: String,
    _tokens: Option<TokenServer>,
}

impl Registry {
    pub fn start(guard: Guard) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("registry-").tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let address = free_address()?;
        let mut http = json!({"addr": address, "secret": "not much of one"});
        let mut auth = Value::Null;
        let mut tokens = None;
        if guard != Guard::Open {
            certificates(directory.path(), 2)?;
        }
        if guard == Guard::Password {
            fs::write(at("htpasswd"), HTPASSWD)?;
            http["tls"] = json!({"certificate": at("server.crt"), "key": at("server.key")});
            auth = json!({"htpasswd": {"realm": "tests", "path": at("htpasswd")}});
        }
        if guard == Guard::Token {
            let server = TokenServer::start(directory.path())?;
            auth = json!({"token": {
                "realm": server.realm,
                "service": "tests",
                "issuer": "tests",
                "rootcertbundle": at("ca.crt"),
            }});
            tokens = Some(server);
        }
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": at("storage")}},
            "http": http,
        });
        if !auth.is_null() {
            config["auth"] = auth;
        }
        // JSON is valid YAML.
        fs::write(at("config.yml"), config.to_string())?;
        let mut serve = Command::new("docker-registry");
        serve.arg("serve").arg(at("config.yml"));
        let server = Daemon::start(&mut serve, at("log"), || {
            Ok(TcpStream::connect(&address).is_ok())
        })?;
        Ok(Self {
            host: address.replace("127.0.0.1", "localhost"),
            _server: server,
            directory,
            _tokens: tokens,
        })
    }

    /// `localhost:PORT`
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The certificate of the authority that signed the registry's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.path().join("log"))?)
    }
}

/// Issues tokens as in distribution's token specification: JSON Web Tokens, signed by the key of
/// `server.crt`, with that certificate included.
struct TokenServer {
    realm: String,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl TokenServer {
    fn start(directory: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let realm = format!("http://{}/token", listener.local_addr()?);
        let stop = Arc::new(AtomicBool::new(false));
        let directory = directory.to_owned();
        let server = thread::spawn({
            let stop = stop.clone();
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    if let Err(error) = stream
                        .map_err(Into::into)
                        .and_then(|it| give(it, &directory))
                    {
                        eprintln!("token server: {error:#}");
                    }
                }
            }
        });
        Ok(Self {
            realm,
            stop,
            server: Some(server),
        })
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let address = self.realm.trim_start_matches("http://");
        let _ = TcpStream::connect(address.trim_end_matches("/token"));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn give(mut stream: TcpStream, directory: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut authorization = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            if name.eq_ignore_ascii_case("authorization") {
                authorization = Some(value.to_owned());
            }
        }
    }
    let is = |(name, password): (&str, &str)| {
        let pair = base64(format!("{name}:{password}").as_bytes(), STANDARD);
        let pair = format!("{pair}{}", "=".repeat((4 - pair.len() % 4) % 4));
        authorization.as_deref() == Some(&format!("Basic {pair}"))
    };
    let allowed: &[&str] = match (is(WRITER), is(READER)) {
        (true, _) => &["pull", "push"],
        (_, true) => &["pull"],
        _ => {
            let body = r#"{"details":"incorrect username or password"}"#;
            write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )?;
            return Ok(());
        }
    };
    let path = request.split(' ').nth(1).unwrap_or_default();
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let access: Vec<Value> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("scope="))
        .filter_map(|scope| {
            let scope = scope
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%2C", ",");
            let mut parts = scope.splitn(3, ':').map(str::to_owned);
            let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
            let actions: Vec<&str> = actions
                .split(',')
                .filter(|it| allowed.contains(it))
                .collect();
            Some(json!({"type": kind, "name": name, "actions": actions}))
        })
        .collect();
    let body = json!({"token": token(&access, directory)?, "expires_in": 300}).to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

fn token(access: &[Value], directory: &Path) -> Result<String> {
    let certificate = fs::read_to_string(directory.join("server.crt"))?;
    let der: String = certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [der]});
    let claims = json!({
        "iss": "tests", "sub": "", "aud": "tests", "jti": now.to_string(),
        "iat": now, "nbf": now - 60, "exp": now + 300, "access": access,
    });
    let encode = |value: Value| base64(value.to_string().as_bytes(), URL);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "server.key"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    openssl
        .stdin
        .take()
        .context("openssl")?
        .write_all(signed.as_bytes())?;
    let mut signature = Vec::new();
    openssl
        .stdout
        .take()
        .context("openssl")?
        .read_to_end(&mut signature)?;
    openssl.wait()?;
    Ok(format!("{signed}.{}", base64(&signature, URL)))
}

const STANDARD: [u8; 2] = *b"+/";
const URL: [u8; 2] = *b"-_";

/// Base64 without padding: RFC 4648, sections 4 and 5.
fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let letters: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last)
        .collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..=chunk.len() {
            let letter = letters[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(char::from(letter));
        }
    }
    text
}
