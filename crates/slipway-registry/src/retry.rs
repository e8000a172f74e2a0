//! Retries, and cancellation of the other parts of an operation when one fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use slipway_http::RetryPolicy;
use slipway_progress::{Progress, seconds};

use crate::{Error, Result};

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Permanent(Error),
    /// A retry may succeed; the registry may have requested a delay.
    Transient(Error, Option<Duration>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Permanent(error)
    }
}

/// State shared by all parts of one operation.
pub(crate) struct Work<'a> {
    pub progress: &'a dyn Progress,
    /// Set when a part has failed permanently, to stop the others.
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

/// The attempts at one request or transfer.
pub(crate) struct Tries<'a> {
    tries: slipway_http::Tries<'a>,
    work: &'a Work<'a>,
}

impl<'a> Tries<'a> {
    pub fn new(retry: &'a RetryPolicy, work: &'a Work<'a>) -> Self {
        Self {
            tries: slipway_http::Tries::new(retry),
            work,
        }
    }

    /// Resets the attempt counter after progress.
    pub fn progressed(&mut self) {
        self.tries.progressed();
    }

    /// Waits before the next attempt. Returns the error if it is permanent or no attempts are left.
    pub fn pause(&mut self, failure: Failure) -> Result<()> {
        let (error, asked) = match failure {
            Failure::Permanent(error) => return Err(error),
            Failure::Transient(error, asked) => (error, asked),
        };
        let Some(pause) = self.tries.next_pause(asked) else {
            return Err(error);
        };
        self.work
            .progress
            .note(&format!("{error}: trying again in {}", seconds(pause)));
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
}

#[cfg(test)]
mod tests {
    use slipway_progress::Silent;

    use super::*;

    #[test]
    fn does_not_retry_permanent_failures() {
        let (retry, work) = (RetryPolicy::default(), Work::new(&Silent));
        let mut tries = Tries::new(&retry, &work);
        let now = Some(Duration::ZERO);
        assert!(tries.pause(Failure::Transient(Error::Stopped, now)).is_ok());
        assert!(tries.pause(Failure::Permanent(Error::Stopped)).is_err());
    }
}
