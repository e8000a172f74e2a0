//! Starts and ends a reporter many times, as a job scheduler does. No message may be lost, and no
//! process, file or connection to the broker may be left behind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use end_to_end::command::CommandExt;
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, is_root, met};
use slipway_oci::{Layout, unpack};

const CYCLES: usize = 1000;
/// Parallel reporters. A reporter spends most of its time waiting for the broker.
const PARALLEL: usize = 20;

/// Runs the program in the unpacked image, in its own PID namespace. This is much faster than a
/// container engine, which is not tested here.
fn call(root: &Path, program: &str, root_user: bool) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--root"]);
    command.arg(root);
    match root_user {
        true => command.args(["--setuid=65532", "--setgid=65532"]),
        false => command.args(["--user", "--map-user=65532", "--map-group=65532"]),
    };
    command.arg("--").arg(program).env_clear();
    command
}

/// Every file under a directory.
fn files(directory: &Path) -> Result<String> {
    Command::new("find").arg(directory).text()
}

/// The number of connections to the broker, from the kernel's table: proc(5). State 01 is
/// ESTABLISHED.
fn connections(address: &str) -> Result<usize> {
    let port: u16 = address.rsplit(':').next().context("a port")?.parse()?;
    let port = format!(":{port:04X}");
    let mut count = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table)?.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[1].ends_with(&port) && fields[3] == "01" {
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The number of processes that run the program.
fn processes(program: &str) -> Result<usize> {
    let mut count = 0;
    for process in fs::read_dir("/proc")? {
        let line = fs::read(process?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(line.starts_with(program.as_bytes()));
    }
    Ok(count)
}

#[test]
fn a_thousand_runs_deliver_every_message_and_leave_nothing_behind() -> Result<()> {
    if !met(&[Requirement::Kafka])? {
        return Ok(());
    }
    let platform = Platform::own()?;
    let layout = Layout::open(&nix_build(repository(), &platform.image())?)?;
    let image = layout.images()?.remove(0);
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("root");
    unpack(&layout, &image, &root)?;
    let program = image.config().value().config.entrypoint[0].clone();
    let root_user = is_root()?;

    let kafka = Kafka::start(&[])?;
    kafka.create_topic("info", 1, &[])?;
    let address = kafka.address(Listener::Plaintext);
    let host = format!("--host={address}");
    let files_before = files(&root)?;
    let cycles = || -> Result<()> {
        for _ in 0..CYCLES / PARALLEL {
            call(&root, &program, root_user)
                .args([&host, "--count=1"])
                .text()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(cycles)).collect();
        running
            .into_iter()
            .try_for_each(|cycles| match cycles.join() {
                Ok(result) => result,
                Err(_) => bail!("a cycle panicked"),
            })
    })?;

    assert_eq!(kafka.read("info")?.len(), CYCLES);
    assert_eq!(files(&root)?, files_before);
    assert_eq!(processes(&program)?, 0);
    // The broker notices a closed connection with a delay.
    for _ in 0..100 {
        if connections(address)? == 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the broker still has {} connections", connections(address)?)
}
