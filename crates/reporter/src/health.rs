//! HTTP server for probes and metrics.
//!
//! The paths follow Kubernetes' own components: `/livez`, `/readyz`, `/metrics`.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::metrics::Metrics;

/// Maximum number of concurrent connections; others wait. Some scrapers and a kubelet need one
/// each.
const CONNECTIONS: usize = 32;

/// Timeout for a whole request and response, which also closes idle connections.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Media type of OpenMetrics 1.0, from the section "Overall Structure".
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Starts the server on a port; zero selects a free port.
pub async fn start(port: u16, metrics: Metrics) -> Result<()> {
    let listener = bind(port)
        .await
        .with_context(|| format!("cannot listen on REPORT_HTTP_PORT {port}"))?;
    let port = listener
        .local_addr()
        .context("cannot tell the port")?
        .port();
    info!(port, "metrics and probes are on port {port}");
    tokio::spawn(serve(listener, Arc::new(metrics)));
    Ok(())
}

/// Binds to all addresses, or to IPv4 only if the machine has no IPv6.
async fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await
        }
        bound => bound,
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    answer(stream, &metrics).await;
                    drop(place);
                });
            }
            // The connection failed, or no file descriptor is available: try again later.
            Err(error) => {
                debug!("cannot take a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, metrics: &Metrics) {
    let respond = |request| async move { Ok::<_, Infallible>(response(&request, metrics)) };
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service_fn(respond));
    match timeout(TIMEOUT, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a client of the HTTP port went away: {error}"),
        Err(_) => debug!("a client of the HTTP port was too slow"),
    }
}

fn response(request: &Request<Incoming>, metrics: &Metrics) -> Response<String> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        // A response proves that the process is alive.
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" if metrics.ready() => text(StatusCode::OK, "ok\n"),
        "/readyz" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the last message was not delivered, or none was yet, or no broker can be reached\n",
        ),
        "/metrics" => match metrics.encode() {
            Ok(figures) => typed(StatusCode::OK, OPENMETRICS, figures),
            Err(_) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the figures cannot be written\n",
            ),
        },
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /livez, /readyz and /metrics\n",
        ),
    }
}

fn text(status: StatusCode, text: &str) -> Response<String> {
    typed(status, TEXT, text.to_owned())
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
