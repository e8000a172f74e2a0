//! Registries are busy, networks are cut: what fails in passing is tried again, later each time,
//! at a moment that is not everybody's, and not for ever.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::progress::Progress;
use crate::{Error, Result};

/// How long to wait for a registry.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to what was sent. Large blobs take some registries minutes.
    pub answer: Duration,
    /// For the next bytes to go or come, and for the answer to what has no body.
    pub stall: Duration,
    /// Before the second try; doubled for each one after it.
    pub pause: Duration,
    /// How many times the same is tried without any progress.
    pub tries: u32,
    /// How long pauses may take together without any progress, also those that a registry asks
    /// for.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(600),
            stall: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            tries: 8,
            total: Duration::from_secs(120),
        }
    }
}

/// Why a request did not go through.
#[derive(Debug)]
pub(crate) enum Failure {
    Final(Error),
    /// It may go through another time; a registry may have said how long to wait.
    Passing(Error, Option<Duration>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// What all parts of one piece of work share.
pub(crate) struct Work<'a> {
    pub progress: &'a dyn Progress,
    /// Set when a part has failed for good, so that the others need not go on.
    pub stop: AtomicBool,
}

impl<'a> Work<'a> {
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            stop: AtomicBool::new(false),
        }
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The tries of one thing.
pub(crate) struct Tries<'a> {
    patience: &'a Patience,
    work: &'a Work<'a>,
    failed: u32,
    waited: Duration,
}

impl<'a> Tries<'a> {
    pub fn new(patience: &'a Patience, work: &'a Work<'a>) -> Self {
        Self {
            patience,
            work,
            failed: 0,
            waited: Duration::ZERO,
        }
    }

    /// There was progress, so patience is whole again.
    pub fn progressed(&mut self) {
        self.failed = 0;
        self.waited = Duration::ZERO;
    }

    /// Waits before the next try, or gives the error if there is to be none.
    pub fn pause(&mut self, failure: Failure) -> Result<()> {
        let (error, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error, asked) => (error, asked),
        };
        self.failed += 1;
        let pause = asked.unwrap_or_else(|| self.backoff());
        if self.failed >= self.patience.tries || self.waited + pause > self.patience.total {
            return Err(error);
        }
        self.waited += pause;
        self.work.progress.note(&format!(
            "{error}: trying again in {:.1} s",
            pause.as_secs_f64()
        ));
        let until = Instant::now() + pause;
        loop {
            if self.work.stopped() {
                return Err(Error::Stopped);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Twice as long each time, and then between a half and the whole of it.
    fn backoff(&self) -> Duration {
        let doubled = self.patience.pause * 2u32.saturating_pow(self.failed.min(10) - 1);
        let random = RandomState::new().build_hasher().finish();
        doubled.mul_f64(0.5 + 0.5 * (random % 1000) as f64 / 1000.0)
    }
}

/// The pause that `Retry-After` asks for, in seconds or as a date: RFC 9110, section 10.2.3.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
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
    use crate::progress::Silent;

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |value| retry_after(value, now).map(|it| it.as_secs());
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:30 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }

    #[test]
    fn patience_ends_after_so_many_tries_or_so_long_a_wait() {
        let patience = Patience {
            pause: Duration::from_micros(1),
            tries: 3,
            total: Duration::from_secs(10),
            ..Patience::default()
        };
        let work = Work::new(&Silent);
        let passing = |after| Failure::Passing(Error::Stopped, after);
        let mut tries = Tries::new(&patience, &work);
        assert!(tries.pause(passing(None)).is_ok());
        assert!(tries.pause(passing(None)).is_ok());
        tries.progressed();
        assert!(tries.pause(passing(None)).is_ok());
        assert!(tries.pause(passing(None)).is_ok());
        assert!(tries.pause(passing(None)).is_err());
        let mut tries = Tries::new(&patience, &work);
        assert!(tries.pause(passing(Some(Duration::from_secs(11)))).is_err());
        assert!(tries.pause(Failure::Final(Error::Stopped)).is_err());
    }
}
