//! Starts the actual program as users do, and controls it.

// Each test binary uses a part of this module, and clippy's exception for tests covers test
// functions only.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit for everything in the tests, so that they fail instead of hanging.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A running reporter, killed on drop.
pub struct Running {
    child: Child,
    // Lines of output, received as they are printed.
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// Exit code and remaining output of a reporter.
#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal killed it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

/// Starts the reporter with these arguments and only these environment variables.
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

    /// Returns the next line of standard output.
    pub fn stdout_line(&mut self) -> String {
        self.stdout.recv_timeout(TIMEOUT).unwrap()
    }

    /// Closes the reading end of its standard output.
    pub fn close_stdout(&mut self) {
        // The reading thread exits when the receiver of its lines is dropped.
        self.stdout = channel().1;
    }

    /// Waits for a line of standard error that contains `text`.
    pub fn wait_for_log(&mut self, text: &str) {
        self.log_line(text);
    }

    /// Returns the next line of standard error that contains `text`.
    pub fn log_line(&mut self, text: &str) -> String {
        let until = Instant::now() + TIMEOUT;
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
        // SAFETY: kill takes two numbers, and the child has not been waited for, so its process id
        // is still valid.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits until the reporter exits.
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + TIMEOUT;
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
        // Fails if the process has exited, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
