//! The process info reporter: every few seconds it tells a Kafka topic the time, its process id
//! and its user id, and it does not leave before what it said has arrived.
//!
//! It is the program Slipway ships first, because it needs what makes images of Rust programs
//! hard: a C library (librdkafka) with C libraries of its own.

mod brokers;
mod config;
mod duration;
mod embedded;
mod events;
mod format;
mod hosts;
mod ledger;
mod librdkafka;
mod log;
mod message;
mod metrics;
mod producer;
mod properties;
mod report;
mod service_link;
mod settings;
mod stop;
mod topic;
mod watch;

use std::io::{self, Write};

use crate::config::Asked;
use crate::report::Report;
use crate::stop::Stop;

/// Everything was delivered, or what was asked for is printed.
const DONE: u8 = 0;
/// The program failed, or some messages were not delivered.
const FAILED: u8 = 1;
/// The options, variables or properties make no sense; nothing was sent.
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
    // SAFETY: it takes a number and does not return. Unlike exit(3) it does not have OpenSSL clean
    // up what librdkafka's threads still use.
    unsafe { libc::_exit(code.into()) }
}

async fn start() -> u8 {
    // First of all: a process 1 without handlers would ignore the signals.
    let mut stop = match Stop::install() {
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
