//! Timestamps in image configs. The caller provides the time; reading the clock would make each
//! build a different image.

use std::fmt;

/// A time in whole seconds since 1970-01-01T00:00:00Z, printed as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u32);

impl Timestamp {
    /// `seconds` since the epoch, as in `SOURCE_DATE_EPOCH`.
    pub const fn from_unix_seconds(seconds: u32) -> Timestamp {
        Timestamp(seconds)
    }

    /// Seconds since the epoch.
    pub const fn unix_seconds(self) -> u32 {
        self.0
    }

    /// The date and the time of day in UTC.
    pub const fn fields(self) -> Fields {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        // Years start in March, so that the leap day is the last day of a year. The day 1970-01-01
        // is the 719468th after 0000-03-01; 146097 days are 400 years.
        let day = days + 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        Fields {
            year: era * 400 + year + next,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    pub year: u32,
    /// From 1 to 12.
    pub month: u32,
    /// From 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

/// One second after the epoch, the mtime of every file in a Nix store.
impl Default for Timestamp {
    fn default() -> Timestamp {
        Timestamp(1)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fields {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.fields();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339() {
        for (seconds, text) in [
            (1, "1970-01-01T00:00:01Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (u32::MAX, "2106-02-07T06:28:15Z"),
        ] {
            assert_eq!(Timestamp::from_unix_seconds(seconds).to_string(), text);
        }
    }
}
