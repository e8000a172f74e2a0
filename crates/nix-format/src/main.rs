//! `nix fmt` and the flake's formatting check.
//!
//! Nix users usually install formatters from binary caches. This program uses the library crate of
//! one of them, alejandra, so that all its sources are crates.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use alejandra::format::{Status, in_memory};
use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser};

const USAGE: &str = "nix-format [--check] [PATH]...

Formats Nix files, and those in directories, in place.
  --check  write nothing; fail if a file would change";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut check = false;
    let mut paths = Vec::new();
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("check") => check = true,
            Arg::Long("help") | Arg::Short('h') => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Value(path) => paths.push(PathBuf::from(path)),
            _ => return Err(argument.unexpected().into()),
        }
    }
    if paths.is_empty() {
        paths.push(env::current_dir()?);
    }

    let mut changed = 0;
    for path in &paths {
        for file in nix_files(path)? {
            changed += usize::from(format(&file, check)?);
        }
    }
    Ok(if check && changed > 0 {
        eprintln!("{changed} files are not formatted; run: nix fmt");
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Lists the Nix files at or below a path, sorted. Skips hidden directories and `target`.
fn nix_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut entries = fs::read_dir(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{} cannot be listed", path.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name.to_string_lossy().starts_with('.') || name == "target";
        let kind = entry.file_type()?;
        if kind.is_dir() && !skipped {
            files.append(&mut nix_files(&path)?);
        } else if kind.is_file() && path.extension() == Some(OsStr::new("nix")) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Formats a file and returns whether it changed. With `check`, only reports whether it would
/// change.
fn format(file: &Path, check: bool) -> Result<bool> {
    let before =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (status, after) = in_memory(file.display().to_string(), before);
    match status {
        Status::Changed(false) => return Ok(false),
        Status::Changed(true) => {}
        Status::Error(error) => bail!("{} is not Nix: {error}", file.display()),
    }
    println!("{}", file.display());
    if !check {
        slipway_atomic_file::write(file, after)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(true)
}
