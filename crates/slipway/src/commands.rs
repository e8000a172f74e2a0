//! The commands. Each command has one file with its arguments and a short `run`, and one row in the
//! list below.

pub mod add;
pub mod build;
pub mod completions;
pub mod debug;
pub mod dev;
pub mod doctor;
pub mod index;
pub mod init;
pub mod inspect;
pub mod load;
pub mod lock;
pub mod man;
pub mod pack;
pub mod platforms;
pub mod pull;
pub mod push;
pub mod release;
pub mod render;
pub mod run;
pub mod seed;
pub mod update;
pub mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::GlobalOptions;

macro_rules! commands {
    ($($command:ident: $arguments:path,)*) => {
        #[derive(Subcommand)]
        pub enum Command {
            $($command(Box<$arguments>),)*
            /// What `slipway run` runs in the image's root.
            #[command(name = run::FirstProcess::NAME, hide = true)]
            RunFirstProcess(run::FirstProcess),
        }

        impl Command {
            pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
                match self {
                    $(Self::$command(command) => command.run(global),)*
                    Self::RunFirstProcess(first) => first.run(global),
                }
            }
        }
    };
}

// In the order of the help text.
commands! {
    Init: init::Init,
    Add: add::Add,
    Update: update::Update,
    Lock: lock::Lock,
    Seed: seed::Seed,
    Build: build::Build,
    Dev: dev::Dev,
    Release: release::Release,
    Push: push::Push,
    Pull: pull::Pull,
    Index: index::Index,
    Load: load::Load,
    Inspect: inspect::Inspect,
    Verify: verify::Verify,
    Debug: debug::Debug,
    Render: render::Render,
    Pack: pack::Pack,
    Run: run::Run,
    Platforms: platforms::Platforms,
    Doctor: doctor::Doctor,
    Completions: completions::Completions,
    Man: man::Man,
}
