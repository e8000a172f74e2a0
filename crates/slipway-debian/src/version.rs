//! Debian package versions. They have their own sort order (`1.0~rc1` comes before `1.0`), and
//! resolution depends on it to pick the highest version and to check relations such as `(>= 1.2)`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Debian package version, ordered according to Debian Policy 5.6.12.
///
/// Equality follows the ordering: `1.0` and `0:1.0` are equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

impl Version {
    /// Returns the version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the version without the epoch, as used in file names.
    pub fn without_epoch(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, rest)| rest)
    }

    /// Returns (epoch, upstream version, revision). A missing revision counts as `0`.
    fn parts(&self) -> (u64, &str, &str) {
        let (epoch, rest) = match self.0.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
            None => (0, self.0.as_str()),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch, upstream, revision)
    }
}

/// The text is not a Debian version.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a Debian version")]
pub struct BadVersion(String);

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let rest = match text.split_once(':') {
            Some((epoch, rest)) if epoch.parse::<u32>().is_ok() => rest,
            Some(_) => return Err(BadVersion(text.into())),
            None => text,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".+-~:".contains(c);
        if rest.is_empty() || !rest.chars().all(allowed) {
            return Err(BadVersion(text.into()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (epoch, upstream, revision) = self.parts();
        let (other_epoch, other_upstream, other_revision) = other.parts();
        epoch
            .cmp(&other_epoch)
            .then_with(|| compare_part(upstream, other_upstream))
            .then_with(|| compare_part(revision, other_revision))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Compares the longest runs of non-digits and of digits alternately (Debian Policy 5.6.12).
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split_run(a, |c| !c.is_ascii_digit());
        let (b_text, b_rest) = split_run(b, |c| !c.is_ascii_digit());
        let (a_digits, a_rest) = split_run(a_rest, |c| c.is_ascii_digit());
        let (b_digits, b_rest) = split_run(b_rest, |c| c.is_ascii_digit());
        let order = compare_text(a_text, b_text).then_with(|| compare_number(a_digits, b_digits));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn split_run(bytes: &[u8], in_run: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|c| !in_run(c)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Letters sort before other characters; `~` sorts before everything, including the end of the
/// text.
fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |c: Option<&u8>| match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|i| rank(a.get(i)).cmp(&rank(b.get(i))))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Compares as text, because dates and hashes form numbers longer than 64 bits.
fn compare_number(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split_run(a, |c| *c == b'0');
    let (_, b) = split_run(b, |c| *c == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn sorts_versions_according_to_policy() {
        let ascending = [
            "1.0~~",
            "1.0~~a",
            "1.0~",
            "1.0~rc1-1",
            "1.0",
            "1.0-0ubuntu1",
            "1.0-1",
            "1.0-1+b1",
            "1.0a",
            "1.0+x",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "1:0.1",
        ];
        for pair in ascending.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn sorts_stable_updates_and_binary_rebuilds_after_their_base() {
        assert!(v("3.5.1-1+deb13u1") > v("3.5.1-1"));
        assert!(v("3.5.1-1~deb13u1") < v("3.5.1-1"));
        assert!(v("2.41-12+b2") > v("2.41-12+b1"));
    }

    #[test]
    fn ignores_leading_zeros_and_a_zero_epoch() {
        assert_eq!(v("0:1.02"), v("1.2"));
        assert_eq!(v("1.0"), v("1.0-0"));
    }

    #[test]
    fn compares_numbers_longer_than_64_bits() {
        assert!(v("1.20250101123456789012345678") > v("1.20250101123456789012345677"));
    }

    #[test]
    fn rejects_invalid_versions() {
        for text in ["", "1 0", "x:1", "1/2", "1\n2"] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
