//! The command line of Slipway. It does what a derivation cannot: it makes the lock, fetches seeds,
//! drives Nix and shows how it goes. What can be a derivation is one, under `nix/`.

mod add;
mod anatomy;
mod binfmt;
mod build;
mod cargo;
mod checkout;
mod completions;
mod delivery;
mod doctor;
mod engine;
mod failure;
mod format;
mod images;
mod init;
mod inspect;
mod layers;
mod load;
mod lock;
mod man;
mod native_libraries;
mod origin;
mod output;
mod pack;
mod packing;
mod pair;
mod platforms;
mod programs;
mod project;
mod push;
mod registry;
mod run;
mod scratch;
mod seed;
mod source;
mod sources;
mod update;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Builds small, reproducible, multi-architecture OCI images with Nix, from Debian packages and
/// crates.
#[derive(Parser)]
#[command(version)]
struct Arguments {
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

    /// Print each call of Nix before it is made
    #[arg(short, long, global = true)]
    verbose: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Add(add::Add),
    Update(update::Update),
    Lock(lock::Lock),
    Seed(seed::Seed),
    Build(Box<build::Build>),
    Push(push::Push),
    Load(load::Load),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Pack(Box<pack::Pack>),
    Run(run::Run),
    Platforms(platforms::Platforms),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

fn main() -> ExitCode {
    let Arguments {
        directory,
        verbose,
        command,
    } = Arguments::parse();
    let result = match command {
        Command::Init(init) => init.run(&directory, verbose),
        Command::Add(add) => add.run(&directory),
        Command::Update(update) => update.run(&directory),
        Command::Lock(lock) => lock.run(&directory),
        Command::Seed(seed) => seed.run(&directory, verbose),
        Command::Build(build) => build.run(&directory, verbose),
        Command::Push(push) => push.run(&directory, verbose),
        Command::Load(load) => load.run(&directory, verbose),
        Command::Run(run) => run.run(),
        Command::Pack(pack) => pack.run(&directory, verbose),
        Command::Platforms(platforms) => platforms.run(&directory, verbose),
        Command::Inspect(inspect) => inspect.run(),
        Command::Verify(verify) => verify.run(),
        Command::Doctor(doctor) => doctor.run(&directory, verbose),
        Command::Completions(completions) => completions.run(Arguments::command()),
        Command::Man(man) => man.run(Arguments::command()),
    };
    result.unwrap_or_else(|e| {
        eprintln!("error: {}", failure::one_line(&e));
        ExitCode::FAILURE
    })
}
