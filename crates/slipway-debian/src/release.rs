//! The `Release` file of a suite: the list of its indices and their expiry date.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::deb822;
use crate::hash::Sha256;

/// The contents of a `Release` file (Debian Wiki, "DebianRepository/Format").
#[derive(Debug)]
pub struct Release {
    suite: String,
    codename: String,
    /// The text of `Valid-Until` and its value.
    pub valid_until: Option<(String, SystemTime)>,
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
                let time = parse_date(text)
                    .ok_or_else(|| format!("Valid-Until: {text:?} is not a date"))?;
                Some(((*text).to_owned(), time))
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

/// Parses a date such as `Sat, 28 Nov 2026 00:53:03 UTC`, the only format that these files use. It
/// is HTTP's format (RFC 9110, section 5.6.7) with other names of the time zone.
fn parse_date(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [weekday, day, month, year, time, "UTC" | "GMT" | "+0000"] = words[..] else {
        return None;
    };
    httpdate::parse_http_date(&format!("{weekday} {day:0>2} {month} {year} {time} GMT")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn parses_dates() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
            ("Tue, 29 Feb 2000 12:00:00 UTC", 951_825_600),
            ("Sat, 28 Nov 2026 00:53:03 UTC", 1_795_827_183),
            ("Mon,  1 Mar 2027 23:59:59 UTC", 1_803_945_599),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse_date(text), Some(time), "{text}");
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
