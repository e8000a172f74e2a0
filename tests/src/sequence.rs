//! Numbered messages in the topic `info`, from 1 on. A consumer can tell whether one is lost,
//! duplicated or out of order.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::kafka::{Kafka, Record};
use crate::platform::Platform;
use crate::reporter::{Ended, Reporter, Running};
use crate::requirement::{Requirement, met};

/// A broker, and the image for this machine's platform. `None` if this machine cannot run them.
pub fn fixture(properties: &[(&str, &str)]) -> Result<Option<(Kafka, Reporter)>> {
    if !met(&[Requirement::Kafka, Requirement::Podman])? {
        return Ok(None);
    }
    let platform = Platform::own()?;
    Ok(Some((Kafka::start(properties)?, Reporter::new(&platform)?)))
}

/// Starts to report numbered messages. The flush timeout leaves time for a broker to come back.
pub fn start<'a>(
    reporter: &'a Reporter,
    address: &str,
    options: &[&str],
    arguments: &[&str],
) -> Result<Running<'a>> {
    let host = format!("--env=KAFKA_HOST={address}");
    let grace = "--env=REPORT_FLUSH_TIMEOUT=60s";
    reporter.start(
        &[&[host.as_str(), grace], options].concat(),
        &[&["--format=json"], arguments].concat(),
    )
}

/// Waits until at least `count` messages have arrived.
pub fn wait_for(kafka: &Kafka, count: u64) -> Result<()> {
    for _ in 0..600 {
        if kafka.end_offset("info")? >= count {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{count} messages did not arrive")
}

/// The numbers of the messages, in the order of the topic.
pub fn numbers(records: &[Record]) -> Result<Vec<u64>> {
    records
        .iter()
        .map(|record| {
            let message: Value = serde_json::from_str(&record.value)?;
            let number = message["sequence"].as_u64();
            number.with_context(|| format!("no sequence: {record:?}"))
        })
        .collect()
}

/// Checks that each number from 1 on occurs once and in order.
pub fn ensure_in_order(numbers: &[u64]) -> Result<()> {
    for (expected, number) in (1..).zip(numbers) {
        ensure!(*number == expected, "{number} where {expected} should be");
    }
    Ok(())
}

/// Checks that everything was delivered, both in the reporter's log and in the topic.
pub fn ensure_delivered(kafka: &Kafka, ended: &Ended, count: usize) -> Result<()> {
    ensure!(ended.code == 0, "{}", ended.log);
    let numbers = numbers(&kafka.read("info")?)?;
    ensure_in_order(&numbers)?;
    let arrived = numbers.len();
    ensure!(
        arrived == count,
        "{arrived} of {count} arrived:\n{}",
        ended.log
    );
    Ok(())
}
