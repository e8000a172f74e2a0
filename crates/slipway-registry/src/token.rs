//! Parses the responses of token servers. Implementations differ in their fields, so the parser
//! accepts any JSON object with a token and ignores the rest.

use std::time::Duration;

use serde_json::Value;

use crate::secret::Secret;

/// Lifetime of a token if the response has no valid one: distribution's token authentication
/// specification, "Token Response Fields".
const LIFE: Duration = Duration::from_secs(60);

/// A token is renewed this long before it expires.
const MARGIN: Duration = Duration::from_secs(10);

/// Maximum lifetime. A token that expires earlier is renewed when the registry refuses it.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The response of a token server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub token: Secret,
    /// How long the token may be used from now.
    pub life: Duration,
}

impl Grant {
    /// Parses the body of a response. Returns `None` if it has no token. Source: distribution's
    /// token authentication specification, "Token Response Fields"; its OAuth 2 variant names the
    /// token `access_token`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let answer: Value = serde_json::from_slice(bytes).ok()?;
        let token = ["token", "access_token"]
            .into_iter()
            .filter_map(|name| answer[name].as_str())
            .map(str::trim)
            // The token must be valid in a header.
            .find(|token| !token.is_empty() && token.bytes().all(|c| c.is_ascii_graphic()))?;
        let life = life(&answer["expires_in"]);
        Some(Self {
            token: Secret::new(token),
            life: life.saturating_sub(MARGIN).max(life / 2),
        })
    }
}

/// Parses `expires_in`, which should be a number of seconds.
fn life(expires_in: &Value) -> Duration {
    let seconds = match expires_in {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds >= LONGEST_LIFE.as_secs_f64() => LONGEST_LIFE,
        Some(seconds) if seconds > 0.0 => Duration::from_secs_f64(seconds),
        _ => LIFE,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]

    use super::*;

    #[test]
    fn takes_the_token_from_the_first_field_that_has_one() {
        for json in [
            r#"{"token":"t"}"#,
            r#"{"access_token":"t"}"#,
            r#"{"token":"","access_token":"t"}"#,
            r#"{"token":null,"access_token":"t"}"#,
            r#"{"token":7,"access_token":"t"}"#,
            r#"{"token":"t","access_token":""}"#,
            r#"{"token":"t\n","issued_at":"yesterday","scope":["a"],"refresh_token":{}}"#,
            "\u{feff}{\"token\":\"t\"}",
        ] {
            let grant = Grant::parse(json.as_bytes()).unwrap();
            assert_eq!(grant.token, Secret::new("t"), "{json}");
        }
        for json in [
            "",
            "<html>",
            "[]",
            "null",
            "{}",
            r#"{"token":""}"#,
            r#"{"token":"a\nb"}"#,
        ] {
            assert_eq!(Grant::parse(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn uses_one_minute_for_invalid_lifetimes() {
        for (expires_in, seconds) in [
            ("300", 290.0),
            ("\"300\"", 290.0),
            ("300.0", 290.0),
            ("\" 45.5 \"", 35.5),
            ("3", 1.5),
            ("0.5", 0.25),
            ("86400000", 86390.0),
            ("1e300", 86390.0),
            ("18446744073709551616", 86390.0),
            ("\"inf\"", 86390.0),
            ("0", 50.0),
            ("-1", 50.0),
            ("-1e300", 50.0),
            ("\"NaN\"", 50.0),
            ("\"soon\"", 50.0),
            ("\"\"", 50.0),
            ("null", 50.0),
            ("true", 50.0),
            ("{}", 50.0),
        ] {
            let json = format!(r#"{{"token":"t","expires_in":{expires_in}}}"#);
            let life = Grant::parse(json.as_bytes()).unwrap().life;
            assert_eq!(life.as_secs_f64(), seconds, "{expires_in}");
        }
        let grant = Grant::parse(br#"{"token":"t"}"#).unwrap();
        assert_eq!(grant.life, LIFE - MARGIN);
    }
}
