//! Options for registries that several commands share, and the client that they configure.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use slipway_oci::Layout;
use slipway_registry::{
    Client, Credential, Credentials, Identity, Pushed, Reference, Secret, TlsOptions,
};

use crate::cli::progress;

/// Maximum length of a password, in bytes.
const LONGEST_PASSWORD: u64 = 64 << 10;

#[derive(Args)]
#[group(skip)]
pub struct Options {
    /// User name for the registry, instead of the login from `podman login` or `docker login`
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,

    /// Trust this certificate authority as well (repeatable)
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,

    /// Client certificate for the registry
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,

    /// Key of the client certificate
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,

    /// Use HTTP without TLS
    ///
    /// For a registry on localhost this is automatic if it has no TLS.
    #[arg(long)]
    plain_http: bool,

    /// Number of blobs to transfer at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
}

impl Options {
    /// A client for these references. Reads the password from standard input if `--password-stdin`
    /// is given.
    pub fn client(&self, references: &[Reference]) -> Result<Client> {
        let mut credentials = Credentials::of_environment();
        if let Some(username) = &self.username {
            let mut hosts: Vec<&str> = references.iter().map(|it| it.repository().host()).collect();
            hosts.sort_unstable();
            hosts.dedup();
            let [host] = hosts[..] else {
                bail!(
                    "--username is for one registry, and these are {}: log in to them with `podman login`",
                    hosts.join(", ")
                );
            };
            let login = Credential::Password {
                username: username.clone(),
                password: Secret::new(password_from(io::stdin().lock())?),
            };
            credentials = credentials.with_login(host, login);
        }
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            _ => None,
        };
        Ok(Client::new(slipway_registry::Options {
            credentials,
            tls: TlsOptions {
                authorities: self.ca.clone(),
                identity,
                ..TlsOptions::default()
            },
            plain_http: self.plain_http,
            jobs: self.jobs.into(),
            ..slipway_registry::Options::default()
        }))
    }
}

/// Reads the password, and removes one trailing newline.
fn password_from(input: impl Read) -> Result<String> {
    let mut password = String::new();
    input
        .take(LONGEST_PASSWORD)
        .read_to_string(&mut password)
        .context("reading the password from standard input")?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    let password = password.strip_suffix('\r').unwrap_or(password);
    ensure!(
        !password.is_empty(),
        "standard input has no password; write it there: slipway … --password-stdin < FILE"
    );
    Ok(password.to_owned())
}

/// Pushes the content of a layout, and shows progress.
pub fn push(client: &Client, layout: &Layout, references: &[Reference]) -> Result<Vec<Pushed>> {
    let progress = progress::for_stderr();
    Ok(slipway_registry::push(
        client,
        layout,
        layout.top()?,
        references,
        progress.as_ref(),
    )?)
}

/// One `REFERENCE@DIGEST` line for each reference.
pub fn lines(pushed: &[Pushed]) -> Vec<String> {
    let line = |one: &Pushed| one.reference.pinned(one.digest).to_string();
    pushed.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_one_trailing_newline_from_the_password() {
        for (input, password) in [
            ("a b\n", "a b"),
            ("x\r\n", "x"),
            ("x\n\n", "x\n"),
            ("x", "x"),
        ] {
            assert_eq!(password_from(input.as_bytes()).unwrap(), password);
        }
        assert!(password_from(&b"\n"[..]).is_err());
    }
}
