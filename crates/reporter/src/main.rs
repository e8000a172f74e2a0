//! The process info reporter: it periodically sends the time, its process id and its user id to a
//! Kafka topic, and exits only when all messages are delivered.
//!
//! It is Slipway's main example, because it has the typical difficulty of images for Rust programs:
//! a C library (librdkafka) with C dependencies of its own.

mod brokers;
mod config;
mod delivery_tracker;
mod duration;
mod embedded;
mod events;
mod format;
mod health;
mod hosts;
mod kubernetes_service_env;
mod librdkafka;
mod log;
mod message;
mod metrics;
mod producer;
mod properties;
mod report;
mod settings;
mod shutdown;
mod topic;

use std::io::{self, Write};

use crate::config::Asked;
use crate::report::Report;
use crate::shutdown::Shutdown;

/// Exit code: everything was delivered, or the requested text is printed.
const DONE: u8 = 0;
/// Exit code: the program failed, or some messages were not delivered.
const FAILED: u8 = 1;
/// Exit code: the options, variables or properties are invalid; nothing was sent.
const BAD_CONFIG: u8 = 2;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(start()),
        Err(error) => {
            eprintln!("error: cannot start the event loop: {error}");
            FAILED
        }
    };
    // SAFETY: _exit takes a number and does not return. Unlike exit(3), it does not run OpenSSL's
    // cleanup, which would free data that librdkafka's threads still use.
    unsafe { libc::_exit(code.into()) }
}

async fn start() -> u8 {
    // Install the handlers first: process 1 ignores signals without a handler.
    let mut stop = match Shutdown::install() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("error: cannot listen for SIGTERM and SIGINT: {error}");
            return FAILED;
        }
    };
    let config = match config::from_command_line() {
        Ok(Asked::Run(config)) => config,
        Ok(Asked::Print(text)) => return print(&text),
        Err(reason) => {
            eprintln!("error: {reason:#}");
            return BAD_CONFIG;
        }
    };
    log::start(config.log_format, config.log.clone());
    let report = match Report::prepare(&config).await {
        Ok(report) => report,
        Err(error) => {
            tracing::error!("{error:#}");
            return BAD_CONFIG;
        }
    };
    match report.run(&mut stop).await {
        Ok(()) => DONE,
        Err(error) => {
            tracing::error!("{error:#}");
            FAILED
        }
    }
}

fn print(text: &str) -> u8 {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("error: cannot write to stdout: {error}");
            FAILED
        }
    }
}
