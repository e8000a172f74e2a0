//! The messages: process id, user id and time.

use std::fmt::Write;
use std::process;

use chrono::{DateTime, Local, SecondsFormat, TimeZone, Utc};

use crate::format::Format;

/// Creates the messages of a process.
pub struct Reporter {
    format: Format,
    pid: u32,
    uid: u32,
    sequence: u64,
    /// The text of the last message and its second. Text messages within one second are equal.
    text: String,
    second: Option<i64>,
}

/// One message: as text `Time: 2025-03-30T01:00:01Z, PID: 7, UID: 65532`, as JSON
/// `{"time":"2025-03-30T01:00:01.987Z","pid":7,"uid":65532,"sequence":1}`. The sequence numbers of
/// a process start at 1, so that consumers can detect missing messages.
#[derive(Debug, PartialEq)]
pub struct Message<'a> {
    pub text: &'a str,
    /// Milliseconds since 1970 in UTC, as in Kafka timestamps.
    pub timestamp: i64,
}

impl Reporter {
    /// Creates messages of this process.
    pub fn this_process(format: Format) -> Self {
        // SAFETY: getuid takes nothing, touches no memory and cannot fail (getuid(2)).
        let uid = unsafe { libc::getuid() };
        Self::new(format, process::id(), uid)
    }

    fn new(format: Format, pid: u32, uid: u32) -> Self {
        Self {
            format,
            pid,
            uid,
            sequence: 0,
            text: String::new(),
            second: None,
        }
    }

    /// Returns the message for the current time, in the local time zone.
    pub fn now(&mut self) -> Message<'_> {
        self.at(Utc::now(), &Local)
    }

    fn at<Zone: TimeZone>(&mut self, time: DateTime<Utc>, zone: &Zone) -> Message<'_>
    where
        Zone::Offset: std::fmt::Display,
    {
        self.sequence += 1;
        let second = Some(time.timestamp());
        if self.format == Format::Json || self.second != second {
            self.second = second;
            self.text.clear();
            // Writing to a String cannot fail.
            let _ = self.write(&time.with_timezone(zone));
        }
        Message {
            text: &self.text,
            timestamp: time.timestamp_millis(),
        }
    }

    fn write<Zone: TimeZone>(&mut self, time: &DateTime<Zone>) -> std::fmt::Result
    where
        Zone::Offset: std::fmt::Display,
    {
        let (pid, uid, sequence) = (self.pid, self.uid, self.sequence);
        match self.format {
            Format::Text => {
                let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
                write!(self.text, "Time: {time}, PID: {pid}, UID: {uid}")
            }
            Format::Json => {
                let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
                write!(
                    self.text,
                    r#"{{"time":"{time}","pid":{pid},"uid":{uid},"sequence":{sequence}}}"#
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(format: Format) -> Reporter {
        Reporter::new(format, 7, 65532)
    }

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn formats_time_in_whole_seconds_with_the_local_offset() {
        let time = DateTime::parse_from_rfc3339("2025-03-30T03:00:01.987+02:00").unwrap();
        assert_eq!(
            someone(Format::Text).at(time.to_utc(), &time.timezone()),
            Message {
                text: "Time: 2025-03-30T03:00:01+02:00, PID: 7, UID: 65532",
                timestamp: 1_743_296_401_987
            }
        );
    }

    #[test]
    fn formats_utc_as_z() {
        let mut someone = someone(Format::Text);
        let message = someone.at(time("2025-03-30T01:00:01Z"), &Utc);
        assert_eq!(
            message.text,
            "Time: 2025-03-30T01:00:01Z, PID: 7, UID: 65532"
        );
    }

    #[test]
    fn follows_the_clock_when_it_steps_back() {
        let mut someone = someone(Format::Text);
        for second in ["01:00:01.1", "01:00:01.9", "00:59:59.0", "01:00:02.0"] {
            let time = time(&format!("2025-03-30T{second}Z"));
            let message = someone.at(time, &Utc);
            let told = format!("Time: 2025-03-30T{}Z,", &second[..8]);
            assert!(message.text.starts_with(&told), "{}", message.text);
            assert_eq!(message.timestamp, time.timestamp_millis());
        }
    }

    #[test]
    fn numbers_json_messages() {
        let mut someone = someone(Format::Json);
        let time = time("2025-03-30T01:00:01.987Z");
        someone.at(time, &Utc);
        assert_eq!(
            someone.at(time, &Utc).text,
            r#"{"time":"2025-03-30T01:00:01.987Z","pid":7,"uid":65532,"sequence":2}"#
        );
    }
}
