//! Tests that an interrupted command leaves no files behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

#[test]
fn interrupted_pull_removes_its_files() {
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/image:tag", registry.local_addr().unwrap());
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let temporary = TempDir::new().unwrap();
        let mut verify = Command::new(env!("CARGO_BIN_EXE_slipway"))
            .args(["verify", &image])
            .env("TMPDIR", temporary.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The client has sent its request, and waits for an answer that never comes.
        let _connection = registry.accept().unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
        kill_process(Pid::from_child(&verify), signal).unwrap();
        let status = verify.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}
