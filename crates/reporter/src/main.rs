//! The process info reporter: every few seconds it tells a Kafka topic the time, its process id
//! and its user id, and it does not leave before what it said has arrived.
//!
//! It is the program Slipway ships first, because it needs what makes images of Rust programs
//! hard: a C library (librdkafka) with C libraries of its own.

mod config;
mod duration;
mod embedded;
mod events;
mod hosts;
mod message;
mod producer;
mod report;
mod stop;
mod topic;

use std::process::ExitCode;

use crate::config::Config;
use crate::stop::Stop;

/// Everything was delivered.
const DELIVERED: u8 = 0;
/// The program failed, or some messages were not delivered.
const FAILED: u8 = 1;
/// The options or environment variables make no sense; nothing was started.
const BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the event loop: {error}");
            return ExitCode::from(FAILED);
        }
    };
    ExitCode::from(runtime.block_on(start()))
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
    let config = match Config::from_command_line() {
        Ok(config) => config,
        Err(reason) => {
            eprintln!("error: {reason:#}");
            return BAD_CONFIG;
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    match report::run(&config, &mut stop).await {
        Ok(()) => DELIVERED,
        Err(error) => {
            tracing::error!("{error:#}");
            FAILED
        }
    }
}
