//! Messages in JSON have a number, from 1 on, so that a consumer can tell whether one is missing, is
//! there twice, or came too early.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kafka::Record;

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
