//! A server that runs during a test.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::CommandExt;

/// A running server. Sends it SIGTERM and waits for it when dropped.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts the server, appends its output to the file `log`, and waits until `ready` returns
    /// true.
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

    /// Sends a signal, named as in kill(1).
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill")
            .args(["-s", name, &id])
            .text()
            .map(drop)
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

/// Waits until the server is ready. Returns the reason if it did not become ready.
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
        // After a wait, the process ID may belong to another process.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.signal("TERM");
            let _ = self.child.wait();
        }
    }
}
