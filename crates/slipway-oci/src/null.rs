//! Tolerant deserialisation of documents of other tools. Go programs write `null` for an empty list
//! or map, and one unknown entry must not make a whole document unreadable.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads `null` as the default value.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list and drops the entries that cannot be read. If none can, returns the error of the
/// first.
pub(crate) fn readable<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let entries: Vec<Value> = or_default(deserializer)?;
    let mut read = Vec::new();
    let mut fault = None;
    for entry in entries {
        match serde_json::from_value(entry) {
            Ok(entry) => read.push(entry),
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    match (fault, read.is_empty()) {
        (Some(fault), true) => Err(D::Error::custom(fault)),
        _ => Ok(read),
    }
}
