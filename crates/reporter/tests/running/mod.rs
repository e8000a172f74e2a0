//! The real program, started as its users start it, and a Kafka to talk to.

// Each test file uses a part of this, and outside of test functions clippy sees no test.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes so long: a test fails then instead of hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running reporter; killed when dropped.
pub struct Running {
    child: Child,
    // Lines, as they come.
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// How a reporter ended, and what it wrote that the test has not read before.
#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal killed it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

/// Starts the reporter with these arguments, and with no other variables than these.
pub fn reporter(arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reporter"));
    let mut child = command
        .env_clear()
        .env("REPORT_LOG_FORMAT", "text")
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running {
        stdout: lines(child.stdout.take().unwrap()),
        stderr: lines(child.stderr.take().unwrap()),
        child,
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        BufReader::new(pipe)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| send.send(line))
    });
    receive
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    pub fn stdout_line(&mut self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// Nobody reads its standard output from now on.
    pub fn close_stdout(&mut self) {
        // The thread that reads it ends with the receiver of its lines.
        self.stdout = channel().1;
    }

    /// Skips lines of standard error up to one that contains `text`.
    pub fn wait_for_log(&mut self, text: &str) {
        self.log_line(text);
    }

    /// The next line of standard error that contains `text`.
    pub fn log_line(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("no line of the log contained `{text}`"),
            }
        }
    }

    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: kill takes two numbers, and the child was not waited for: the id is still its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "the reporter did not end");
            thread::sleep(Duration::from_millis(20));
        };
        Ended {
            code: status.code(),
            stdout: self.stdout.iter().collect(),
            stderr: self.stderr.iter().collect(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
