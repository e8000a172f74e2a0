//! Reports to the topic `info` in which every message has a number, from 1 on: so a consumer can tell
//! whether one is missing, is there twice, or came too early.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::kafka::{Kafka, Record};
use crate::platform::Platform;
use crate::reporter::{Ended, Reporter, Running};
use crate::requirement::{Requirement, met};

/// A broker, and the image of this machine's platform; None if this machine can't run them.
pub fn scene(properties: &[(&str, &str)]) -> Result<Option<(Kafka, Reporter)>> {
    if !met(&[Requirement::Kafka, Requirement::Podman])? {
        return Ok(None);
    }
    let platform = Platform::own()?;
    Ok(Some((Kafka::start(properties)?, Reporter::new(&platform)?)))
}

/// Starts to report numbered messages, with time at the end for a broker to come back.
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

/// Waits until at least so many messages have arrived.
pub fn wait_for(kafka: &Kafka, count: u64) -> Result<()> {
    for _ in 0..600 {
        if kafka.end_offset("info")? >= count {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{count} messages did not arrive")
}

/// The numbers of messages, in the order in which the broker has them.
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

/// Each number from 1 on, once and in order.
pub fn ensure_in_order(numbers: &[u64]) -> Result<()> {
    for (expected, number) in (1..).zip(numbers) {
        ensure!(*number == expected, "{number} where {expected} should be");
    }
    Ok(())
}

/// Everything was delivered: the reporter says so, and a consumer agrees.
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
