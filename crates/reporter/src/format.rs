//! Output formats of messages, log and settings.

use std::str::FromStr;

use anyhow::{Error, Result, bail};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// For humans.
    Text,
    /// For programs.
    Json,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "text" => Self::Text,
            "json" => Self::Json,
            _ => bail!("it is neither text nor json"),
        })
    }
}
