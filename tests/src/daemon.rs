//! A server that runs for the time of a test.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::CommandExt;

/// Asked to end when it is dropped, and waited for.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it, with its output at the end of the file `log`, and waits until it is `ready`.
    pub fn start(
        command: &mut Command,
        log: PathBuf,
        ready: impl Fn() -> Result<bool>,
    ) -> Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("running {command:?}"))?;
        let mut daemon = Self { child };
        let why = wait(&mut daemon.child, ready)?;
        match why {
            None => Ok(daemon),
            Some(why) => bail!("{command:?} {why}:\n{}", fs::read_to_string(&log)?),
        }
    }

    /// Sends it a signal, named as kill(1) has it.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill")
            .args(["-s", name, &id])
            .text()
            .map(drop)
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

/// Why it did not become ready, if so.
fn wait(child: &mut Child, ready: impl Fn() -> Result<bool>) -> Result<Option<String>> {
    for _ in 0..600 {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(format!("ended ({status})")));
        }
        if ready()? {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Some("did not become ready".to_owned()))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its id may be somebody else's once it was waited for.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.signal("TERM");
            let _ = self.child.wait();
        }
    }
}
