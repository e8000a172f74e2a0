//! Credential helpers keep logins in a keyring, or get them from a cloud. Source: the protocol of
//! docker-credential-helpers, "get".

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::quote;
use crate::reference::DEFAULT_HOST;
use crate::secret::Login;
use crate::{Error, Result};

/// Under this name Docker keeps the login for its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a helper may answer at most, in bytes.
const LIMIT: u64 = 64 << 10;

/// Asks the program `docker-credential-HELPER` for the login of a host, or of another name that it
/// may know this by. None if it has none.
pub(crate) fn ask(helper: &str, host: &str, name: Option<&str>) -> Result<Option<Login>> {
    let fail = |reason: String| Error::Helper {
        helper: quote(helper),
        host: host.to_owned(),
        reason,
    };
    if helper.contains(['/', '\0']) {
        return Err(fail("that is not the name of a program".into()));
    }
    let name = name.unwrap_or(match host {
        DEFAULT_HOST => DOCKER_HUB,
        other => other,
    });
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
        let _ = stdin.write_all(name.as_bytes());
    }
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(LIMIT)
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
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|_| fail("it printed something else than a login".into()))?;
    let field = |name: &str| answer[name].as_str().unwrap_or_default();
    Ok(Login::of(field("Username"), field("Secret")))
}
