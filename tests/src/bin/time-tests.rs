//! Runs a test program, whose tests must run one at a time, and appends the duration of each test
//! to a file: `time-tests FILE PROGRAM ARGUMENT…`. Cargo calls it as the runner of test programs.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

fn main() -> Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let file = arguments.next().context("no file")?;
    let mut program = Command::new(arguments.next().context("no program")?);
    let mut child = program.args(arguments).stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().context("no standard output")?;
    let mut times = Times::default();
    let mut buffer = [0; 4096];
    loop {
        let read = stdout.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        io::stdout().write_all(&buffer[..read])?;
        io::stdout().flush()?;
        times.handle_line(&buffer[..read]);
    }
    let status = child.wait()?;
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    for (name, seconds) in times.finish() {
        writeln!(file, "{seconds:8.1} s  {name}")?;
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// The durations of tests, measured from the output of the test harness. It prints `test NAME ... `
/// when a test starts.
#[derive(Default)]
struct Times {
    line: Vec<u8>,
    running: Option<(String, Instant)>,
    ended: Vec<(String, f64)>,
}

impl Times {
    fn handle_line(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                if self.line.starts_with(b"test result") {
                    self.end();
                }
                self.line.clear();
                continue;
            }
            self.line.push(*byte);
            if self.line.ends_with(b" ... ") {
                if let Some(name) = started(&self.line) {
                    self.end();
                    self.running = Some((name, Instant::now()));
                }
            }
        }
    }

    fn end(&mut self) {
        if let Some((name, start)) = self.running.take() {
            self.ended.push((name, start.elapsed().as_secs_f64()));
        }
    }

    fn finish(mut self) -> Vec<(String, f64)> {
        self.end();
        self.ended
    }
}

fn started(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let name = line.strip_prefix("test ")?.strip_suffix(" ... ")?;
    (!name.contains(' ')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_lasts_until_the_next_one_starts() {
        let mut times = Times::default();
        times.handle_line(b"\nrunning 2 tests\ntest one ... pri");
        times.handle_line(b"nted in it ... \nok\ntest two ");
        times.handle_line(b"... ok\n\ntest result: ok. 2 passed\n");
        let names: Vec<String> = times.finish().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["one", "two"]);
    }
}
