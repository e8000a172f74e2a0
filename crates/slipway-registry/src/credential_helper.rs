//! Runs credential helpers, which read logins from a keyring or a cloud provider. Source: the
//! protocol of docker-credential-helpers, "get".

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::quote;
use crate::reference::DEFAULT_HOST;
use crate::secret::Credential;
use crate::{Error, Result};

/// The server name under which Docker stores the login for Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Size limit on the output of a helper, in bytes.
const LIMIT: u64 = 64 << 10;

/// Runs the program `docker-credential-HELPER` and returns the login for a host, or `None` if the
/// helper has none. `name` replaces the server name that is passed to the helper.
///
/// The program is searched for in `directory` first, then in PATH.
pub(crate) fn ask(
    helper: &str,
    directory: Option<&Path>,
    host: &str,
    name: Option<&str>,
) -> Result<Option<Credential>> {
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
    let program = format!("docker-credential-{helper}");
    let own = directory.map(|directory| directory.join(&program));
    let own = own.filter(|path| path.exists());
    let mut child = Command::new(own.unwrap_or(program.into()))
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
        // Ignore write errors: some helpers answer without reading their input.
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
            // JSON output may contain a password.
            false if said.is_empty() || said.contains('{') => Err(fail(status.to_string())),
            false => Err(fail(said)),
        };
    }
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|_| fail("it printed something else than a login".into()))?;
    let field = |name: &str| answer[name].as_str().unwrap_or_default();
    Ok(Credential::of(field("Username"), field("Secret")))
}
