//! A reporter that is started and ended over and over, as a job of a scheduler is, leaves nothing
//! behind: no message untold, no process, no file, no connection at the broker.

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
/// Most of a cycle goes by in waiting for the broker.
const SIDE_BY_SIDE: usize = 20;

/// A call of the image's program in its unpacked image, in a PID namespace of its own: much faster
/// than a container engine, of which this is no test.
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

/// Connections that the broker has, in the kernel's table: proc(5). 01 is ESTABLISHED.
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

/// Processes that run the program, whoever has started them.
fn processes(program: &str) -> Result<usize> {
    let mut count = 0;
    for process in fs::read_dir("/proc")? {
        let line = fs::read(process?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(line.starts_with(program.as_bytes()));
    }
    Ok(count)
}

#[test]
fn a_thousand_starts_and_ends_deliver_a_thousand_messages_and_leave_nothing_behind() -> Result<()> {
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
        for _ in 0..CYCLES / SIDE_BY_SIDE {
            call(&root, &program, root_user)
                .args([&host, "--count=1"])
                .text()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(cycles)).collect();
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
    // The broker sees the end of a connection a moment later.
    for _ in 0..100 {
        if connections(address)? == 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the broker still has {} connections", connections(address)?)
}
