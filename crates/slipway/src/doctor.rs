mod containers;
mod nix;
mod packages;
mod system;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use serde_json::{Value, json};

use crate::failure::one_line;
use crate::format::Format;
use crate::sources;

/// Show what this machine has of what Slipway uses, what it lacks, and what to do about it
///
/// Nothing is changed. The exit code is 1 if something is lacking that builds need.
#[derive(clap::Args)]
pub struct Doctor {
    /// How to show what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    sources: sources::Options,
}

/// How well a machine serves in one respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Something that is good to know, or that only some commands need.
    Note,
    /// What builds need is not there.
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

/// What was found, in one line: the thing, and what to do if it is not as it should be.
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

    /// What was found, or the error in its place.
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
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
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

/// What `program --version` says first; `None` if there is no such program.
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

/// Of others' text, what may be shown on a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A variable of the environment that is set to an absolute path.
fn directory_in(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
