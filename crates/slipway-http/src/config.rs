//! Settings for all requests: timeouts, certificates, the user agent.

use std::sync::{Arc, OnceLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use ureq::config::Config;
use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::retry_policy::RetryPolicy;

/// Settings for connections, directly or through `proxy`.
pub fn agent_config(retry: &RetryPolicy, tls: TlsConfig, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(retry.connect))
        .timeout_recv_response(Some(retry.answer))
        .timeout_per_read(Some(retry.stall))
        .timeout_per_write(Some(retry.stall))
        .max_idle_connections_per_host(8)
        .tls_config(tls)
        .proxy(proxy)
        .build()
}

/// TLS settings that trust the machine's certificate authorities and those in `more`.
pub fn tls_config(more: &[CertificateDer], client: Option<ClientCert>) -> TlsConfig {
    let roots = machine_roots().iter().chain(more);
    let roots: Vec<_> = roots
        .map(|it| Certificate::from_der(it).to_owned())
        .collect();
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(client)
        .build()
}

/// The certificate authorities of this machine, or of `SSL_CERT_FILE`. Read once.
fn machine_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| rustls_native_certs::load_native_certs().certs)
}
