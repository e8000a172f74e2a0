//! Progress of long operations. The libraries that fetch, build, push, pull and pack call
//! [`Progress`]; the command line displays it.

use std::time::Duration;

/// Receives the progress of one command. It is called from several threads.
///
/// Every method does nothing by default.
pub trait Progress: Sync {
    /// A transfer starts.
    fn start(&self, _: &Task) {}
    /// Bytes were transferred or found to be present.
    fn advance(&self, _bytes: u64) {}
    /// Bytes that were counted must be transferred again.
    fn rewind(&self, _bytes: u64) {}
    /// The transfer ended or failed.
    fn end(&self) {}

    /// `_ended` of the `_known` steps have ended. More steps may become known later.
    fn steps(&self, _ended: u64, _known: u64) {}
    /// A step starts, such as building a derivation. Several steps may run at the same time, also with the same
    /// name; `id` tells them apart.
    fn step_started(&self, _id: u64, _step: &str) {}
    /// A started step printed a line.
    fn step_output(&self, _id: u64, _line: &str) {}
    /// A started step ended; `how` is a word such as `built` or `failed`.
    fn step_ended(&self, _id: u64, _how: &str) {}
    /// A step that was not reported when it started; `how` is a word such as `pushed`.
    fn step(&self, _step: &str, _how: &str) {}

    /// A message for the user, such as a retry.
    fn note(&self, _message: &str) {}
}

/// A transfer of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The activity: `fetching`.
    pub verb: &'a str,
    /// The object of the activity: `3 files`.
    pub what: &'a str,
    /// Total size in bytes.
    pub bytes: u64,
}

/// Ignores all progress.
pub struct Silent;

impl Progress for Silent {}

/// `3 files`; regular plurals only.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `148.25 MB`, in units of a million bytes, or `1.48 GB` from a billion bytes on.
pub fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.2} MB", bytes as f64 / 1e6),
    }
}

/// `3.4 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_two_decimals() {
        for (bytes, text) in [
            (0, "0.00 MB"),
            (6_140_000, "6.14 MB"),
            (999_000_000, "999.00 MB"),
            (1_480_000_000, "1.48 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
