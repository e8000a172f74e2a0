//! What the reporter says: who it is, and when.

use std::process;

use chrono::{DateTime, Local, SecondsFormat, TimeZone};

/// The process that reports.
pub struct Reporter {
    pid: u32,
    uid: u32,
}

/// One message, and the instant that it tells.
pub struct Message {
    pub text: String,
    /// Milliseconds since 1970 in UTC, as Kafka counts time.
    pub timestamp: i64,
}

impl Reporter {
    /// This process.
    pub fn this_process() -> Self {
        Self {
            pid: process::id(),
            // SAFETY: getuid takes nothing, touches no memory and cannot fail (getuid(2)).
            uid: unsafe { libc::getuid() },
        }
    }

    /// The message of this moment, in the local time zone.
    pub fn now(&self) -> Message {
        self.at(Local::now())
    }

    fn at<Zone: TimeZone>(&self, time: DateTime<Zone>) -> Message
    where
        Zone::Offset: std::fmt::Display,
    {
        let Self { pid, uid } = self;
        let time_text = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        Message {
            text: format!("Time: {time_text}, PID: {pid}, UID: {uid}"),
            timestamp: time.timestamp_millis(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEONE: Reporter = Reporter { pid: 7, uid: 65532 };

    #[test]
    fn time_is_written_in_whole_seconds_with_the_local_offset() {
        let time = DateTime::parse_from_rfc3339("2025-03-30T03:00:01.987+02:00").unwrap();
        let message = SOMEONE.at(time);
        assert_eq!(
            message.text,
            "Time: 2025-03-30T03:00:01+02:00, PID: 7, UID: 65532"
        );
        assert_eq!(message.timestamp, 1_743_296_401_987);
    }

    #[test]
    fn utc_is_written_z() {
        let time = DateTime::parse_from_rfc3339("2025-03-30T01:00:01+00:00").unwrap();
        assert_eq!(
            SOMEONE.at(time).text,
            "Time: 2025-03-30T01:00:01Z, PID: 7, UID: 65532"
        );
    }
}
