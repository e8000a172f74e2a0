//! The `Release` file of a suite: the list of its indices and their expiry date.

use std::collections::HashMap;

use crate::deb822;
use crate::hash::Sha256;

/// The contents of a `Release` file (Debian Wiki, "DebianRepository/Format").
#[derive(Debug)]
pub struct Release {
    suite: String,
    codename: String,
    /// The text of `Valid-Until` and its value in seconds since 1970.
    pub valid_until: Option<(String, u64)>,
    /// Whether the mirror serves indices by hash (`Acquire-By-Hash`), which stays consistent during
    /// mirror updates.
    pub by_hash: bool,
    /// Debian names of the architectures that the suite has packages for.
    pub architectures: Vec<String>,
    files: HashMap<String, (Sha256, u64)>,
}

impl Release {
    /// Parses the text, whose signature the caller has verified.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: HashMap<&str, &str> = deb822::fields(text).collect();
        let field = |name: &str| fields.get(name).copied().unwrap_or_default();
        let mut files = HashMap::new();
        for line in field("SHA256")
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            let mut words = line.split_whitespace();
            let (Some(hash), Some(size), Some(name), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(format!("malformed line {line:?}"));
            };
            let hash = hash.parse().map_err(|e| format!("{e}"))?;
            let size = size.parse().map_err(|e| format!("size {size:?}: {e}"))?;
            files.insert(name.to_owned(), (hash, size));
        }
        if files.is_empty() {
            return Err("it lists no files by SHA256".into());
        }
        let valid_until = match fields.get("Valid-Until") {
            None => None,
            Some(text) => {
                let seconds = parse_date(text)
                    .ok_or_else(|| format!("Valid-Until: {text:?} is not a date"))?;
                Some(((*text).to_owned(), seconds))
            }
        };
        Ok(Self {
            suite: field("Suite").into(),
            codename: field("Codename").into(),
            valid_until,
            by_hash: field("Acquire-By-Hash") == "yes",
            architectures: field("Architectures")
                .split_whitespace()
                .filter(|name| *name != "all")
                .map(String::from)
                .collect(),
            files,
        })
    }

    /// Reports whether the suite has this name or codename.
    pub fn is(&self, name: &str) -> bool {
        self.codename == name || self.suite == name
    }

    /// Returns suite name and codename, for error messages.
    pub fn names(&self) -> String {
        format!("{} ({})", self.codename, self.suite)
    }

    /// Returns the digest and the size in bytes of a file, given its path relative to the `Release`
    /// file.
    pub fn file(&self, path: &str) -> Option<(Sha256, u64)> {
        self.files.get(path).copied()
    }
}

/// Converts a date to seconds since 1970. Accepts `Sat, 28 Nov 2026 00:53:03 UTC`, the only format
/// that these files use.
fn parse_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, "UTC" | "GMT" | "+0000"] = words[..] else {
        return None;
    };
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = year
        .parse()
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let clock: Vec<u64> = time
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [hours @ 0..24, minutes @ 0..60, seconds @ 0..=60] = clock[..] else {
        return None;
    };
    // Count years from March, so that the leap day comes last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1;
    const DAYS_TO_1970: u64 = 719_468;
    Some(((days - DAYS_TO_1970) * 24 + hours) * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_dates_to_seconds_since_1970() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
            ("Tue, 29 Feb 2000 12:00:00 UTC", 951_825_600),
            ("Sat, 28 Nov 2026 00:53:03 UTC", 1_795_827_183),
            ("Mon,  1 Mar 2027 23:59:59 UTC", 1_803_945_599),
        ] {
            assert_eq!(parse_date(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "Sat, 28 Nov 2026 00:53:03 CET",
            "Sat, 99 Nov 2026 00:53:03 UTC",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn parses_file_hashes() {
        let hash = Sha256::of(b"");
        let text = format!(
            "Suite: stable\nCodename: trixie\nAcquire-By-Hash: yes\nMD5Sum:\n 00 1 main/x\nSHA256:\n {hash}  12 main/binary-amd64/Packages.xz\n"
        );
        let release = Release::parse(&text).unwrap();
        assert!(
            release.is("trixie") && release.is("stable") && !release.is("sid") && release.by_hash
        );
        assert_eq!(
            release.file("main/binary-amd64/Packages.xz"),
            Some((hash, 12))
        );
        assert_eq!(release.file("main/x"), None);
    }

    #[test]
    fn rejects_a_release_without_hashes() {
        assert!(Release::parse("Suite: stable\nMD5Sum:\n 00 1 main/x\n").is_err());
        assert!(Release::parse("Suite: stable\nSHA256:\n 00 1 main/x\n").is_err());
    }
}
