//! Content digests. A [`Digest`] is always well-formed, because it is checked when it is parsed.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use crate::Error;

/// A hash function. Source: OCI image-spec, descriptor.md, "Registered Algorithms".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Length of a hash in bytes.
    const fn length(self) -> usize {
        match self {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => LONGEST,
        }
    }
}

const LONGEST: usize = 64;

/// A digest, written `sha256:<64 lower-case hex digits>` or `sha512:<128 lower-case hex digits>`.
///
/// Slipway creates sha256 digests and reads both. Source: OCI image-spec, descriptor.md, "Digests".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    /// The hash, padded with zeros to the length of the longest hash.
    hash: [u8; LONGEST],
}

impl Digest {
    /// The sha256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::with(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes` by the given algorithm.
    pub fn with(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hex digits without the algorithm.
    pub fn hex(&self) -> String {
        let digit = |value: u8| char::from_digit(value.into(), 16);
        let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
        let hash = &self.hash[..self.algorithm.length()];
        hash.iter().flat_map(digits).flatten().collect()
    }

    /// Path of the blob in a layout: `blobs/ALGORITHM/HEX`. Source: OCI image-spec,
    /// image-layout.md.
    pub fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest, Error> {
        parse(text).ok_or_else(|| Error::Digest(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Digest> {
    let (name, hex) = text.split_once(':')?;
    let known = [Algorithm::Sha256, Algorithm::Sha512];
    let algorithm = known.into_iter().find(|it| it.name() == name)?;
    if hex.len() != 2 * algorithm.length() {
        return None;
    }
    let mut hash = [0; LONGEST];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = (*byte << 4) | value;
        }
    }
    Some(Digest { algorithm, hash })
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Digest, Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Computes a digest incrementally.
#[derive(Clone)]
pub struct Hasher(Function);

#[derive(Clone)]
enum Function {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Hasher {
        Hasher(match algorithm {
            Algorithm::Sha256 => Function::Sha256(Sha256::new()),
            Algorithm::Sha512 => Function::Sha512(Sha512::new()),
        })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Function::Sha256(it) => it.update(bytes),
            Function::Sha512(it) => it.update(bytes),
        }
    }

    /// The digest of all bytes so far.
    pub fn finish(self) -> Digest {
        let mut hash = [0; LONGEST];
        let algorithm = match self.0 {
            Function::Sha256(it) => {
                hash[..32].copy_from_slice(&it.finalize());
                Algorithm::Sha256
            }
            Function::Sha512(it) => {
                hash.copy_from_slice(&it.finalize());
                Algorithm::Sha512
            }
        };
        Digest { algorithm, hash }
    }
}

/// A reader or writer that counts and hashes the bytes passing through to or from `inner`.
pub(crate) struct DigestReader<T> {
    inner: T,
    hasher: Hasher,
    count: u64,
}

impl<T> DigestReader<T> {
    /// Hashes with sha256, for blobs that Slipway creates.
    pub fn new(inner: T) -> DigestReader<T> {
        DigestReader::by(Algorithm::Sha256, inner)
    }

    /// Hashes with the algorithm of `digest`, for blobs that are checked against it.
    pub fn against(digest: &Digest, inner: T) -> DigestReader<T> {
        DigestReader::by(digest.algorithm, inner)
    }

    fn by(algorithm: Algorithm, inner: T) -> DigestReader<T> {
        DigestReader {
            inner,
            hasher: Hasher::new(algorithm),
            count: 0,
        }
    }

    /// Returns the inner reader or writer, the digest of the bytes and their number.
    pub fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hasher.finish(), self.count)
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<W: Write> Write for DigestReader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.saw(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.saw(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_empty_digest_has_the_well_known_value() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), Digest::of(b""));
    }

    #[test]
    fn accepts_only_lower_case_hex_of_the_right_length() {
        let upper = EMPTY.to_uppercase();
        let short = &EMPTY[..EMPTY.len() - 1];
        let long = format!("{EMPTY}0");
        let other = EMPTY.replace("sha256", "sha512");
        let path = format!("sha256:{}", "../".repeat(21) + "x");
        for text in [
            "",
            "sha256:",
            "md5:00",
            &upper,
            short,
            &long,
            &other,
            &path,
            &EMPTY[7..],
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn parses_and_computes_sha512() {
        let digest = Digest::with(Algorithm::Sha512, b"");
        let text = digest.to_string();
        assert!(text.starts_with("sha512:cf83e1357eefb8bd") && text.len() == 7 + 128);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.blob_path(), text.replace("sha512:", "blobs/sha512/"));
    }

    #[test]
    fn hashes_and_counts_bytes_in_both_directions() {
        let mut writer = DigestReader::new(Vec::new());
        writer.write_all(b"slip").unwrap();
        writer.write_all(b"way").unwrap();
        assert_eq!(
            writer.finish(),
            (b"slipway".to_vec(), Digest::of(b"slipway"), 7)
        );
    }
}
