//! Delivery when the broker's disk is full.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::requirement::{Requirement, met};
use end_to_end::sequence::{ensure_delivered, fixture, start, wait_for};
use end_to_end::tmpfs::Tmpfs;

/// Waits until the broker reports the full disk.
fn wait_for_full_disk(kafka: &Kafka) -> Result<()> {
    for _ in 0..600 {
        if kafka.log()?.contains("No space left on device") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the broker goes on without a disk:\n{}", kafka.log()?)
}

#[test]
fn delivers_everything_after_a_full_disk_of_the_broker_has_room_again() -> Result<()> {
    if !met(&[Requirement::Root("a file system to fill")])? {
        return Ok(());
    }
    let disk = Tmpfs::mount("64m")?;
    let data = disk.path().join("data").display().to_string();
    let Some((mut kafka, reporter)) = fixture(&[("log.dirs", &data)])? else {
        return Ok(());
    };
    let running = start(
        &reporter,
        kafka.address(Listener::Plaintext),
        &["--env=KAFKA_BATCH_NUM_MESSAGES=10"],
        &["--interval=1ms", "--count=5000"],
    )?;
    wait_for(&kafka, 500)?;
    disk.fill()?;
    wait_for_full_disk(&kafka)?;
    // Kafka halts when its only log directory fails.
    kafka.kill()?;
    assert!(running.is_running()?, "{}", running.log()?);
    disk.make_room()?;
    kafka.start_again()?;
    ensure_delivered(&kafka, &running.wait()?, 5000)
}
