//! Reads topics with kcat(1), which is independent of the reporter.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::CommandExt;

/// A message as stored by the broker.
#[derive(Clone, Debug)]
pub struct Record {
    pub partition: i64,
    pub offset: i64,
    /// Milliseconds since 1970, as set by the producer.
    pub timestamp: i64,
    pub key: Option<String>,
    pub value: String,
}

/// Reads a topic from its start to its current end.
pub fn read(address: &str, topic: &str) -> Result<Vec<Record>> {
    let text = Command::new("kcat")
        .args(["-C", "-e", "-q", "-J", "-X", "check.crcs=true"])
        .args(["-b", address, "-t", topic])
        .text()?;
    text.lines()
        .map(|line| record(line).with_context(|| format!("kcat printed: {line}")))
        .collect()
}

/// See `Kafka::end_offset`.
pub fn end_offset(address: &str, topic: &str) -> Result<u64> {
    let query = Command::new("kcat")
        .args(["-Q", "-b", address, "-t", &format!("{topic}:0:-1")])
        .outcome()?;
    let error = String::from_utf8_lossy(&query.stderr);
    // "Unknown topic or partition" comes from the broker, and "Unknown partition" from librdkafka.
    // A broker that has just created the topic or just restarted answers "Not leader for
    // partition".
    if error.contains("Unknown") || error.contains("Not leader") {
        return Ok(0);
    }
    ensure!(query.status.success(), "kcat -Q: {error}");
    // The output is `info [0] offset 17`.
    let text = String::from_utf8_lossy(&query.stdout);
    let offset = text.split_whitespace().last();
    Ok(offset.unwrap_or_default().parse()?)
}

fn record(line: &str) -> Result<Record> {
    let fields: Value = serde_json::from_str(line)?;
    let number = |name: &str| {
        let value = fields[name].as_i64();
        value.with_context(|| format!("no {name}"))
    };
    Ok(Record {
        partition: number("partition")?,
        offset: number("offset")?,
        timestamp: number("ts")?,
        key: fields["key"].as_str().map(String::from),
        value: fields["payload"].as_str().context("no payload")?.into(),
    })
}
