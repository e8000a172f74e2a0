mod containers;
mod nix;
mod packages;
mod system;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use serde_json::{Value, json};

use crate::GlobalOptions;
use crate::cli::error_display::one_line;
use crate::cli::format::Format;
use crate::project::package_sources;

/// Check this machine for everything that Slipway uses, and explain what to do
///
/// Changes nothing. Exits with 1 if something is missing that builds need.
#[derive(clap::Args)]
pub struct Doctor {
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    sources: package_sources::Options,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Worth knowing, or needed by some commands only.
    Note,
    /// Something that builds need is missing.
    Lacks,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note => "note",
            State::Lacks => "lacks",
        }
    }
}

/// A finding, on one line: the subject, and what to do if something is wrong.
#[derive(Debug)]
struct Finding {
    subject: String,
    state: State,
    text: String,
}

impl Finding {
    fn ok(subject: &str, text: impl Into<String>) -> Self {
        Self::new(subject, State::Ok, text)
    }

    fn note(subject: &str, text: impl Into<String>) -> Self {
        Self::new(subject, State::Note, text)
    }

    fn lacks(subject: &str, text: impl Into<String>) -> Self {
        Self::new(subject, State::Lacks, text)
    }

    fn new(subject: &str, state: State, text: impl Into<String>) -> Self {
        Self {
            subject: subject.to_owned(),
            state,
            text: text.into(),
        }
    }

    /// The finding for a result: its text, or the error.
    fn of<T>(
        subject: &str,
        otherwise: State,
        result: Result<T>,
        text: impl FnOnce(T) -> String,
    ) -> Self {
        match result {
            Ok(found) => Self::ok(subject, text(found)),
            Err(e) => Self::new(subject, otherwise, one_line(&e)),
        }
    }

    fn to_json(&self) -> Value {
        json!({"subject": self.subject, "state": self.state.name(), "text": self.text})
    }
}

impl Doctor {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let (nix, table) = nix::findings(directory, verbose);
        let root = Path::new("/");
        let findings: Vec<Finding> = nix
            .into_iter()
            .chain(system::findings(root))
            .chain(packages::findings(&self.sources, directory))
            .chain(containers::findings(root, table.as_ref()))
            .collect();
        match self.format {
            Format::Text => {
                let width = findings.iter().map(|it| it.subject.len()).max();
                let width = width.unwrap_or_default();
                for Finding {
                    subject,
                    state,
                    text,
                } in &findings
                {
                    println!("{:<5}  {subject:<width$}  {text}", state.name());
                }
            }
            Format::Json => {
                let rows: Vec<Value> = findings.iter().map(Finding::to_json).collect();
                println!("{:#}", json!(rows));
            }
        }
        Ok(match findings.iter().any(|it| it.state == State::Lacks) {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

/// The first line that `program --version` prints. `None` if the program cannot be run.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(plain(text.lines().next().unwrap_or_default()))
}

/// Removes characters from foreign text that should not be printed to a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The value of an environment variable, if it is an absolute path.
fn directory_in(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
