//! Sparse files. A tar stores such a file as the data between its holes, plus a map of offsets.
//!
//! Source: GNU tar manual, "Storing Sparse Files", the PAX formats 0.0, 0.1 and 1.0. The tar crate
//! reads the older format without PAX records.

use std::collections::VecDeque;
use std::io::{self, Read};

use tar::Entry;

/// Most data segments in a sparse file.
const PART_LIMIT: usize = 1 << 20;
/// Size of a tar block in bytes. The map of format 1.0 is padded to it.
const BLOCK: usize = 512;

/// A sparse file, as described by its PAX records.
pub(crate) struct Sparse {
    /// The real name of the file. The header has a synthetic one.
    pub name: Option<Vec<u8>>,
    /// Size of the file including holes, in bytes.
    pub size: u64,
    map: Map,
}

enum Map {
    /// In the PAX records: alternating offsets and lengths.
    Records(Vec<u64>),
    /// In front of the content.
    Content,
}

impl Sparse {
    /// Reads the PAX records of `entry`. Returns `None` if the file is not sparse.
    pub fn of<R: Read>(entry: &mut Entry<R>) -> io::Result<Option<Sparse>> {
        let Some(records) = entry.pax_extensions()? else {
            return Ok(None);
        };
        let (mut name, mut size, mut version) = (None, None, None);
        let mut numbers = Vec::new();
        for record in records {
            let record = record?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"GNU.sparse.major" => version = Some(number(value)?),
                b"GNU.sparse.name" => name = Some(value.to_vec()),
                b"GNU.sparse.size" | b"GNU.sparse.realsize" => size = Some(number(value)?),
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => numbers.push(number(value)?),
                b"GNU.sparse.map" => {
                    let all: io::Result<Vec<u64>> =
                        value.split(|&it| it == b',').map(number).collect();
                    numbers = all?;
                }
                _ => {}
            }
        }
        let map = match version {
            Some(1) => Map::Content,
            Some(0) | None => Map::Records(numbers),
            Some(_) => return Err(invalid("a sparse file of a format that is not known")),
        };
        Ok(size.map(|size| Sparse { name, size, map }))
    }

    /// Returns a reader of the file with its holes. `inner` has `length` bytes of data.
    pub fn content<R: Read>(self, mut inner: R, length: u64) -> io::Result<Content<R>> {
        let (numbers, taken) = match self.map {
            Map::Records(numbers) => (numbers, 0),
            Map::Content => read_map(&mut inner)?,
        };
        let mut parts = VecDeque::new();
        let (mut end, mut bytes) = (0, taken);
        for pair in numbers.chunks(2) {
            let &[start, length] = pair else {
                return Err(invalid("the map of a sparse file is cut off"));
            };
            let next = start
                .checked_add(length)
                .filter(|&it| start >= end && it <= self.size);
            end = next
                .ok_or_else(|| invalid("the parts of a sparse file overlap or are outside it"))?;
            bytes += length;
            parts.push_back((start, end));
        }
        if bytes != length {
            return Err(invalid(
                "a sparse file does not have the bytes that its map says",
            ));
        }
        Ok(Content {
            inner,
            parts,
            position: 0,
            size: self.size,
        })
    }
}

/// Reads a map of format 1.0. Returns its numbers and the count of bytes read.
fn read_map(inner: &mut impl Read) -> io::Result<(Vec<u64>, u64)> {
    let mut numbers = Vec::new();
    let mut wanted = None;
    let mut digits = Vec::new();
    let mut taken = 0;
    loop {
        let mut block = [0; BLOCK];
        inner.read_exact(&mut block)?;
        taken += BLOCK as u64;
        for byte in block {
            match (byte, wanted) {
                (b'\n', None) => {
                    let count = number(&digits)?;
                    if count > PART_LIMIT as u64 {
                        return Err(invalid("a sparse file has more parts than any file"));
                    }
                    wanted = Some(2 * count as usize);
                }
                (b'\n', Some(_)) => numbers.push(number(&digits)?),
                (digit, _) => {
                    digits.push(digit);
                    continue;
                }
            }
            digits.clear();
            if wanted == Some(numbers.len()) {
                return Ok((numbers, taken));
            }
        }
    }
}

fn number(text: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(text).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| invalid("the map of a sparse file is not made of numbers"))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A reader that fills the holes with zeros.
pub(crate) struct Content<R> {
    inner: R,
    /// Start and end of the next data segments in the file.
    parts: VecDeque<(u64, u64)>,
    position: u64,
    size: u64,
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self
            .parts
            .front()
            .is_some_and(|part| part.1 <= self.position)
        {
            self.parts.pop_front();
        }
        let part = self.parts.front().copied();
        let (is_hole, end) = match part {
            Some((start, end)) if start <= self.position => (false, end),
            Some((start, _)) => (true, start),
            None => (true, self.size),
        };
        let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let buffer = &mut buffer[..most];
        let read = if is_hole {
            buffer.fill(0);
            most
        } else {
            self.inner.read(buffer)?
        };
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        Ok(read)
    }
}
