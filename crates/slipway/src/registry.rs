//! How registries are talked to: options that several commands share, and the client they make.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use slipway_registry::{Client, Credentials, Identity, Login, Reference, Secret, Trust};

/// Nobody's password is longer, in bytes.
const LONGEST_PASSWORD: u64 = 64 << 10;

#[derive(Args)]
#[group(skip)]
pub struct Options {
    /// Log in to the registry under this name, in place of what `podman login` or `docker login`
    /// left
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,

    /// Trust this authority's certificate as well; may be given several times
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,

    /// Show this certificate to the registry
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,

    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,

    /// Talk to the registry without encryption
    ///
    /// A registry on this machine (localhost) that has no TLS is talked to without it anyway.
    #[arg(long)]
    plain_http: bool,

    /// How many blobs are under way at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
}

impl Options {
    /// A client for these references. Reads the password from standard input if it is there.
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
            let login = Login::Password {
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
            trust: Trust {
                authorities: self.ca.clone(),
                identity,
                ..Trust::default()
            },
            plain_http: self.plain_http,
            jobs: self.jobs.into(),
            ..slipway_registry::Options::default()
        }))
    }
}

/// The password is all there is, but for one end of line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_loses_one_end_of_line_and_nothing_else() {
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
