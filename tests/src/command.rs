//! Runs programs for their output. An error contains everything that the program printed.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

pub trait CommandExt {
    /// Runs the command without standard input. Any exit code is fine.
    fn outcome(&mut self) -> Result<Output>;

    /// Runs the command and returns its standard output. An exit code other than 0 is an error.
    fn text(&mut self) -> Result<String>;

    /// Runs the command, which must fail, and returns its standard error.
    fn failure(&mut self) -> Result<String>;
}

impl CommandExt for Command {
    fn outcome(&mut self) -> Result<Output> {
        self.stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {self:?}"))
    }

    fn text(&mut self) -> Result<String> {
        let output = self.outcome()?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{self:?} failed ({}):\n{stdout}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(stdout)
    }

    fn failure(&mut self) -> Result<String> {
        let output = self.outcome()?;
        if output.status.success() {
            bail!(
                "{self:?} should have failed, and printed:\n{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
