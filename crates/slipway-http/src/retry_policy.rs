//! Retry policy: transient errors are retried with exponential backoff and jitter, up to a limit.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

/// Timeouts and retry limits.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Timeout for connecting.
    pub connect: Duration,
    /// Timeout for the response to a request with a body. Some registries take minutes for large
    /// blobs.
    pub answer: Duration,
    /// Timeout for the next bytes in either direction, and for the response to a request without a
    /// body.
    pub stall: Duration,
    /// Pause before the first retry. It doubles for each further one.
    pub pause: Duration,
    /// Most tries without progress.
    pub tries: u32,
    /// Longest total of all pauses without progress, including those that a server requests.
    pub total: Duration,
}

impl RetryPolicy {
    /// The default policy, suited to public servers.
    pub const STANDARD: Self = Self {
        connect: Duration::from_secs(10),
        answer: Duration::from_secs(600),
        stall: Duration::from_secs(30),
        pause: Duration::from_millis(500),
        tries: 6,
        total: Duration::from_secs(120),
    };
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// Counts the tries of one operation.
#[derive(Debug)]
pub struct Tries<'a> {
    policy: &'a RetryPolicy,
    failed: u32,
    waited: Duration,
}

impl<'a> Tries<'a> {
    pub fn new(policy: &'a RetryPolicy) -> Self {
        Self {
            policy,
            failed: 0,
            waited: Duration::ZERO,
        }
    }

    /// Resets the count after progress.
    pub fn progressed(&mut self) {
        (self.failed, self.waited) = (0, Duration::ZERO);
    }

    /// Records a failure. Returns the pause before the next try, or `None` to give up. `asked` is
    /// the pause that the server requested.
    pub fn next_pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failed += 1;
        let pause = asked.unwrap_or_else(|| self.backoff());
        if self.failed >= self.policy.tries || self.waited + pause > self.policy.total {
            return None;
        }
        self.waited += pause;
        Some(pause)
    }

    /// The current backoff, reduced by a random factor between one half and one.
    fn backoff(&self) -> Duration {
        let doubled = self.policy.pause * 2u32.saturating_pow(self.failed.min(10) - 1);
        let random = RandomState::new().build_hasher().finish();
        doubled.mul_f64(0.5 + 0.5 * (random % 1000) as f64 / 1000.0)
    }
}

/// Whether a response with this status is worth a retry.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// The pause requested by the header `Retry-After`, in seconds or as a date: RFC 9110, section
/// 10.2.3.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(
        headers.get("retry-after")?.to_str().ok()?,
        SystemTime::now(),
    )
}

fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_retry_after_in_seconds_or_as_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |value| parse_retry_after(value, now).map(|it| it.as_secs());
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:30 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }

    #[test]
    fn stops_after_too_many_tries_or_too_long_a_wait() {
        let policy = RetryPolicy {
            pause: Duration::from_micros(1),
            tries: 3,
            total: Duration::from_secs(10),
            ..RetryPolicy::default()
        };
        let mut tries = Tries::new(&policy);
        assert!(tries.next_pause(None).is_some());
        assert!(tries.next_pause(None).is_some());
        tries.progressed();
        assert!(tries.next_pause(None).is_some());
        assert!(tries.next_pause(None).is_some());
        assert!(tries.next_pause(None).is_none());
        let mut tries = Tries::new(&policy);
        assert!(tries.next_pause(Some(Duration::from_secs(11))).is_none());
    }
}
