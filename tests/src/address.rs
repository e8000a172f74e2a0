//! Addresses for the servers of tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// Ports below those that Linux assigns automatically (ip_local_port_range, ip(7)). No other
/// process gets such a port by chance, even while its server restarts.
const PORTS: std::ops::Range<u32> = 20_000..30_000;

/// A free address on the loopback interface. Each call returns another one.
pub fn free_address() -> Result<String> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Tests that run in parallel start at different ports.
    let start = std::process::id().wrapping_mul(64);
    let length = PORTS.end - PORTS.start;
    (0..length)
        .map(|_| start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % length)
        .map(|place| format!("127.0.0.1:{}", PORTS.start + place))
        .find(|address| TcpListener::bind(address).is_ok())
        .context("all ports are taken")
}
