//! A call of a Nix program. It prints as a shell command, so that users can run the same command by
//! hand.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::error::Error;

/// A call that has not been run yet.
#[derive(Debug)]
pub struct Call {
    program: &'static str,
    arguments: Vec<OsString>,
}

impl Call {
    pub(crate) fn new(program: &'static str) -> Self {
        Self {
            program,
            arguments: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<T: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    fn command(&self, directory: Option<&Path>) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        command
    }

    fn failed_to_start(&self, source: std::io::Error) -> Error {
        match source.kind() {
            std::io::ErrorKind::NotFound => Error::NotInstalled(self.program.into()),
            _ => Error::Io {
                program: self.program.into(),
                source,
            },
        }
    }

    /// Runs the program and returns its output, also if it fails.
    pub(crate) fn output(&self, directory: Option<&Path>) -> Result<Output, Error> {
        self.command(directory)
            .output()
            .map_err(|e| self.failed_to_start(e))
    }

    /// Runs the program and returns its standard output and standard error. A failure is an error
    /// with Nix's error message.
    pub(crate) fn text(&self, directory: Option<&Path>) -> Result<(String, String), Error> {
        let output = self.output(directory)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() {
            return Ok((stdout, stderr));
        }
        Err(Error::Failed(error_message(&stderr)))
    }

    /// Starts the program with both outputs as pipes.
    pub(crate) fn start(&self, directory: Option<&Path>) -> Result<Child, Error> {
        let mut command = self.command(directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|e| self.failed_to_start(e))
    }

    pub(crate) fn unexpected(&self, reason: impl fmt::Display) -> Error {
        Error::Unexpected {
            command: self.to_string(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        for argument in &self.arguments {
            let text = argument.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
            if !text.is_empty() && text.chars().all(plain) {
                write!(f, " {text}")?;
            } else {
                write!(f, " '{}'", text.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// Extracts Nix's error message as one line without colours: the last `error:` and what follows it.
pub(crate) fn error_message(stderr: &str) -> String {
    let plain = without_colours(stderr);
    let from = plain.rfind("error:").map_or(0, |at| at + "error:".len());
    let words: Vec<&str> = plain[from..].split_whitespace().collect();
    if words.is_empty() {
        "Nix failed and did not say why".into()
    } else {
        format!("Nix: {}", words.join(" "))
    }
}

/// Removes terminal escape sequences (ECMA-48 CSI).
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |at| at + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_a_shell_command() {
        let call =
            Call::new("nix").args(["build", ".#image", "--option", "substituters", "", "it's"]);
        assert_eq!(
            call.to_string(),
            r"nix build '.#image' --option substituters '' 'it'\''s'"
        );
    }

    #[test]
    fn error_messages_are_one_line_without_colours() {
        let stderr = "warning: x\n\u{1b}[31;1merror:\u{1b}[0m getting status of '\u{1b}[35;1m/x\u{1b}[0m':\n       No such file\n";
        assert_eq!(
            error_message(stderr),
            "Nix: getting status of '/x': No such file"
        );
        assert_eq!(error_message(""), "Nix failed and did not say why");
    }
}
