//! Where the servers of tests listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// Below those that Linux hands out by itself (ip_local_port_range, ip(7)): nobody gets one by
/// chance, also while its server is down for a moment.
const PORTS: std::ops::Range<u32> = 20_000..30_000;

/// An address on the loopback interface on which nobody listens, another one each time.
pub fn free_address() -> Result<String> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Tests that run side by side begin at different places.
    let start = std::process::id().wrapping_mul(64);
    let length = PORTS.end - PORTS.start;
    (0..length)
        .map(|_| start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % length)
        .map(|place| format!("127.0.0.1:{}", PORTS.start + place))
        .find(|address| TcpListener::bind(address).is_ok())
        .context("all ports are taken")
}
