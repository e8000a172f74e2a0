//! TLS settings per host. Private registries often use a private certificate authority. Docker and
//! Podman look for its certificates in directories named after the host, and so does this module.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use slipway_http::tls_config;
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};

use crate::{Error, Result};

/// Paths of a client certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Certificates in addition to those of the system.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// PEM files with certificates of certificate authorities.
    pub authorities: Vec<PathBuf>,
    /// Client certificate, sent only to registries named by the user, not to hosts that these refer
    /// to.
    pub identity: Option<Identity>,
    /// Directories with one subdirectory `HOST[:PORT]` per host, which contains `*.crt`
    /// (authorities) and `*.cert` with `*.key` (client certificates): containers-certs.d(5).
    pub directories: Vec<PathBuf>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        let own = std::env::var_os("HOME")
            .map(|home| Path::new(&home).join(".config/containers/certs.d"));
        let all = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        Self {
            authorities: Vec::new(),
            identity: None,
            directories: own.into_iter().chain(all).collect(),
        }
    }
}

/// Creates the TLS settings per host.
#[derive(Debug)]
pub(crate) struct Tls {
    options: TlsOptions,
}

impl Tls {
    pub fn new(options: TlsOptions) -> Self {
        Self { options }
    }

    /// Returns the settings for a host. `asked` tells that the user named the host.
    pub fn config(&self, host: &str, asked: bool) -> Result<TlsConfig> {
        let mut roots = Vec::new();
        for path in &self.options.authorities {
            roots.extend(certificates(path)?);
        }
        let mut identity = self.options.identity.clone().filter(|_| asked);
        // Only the first existing directory is used, as in Podman.
        let places = self.options.directories.iter().map(|it| it.join(host));
        if let Some(directory) = places.into_iter().find(|it| it.is_dir()) {
            for path in files(&directory)? {
                match path.extension().and_then(|it| it.to_str()) {
                    Some("crt") => roots.extend(certificates(&path)?),
                    Some("cert") if identity.is_none() => {
                        identity = Some(Identity {
                            key: path.with_extension("key"),
                            certificate: path,
                        });
                    }
                    _ => {}
                }
            }
        }
        let client = identity.as_ref().map(client_certificate).transpose()?;
        Ok(tls_config(&roots, client))
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = || Error::io("read", directory);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(read())? {
        files.push(entry.map_err(read())?.path());
    }
    files.sort();
    Ok(files)
}

fn wrong(path: &Path, reason: &str) -> Error {
    Error::Certificate {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| wrong(path, "it is not PEM"))?;
    match certificates.is_empty() {
        true => Err(wrong(path, "there is no certificate in it; it must be PEM")),
        false => Ok(certificates),
    }
}

fn client_certificate(identity: &Identity) -> Result<ClientCert> {
    let Identity { certificate, key } = identity;
    let chain = certificates(certificate)?;
    let bytes = fs::read(key).map_err(Error::io("read", key))?;
    let der = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        wrong(
            key,
            "there is no private key in it that is PEM without a password",
        )
    })?;
    // Check that certificate and key match; the HTTP library does not.
    CertifiedKey::from_der(chain.clone(), der, &default_provider()).map_err(|_| {
        let reason = format!("it is not the key of {}", certificate.display());
        wrong(key, &reason)
    })?;
    let private = PrivateKey::from_pem(&bytes).map_err(|_| wrong(key, "it is not a key"))?;
    let chain: Vec<_> = chain
        .iter()
        .map(|it| Certificate::from_der(it).to_owned())
        .collect();
    Ok(ClientCert::new_with_certs(&chain, private))
}
