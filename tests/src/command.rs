//! Programs are run for what they print; one that fails must show itself with all that it said.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

pub trait CommandExt {
    /// Runs it with no standard input, whatever its exit code.
    fn outcome(&mut self) -> Result<Output>;

    /// Runs it and gives what it printed; an exit code other than 0 is an error.
    fn text(&mut self) -> Result<String>;

    /// Runs it, and gives its standard error when it failed, as it should.
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
