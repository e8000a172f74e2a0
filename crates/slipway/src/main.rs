//! The command line of Slipway.
//!
//! This crate holds what a Nix derivation cannot do: resolve `slipway.lock`, fetch seeds, run Nix
//! and report progress. Everything that can be a derivation is one, under `nix/`.

mod cli;
mod commands;
mod image;
mod project;
mod release;

use std::panic;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use clap::Parser;
use signal_hook::consts::SIGPIPE;

use crate::cli::{error_display, progress};
use crate::commands::Command;

/// Builds small, reproducible, multi-architecture OCI images with Nix, from Debian packages and
/// crates.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    global: GlobalOptions,

    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args)]
struct GlobalOptions {
    /// Work on the project in this directory, or above it
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    directory: PathBuf,

    /// Print each nix command before running it
    #[arg(short, long, global = true)]
    verbose: bool,

    /// How to show progress, on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "STYLE",
        default_value = "auto",
        hide_default_value = true
    )]
    progress: progress::Style,
}

fn main() -> ExitCode {
    exit_quietly_on_closed_pipe();
    let Arguments { global, command } = Arguments::parse();
    progress::set_style(global.progress);
    command.run(&global).unwrap_or_else(|e| {
        eprintln!("error: {}", error_display::one_line(&e));
        ExitCode::FAILURE
    })
}

/// Exits quietly when the reader of standard output closes the pipe early, as `head` does. Without
/// this hook, `println!` panics with a message.
fn exit_quietly_on_closed_pipe() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload().downcast_ref::<String>();
        if message.is_some_and(|it| it.starts_with("failed printing to stdout: Broken pipe")) {
            process::exit(128 + SIGPIPE);
        }
        report(info);
    }));
}
