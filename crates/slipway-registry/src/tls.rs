//! A registry of one's own has a certificate of an authority of one's own. Docker and Podman look
//! for those in directories by the host's name, so that is where they are looked for here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::{Error, Result};

/// A file with a certificate and one with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Whom to trust, and what to show of oneself, beyond what is so on the whole machine.
#[derive(Clone, Debug)]
pub struct Trust {
    /// PEM files with certificates of authorities.
    pub authorities: Vec<PathBuf>,
    /// Shown to the registries that are asked for, not to others that they name.
    pub identity: Option<Identity>,
    /// Directories with a directory `HOST[:PORT]` each, and in that `*.crt` (authorities) and
    /// `*.cert` with `*.key`: containers-certs.d(5).
    pub directories: Vec<PathBuf>,
}

impl Default for Trust {
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

/// Reads the certificates once.
#[derive(Debug)]
pub(crate) struct Tls {
    trust: Trust,
    machine: OnceLock<Vec<CertificateDer<'static>>>,
}

impl Tls {
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            machine: OnceLock::new(),
        }
    }

    /// The settings for a host; `asked` if the user named it.
    pub fn config(&self, host: &str, asked: bool) -> Result<TlsConfig> {
        let machine = self
            .machine
            .get_or_init(|| rustls_native_certs::load_native_certs().certs);
        let mut roots: Vec<Certificate<'static>> = machine
            .iter()
            .map(|it| Certificate::from_der(it).to_owned())
            .collect();
        for path in &self.trust.authorities {
            roots.extend(owned(&certificates(path)?));
        }
        let mut identity = self.trust.identity.clone().filter(|_| asked);
        // Of several directories the first one counts alone, as for Podman.
        let places = self.trust.directories.iter().map(|it| it.join(host));
        if let Some(directory) = places.into_iter().find(|it| it.is_dir()) {
            for path in files(&directory)? {
                match path.extension().and_then(|it| it.to_str()) {
                    Some("crt") => roots.extend(owned(&certificates(&path)?)),
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
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(client)
            .build())
    }
}

fn owned(certificates: &[CertificateDer<'static>]) -> Vec<Certificate<'static>> {
    let owned = |it: &CertificateDer| Certificate::from_der(it).to_owned();
    certificates.iter().map(owned).collect()
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
    // The HTTP library takes it for granted that they fit.
    CertifiedKey::from_der(chain.clone(), der, &default_provider()).map_err(|_| {
        let reason = format!("it is not the key of {}", certificate.display());
        wrong(key, &reason)
    })?;
    let private = PrivateKey::from_pem(&bytes).map_err(|_| wrong(key, "it is not a key"))?;
    Ok(ClientCert::new_with_certs(&owned(&chain), private))
}
