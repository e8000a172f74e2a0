//! Compression of layers. zstd is smaller and unpacks faster, gzip is supported by every engine.
//!
//! Each build chooses a method. The rest of the crate does not depend on the choice.

use std::io::{self, Read, Write};
use std::mem;
use std::str::FromStr;

use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::{Error, MediaType, Result};

/// Size of the chunks of a tar that are compressed independently, in bytes.
///
/// Changing it changes every digest. Smaller chunks take less memory, larger ones compress better.
pub(crate) const CHUNK: usize = 4 << 20;

/// A compression method and its level. The output is deterministic: the chunk size is fixed and no
/// timestamp is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    method: Method,
    level: i32,
}

/// A compression method for layers. Source: RFC 8878 (zstd), RFC 1952 (gzip).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Zstd,
    Gzip,
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Method> {
        match text {
            "zstd" => Ok(Method::Zstd),
            "gzip" => Ok(Method::Gzip),
            _ => Err(Error::Compression(text.to_owned())),
        }
    }
}

impl Compression {
    /// Without `level`, the level is 19 for zstd and 9 for gzip: a layer is packed once and pulled
    /// often. A level out of range is an error.
    pub fn new(method: Method, level: Option<i32>) -> Result<Compression> {
        let (name, lowest, highest, usual) = match method {
            Method::Zstd => ("zstd", 1, 22, 19),
            Method::Gzip => ("gzip", 1, 9, 9),
        };
        let level = level.unwrap_or(usual);
        if !(lowest..=highest).contains(&level) {
            return Err(Error::Level {
                method: name,
                level,
                lowest,
                highest,
            });
        }
        Ok(Compression { method, level })
    }

    /// The media type of a layer compressed with this method. Source: OCI image-spec, layer.md,
    /// "`+gzip` Media Types" and "`+zstd` Media Types".
    pub fn media_type(&self) -> MediaType {
        match self.method {
            Method::Zstd => MediaType::LayerZstd,
            Method::Gzip => MediaType::LayerGzip,
        }
    }

    /// How many chunks may be compressed at the same time, and how many may wait to be written.
    ///
    /// The limits keep memory below 200 MB even on a machine with many processors. A worker needs
    /// up to 16 MB for zstd levels up to 9, 50 MB for 16 to 19 and 70 MB for the others.
    pub(crate) fn limits(&self) -> (usize, usize) {
        match (self.method, self.level) {
            // With this many chunks in flight, one delayed thread does not stall the others.
            (Method::Gzip, _) | (Method::Zstd, ..=9) => (6, 10),
            (Method::Zstd, 16..=19) => (3, 4),
            (Method::Zstd, _) => (2, 4),
        }
    }

    /// The frame of a new blob.
    pub(crate) fn frame(&self) -> Frame {
        Frame {
            method: self.method,
            crc: Crc::new(),
        }
    }
}

/// Compresses chunks independently of each other.
pub(crate) struct Compressor {
    compression: Compression,
    zstd: zstd::bulk::Compressor<'static>,
}

/// A compressed chunk.
pub(crate) struct Compressed {
    pub bytes: Vec<u8>,
    /// CRC-32 of the uncompressed chunk for gzip; the CRC of no bytes for zstd.
    pub crc: Crc,
}

impl Compressor {
    pub fn new(compression: Compression) -> Compressor {
        Compressor {
            compression,
            zstd: zstd::bulk::Compressor::default(),
        }
    }

    /// Compresses `chunk` into `out`, replacing its content.
    pub fn compress(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> io::Result<Crc> {
        let Compression { method, level } = self.compression;
        out.clear();
        let mut crc = Crc::new();
        match method {
            Method::Zstd => {
                self.zstd.set_compression_level(level)?;
                out.reserve_exact(zstd::zstd_safe::compress_bound(chunk.len()));
                self.zstd.compress_to_buffer(chunk, out)?;
            }
            Method::Gzip => {
                crc.update(chunk);
                let level = flate2::Compression::new(level.unsigned_abs());
                let mut encoder = DeflateEncoder::new(mem::take(out), level);
                encoder.write_all(chunk)?;
                // A flush ends at a byte boundary, so that another chunk can follow.
                encoder.flush()?;
                *out = mem::take(encoder.get_mut());
            }
        }
        Ok(crc)
    }
}

/// The framing around compressed chunks.
///
/// For zstd each chunk is a frame of its own, so there is nothing to add. For gzip the chunks are
/// deflate blocks of a single member, because some readers stop after the first member; the frame
/// is that member's header and trailer. Source: RFC 8878, section 3; RFC 1952, section 2.3; RFC
/// 1951, section 3.2.
pub(crate) struct Frame {
    method: Method,
    crc: Crc,
}

impl Frame {
    pub fn start(&self) -> &'static [u8] {
        match self.method {
            Method::Zstd => &[],
            // Method deflate, no flags, no mtime, no extra flags, unknown operating system.
            Method::Gzip => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
        }
    }

    /// Accounts for a chunk. Must be called for each chunk in order.
    pub fn add(&mut self, chunk: &Compressed) {
        self.crc.combine(&chunk.crc);
    }

    pub fn end(&self) -> Vec<u8> {
        match self.method {
            Method::Zstd => Vec::new(),
            Method::Gzip => {
                // An empty final deflate block.
                let mut end = vec![3, 0];
                end.extend(self.crc.sum().to_le_bytes());
                end.extend(self.crc.amount().to_le_bytes());
                end
            }
        }
    }
}

/// Returns a reader of the tar inside a layer blob, or `None` if the media type is not that of a
/// layer.
pub(crate) fn decoder<'a>(
    media_type: &MediaType,
    blob: impl Read + 'a,
) -> Option<io::Result<Box<dyn Read + 'a>>> {
    Some(match media_type {
        MediaType::LayerTar => Ok(Box::new(blob)),
        MediaType::LayerGzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(blob))),
        MediaType::LayerZstd => match zstd::Decoder::new(blob) {
            Ok(decoder) => Ok(Box::new(decoder)),
            Err(error) => Err(error),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_out_of_range_levels_and_names_the_range() {
        let error = Compression::new(Method::Gzip, Some(19)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "gzip has no level 19; choose one from 1 to 9"
        );
        assert!(Compression::new(Method::Zstd, Some(0)).is_err());
        assert!(Compression::new(Method::Zstd, Some(22)).is_ok());
    }

    #[test]
    fn gzip_header_has_no_time_name_or_system() {
        let frame = Compression::new(Method::Gzip, None).unwrap().frame();
        assert_eq!(frame.start(), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }
}
