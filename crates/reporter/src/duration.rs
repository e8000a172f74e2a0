//! Parses durations of options: `5`, `0.5`, `500ms`, `2m`.

use std::time::Duration;

use anyhow::{Result, bail};

/// Longer durations are almost certainly typing errors, and timers far in the future overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a number with the unit `ms`, `s`, `m` or `h`. The default unit is seconds.
pub fn parse(text: &str) -> Result<Duration> {
    let unit_at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_each = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => bail!("its unit is not one of ms, s, m, h; write for example 500ms or 5s"),
    };
    let Ok(number) = number.parse::<f64>() else {
        bail!("it is not a duration; write seconds (5 or 0.5) or a unit (500ms, 5s, 2m, 1h)");
    };
    match Duration::try_from_secs_f64(number * seconds_each) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => bail!("it is out of range; write a duration from 0 to a year"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_plain_numbers_as_seconds() {
        assert_eq!(parse("5").unwrap(), Duration::from_secs(5));
        assert_eq!(parse("0.5").unwrap(), Duration::from_millis(500));
        assert_eq!(parse("0").unwrap(), Duration::ZERO);
    }

    #[test]
    fn parses_units() {
        assert_eq!(parse("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(parse("5s").unwrap(), Duration::from_secs(5));
        assert_eq!(parse("1.5m").unwrap(), Duration::from_secs(90));
        assert_eq!(parse("1h").unwrap(), Duration::from_secs(3600));
    }

    #[test]
    fn rejects_invalid_durations() {
        for text in [
            "", "s", "five", "5 s", "-1", "5d", "1e400", "NaN", "inf", "9999h",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
