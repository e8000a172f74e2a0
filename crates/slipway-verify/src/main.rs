//! `slipway verify` for the Nix sandbox. It has few dependencies, so that a change to the command
//! line does not rerun every check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser};
use slipway_oci::{Closure, Layout};
use slipway_verify::{compare, is_sound, verify};

const USAGE: &str = "usage: slipway-verify [--closure FILE]... LAYOUT...

Checks that the images in each LAYOUT can start.
  --closure FILE  check instead that they have exactly the store paths in FILE, as written by Nix's
                  exportReferencesGraph, and nothing that only builds need (repeatable)";

struct Arguments {
    closures: Vec<PathBuf>,
    layouts: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("slipway-verify: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("slipway-verify: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments; `None` if help is wanted.
fn parse() -> Result<Option<Arguments>, lexopt::Error> {
    let mut closures = Vec::new();
    let mut layouts = Vec::new();
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("closure") => closures.push(parser.value()?.into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(layout) => layouts.push(layout.into()),
            _ => return Err(argument.unexpected()),
        }
    }
    if layouts.is_empty() {
        return Err("name a layout".into());
    }
    Ok(Some(Arguments { closures, layouts }))
}

/// Whether all images are in order. Prints what is wrong, and a line for each verified image.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let closures: Vec<Closure> = arguments
        .closures
        .iter()
        .map(|file| read_closure(file))
        .collect::<Result<_, _>>()?;
    let mut in_order = true;
    for path in &arguments.layouts {
        let layout = Layout::open(path).map_err(|error| error.to_string())?;
        if closures.is_empty() {
            let reports = verify(&layout, None).map_err(|error| error.to_string())?;
            reports.iter().for_each(|report| println!("{report}"));
            in_order &= is_sound(&reports);
        } else {
            let differences = compare(&layout, &closures)
                .map_err(|error| error.to_string())?
                .ok_or_else(|| format!("{} has no images", path.display()))?;
            differences.iter().for_each(|it| println!("{it}"));
            in_order &= differences.is_empty();
        }
    }
    Ok(in_order)
}

fn read_closure(file: &Path) -> Result<Closure, String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let graph = fs::read_to_string(file).map_err(|error| at(&error))?;
    Closure::parse(&graph).map_err(|error| at(&error))
}
