//! Health checks of containers. They are Docker's: the OCI image-spec reserves the field in the
//! config and does not define it. Docker runs them; Podman does so only for images in Docker's
//! format, and Kubernetes never does.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, null};

/// A health check in an image config. Times are in nanoseconds, and 0 means the engine's default.
/// Source: Docker's Engine API, `HealthConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, or the command after `CMD` or `CMD-SHELL`.
    #[serde(deserialize_with = "null::or_default")]
    pub test: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A health check as users write it: with the fields that Compose files have, in camel case, and
/// times such as `1m30s`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthcheckOptions {
    test: Test,
    interval: Option<String>,
    timeout: Option<String>,
    start_period: Option<String>,
    start_interval: Option<String>,
    retries: Option<u32>,
}

/// The command of a health check. A string is for the image's shell.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Test {
    Shell(String),
    Words(Vec<String>),
}

impl HealthcheckOptions {
    /// Parses a JSON object.
    pub fn parse(json: &str) -> Result<HealthcheckOptions> {
        serde_json::from_str(json).map_err(|source| Error::Json {
            what: "healthcheck".to_owned(),
            source,
        })
    }

    pub fn healthcheck(&self) -> Result<Healthcheck> {
        let test = match &self.test {
            Test::Shell(command) => vec!["CMD-SHELL".to_owned(), command.clone()],
            Test::Words(words) => words.clone(),
        };
        let words: Vec<&str> = test.iter().map(String::as_str).collect();
        let is_known = match words[..] {
            ["NONE"] | ["CMD-SHELL", _] => true,
            ["CMD", ..] => words.len() > 1,
            _ => false,
        };
        if !is_known {
            return Err(Error::Config {
                what: format!("healthcheck test {test:?}"),
                reason: "is neither [\"NONE\"], [\"CMD\", PROGRAM, …] nor [\"CMD-SHELL\", COMMAND]",
            });
        }
        let time = |text: &Option<String>| text.as_deref().map_or(Ok(0), nanoseconds);
        Ok(Healthcheck {
            interval: time(&self.interval)?,
            timeout: time(&self.timeout)?,
            start_period: time(&self.start_period)?,
            start_interval: time(&self.start_interval)?,
            retries: self.retries.unwrap_or_default().into(),
            test,
        })
    }
}

/// Parses a time of whole hours, minutes, seconds and milliseconds, such as `1m30s` or `500ms`.
/// Docker accepts nothing shorter than a millisecond.
fn nanoseconds(text: &str) -> Result<i64> {
    let parse = || {
        let mut rest = text;
        let mut total = 0_i64;
        while !rest.is_empty() {
            let digits = rest.find(|it: char| !it.is_ascii_digit())?;
            let (number, unit) = rest.split_at(digits);
            let letters = unit
                .find(|it: char| !it.is_ascii_lowercase())
                .unwrap_or(unit.len());
            let (unit, after) = unit.split_at(letters);
            let of_unit: i64 = match unit {
                "h" => 3_600_000_000_000,
                "m" => 60_000_000_000,
                "s" => 1_000_000_000,
                "ms" => 1_000_000,
                _ => return None,
            };
            let part = number.parse::<i64>().ok()?.checked_mul(of_unit)?;
            total = total.checked_add(part)?;
            rest = after;
        }
        (total > 0).then_some(total)
    };
    parse().ok_or_else(|| Error::Config {
        what: format!("healthcheck time {text:?}"),
        reason: "is not a time, such as 30s, 1m30s or 500ms",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String> {
        let check = HealthcheckOptions::parse(json)?.healthcheck()?;
        Ok(serde_json::to_string(&check).unwrap())
    }

    #[test]
    fn is_written_as_docker_writes_it() {
        assert_eq!(
            of(
                r#"{"test":["CMD","/bin/app","--check"],"interval":"1m30s","timeout":"500ms",
                "startPeriod":"1h","startInterval":"2s","retries":3}"#
            )
            .unwrap(),
            r#"{"Test":["CMD","/bin/app","--check"],"Interval":90000000000,"Timeout":500000000,"StartPeriod":3600000000000,"StartInterval":2000000000,"Retries":3}"#
        );
        assert_eq!(
            of(r#"{"test":"test -e /ready"}"#).unwrap(),
            r#"{"Test":["CMD-SHELL","test -e /ready"]}"#
        );
        assert!(of(r#"{"test":["NONE"]}"#).is_ok());
    }

    #[test]
    fn rejects_commands_times_and_fields_that_docker_does_not_know() {
        for (json, reason) in [
            (r#"{"test":[]}"#, "is neither"),
            (r#"{"test":["CMD"]}"#, "is neither"),
            (r#"{"test":["/bin/app"]}"#, "is neither"),
            (r#"{"test":["CMD-SHELL","a","b"]}"#, "is neither"),
            (r#"{"interval":"1s"}"#, "missing field `test`"),
            (r#"{"test":"x","every":"1s"}"#, "every"),
            (r#"{"test":"x","interval":"1"}"#, "is not a time"),
            (r#"{"test":"x","interval":""}"#, "is not a time"),
            (r#"{"test":"x","interval":"s"}"#, "is not a time"),
            (r#"{"test":"x","interval":"0s"}"#, "is not a time"),
            (r#"{"test":"x","interval":"1.5s"}"#, "is not a time"),
            (r#"{"test":"x","interval":"1d"}"#, "is not a time"),
            (
                r#"{"test":"x","interval":"9999999999999h"}"#,
                "is not a time",
            ),
        ] {
            let message = of(json).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }
}
