//! Topic names, validated early: a broker would reject an invalid name only after the first message
//! was sent.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A valid topic name: up to 249 of `a-z A-Z 0-9 . _ -`, not `.` or `..` (class
/// `org.apache.kafka.common.internals.Topic`).
#[derive(Clone, Debug)]
pub struct Topic(String);

impl Topic {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Topic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if matches!(text, "" | "." | "..") || text.len() > 249 || !text.chars().all(legal) {
            bail!("a topic is 1 to 249 letters, digits, `.`, `_` or `-`; rename it");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_same_topic_names_as_kafka() {
        assert_eq!("info".parse::<Topic>().unwrap().as_str(), "info");
        assert!("a.b_c-9".parse::<Topic>().is_ok());
        for text in ["", ".", "..", "in fo", "info/x", "größe", &"x".repeat(250)] {
            assert!(text.parse::<Topic>().is_err(), "{text:?} was accepted");
        }
    }
}
