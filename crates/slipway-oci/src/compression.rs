//! zstd is smaller and unpacks faster, gzip is what every old engine reads; a build chooses, and
//! the rest of the crate need not know which.

use std::io::{self, Read, Write};
use std::mem;
use std::str::FromStr;

use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::{Error, MediaType, Result};

/// How much of a tar is compressed at a time, for itself. A new size means new digests; smaller
/// chunks take less memory, larger ones compress better.
pub(crate) const CHUNK: usize = 4 << 20;

/// A method and its level. Equal input gives equal bytes: equal chunks, no time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    method: Method,
    level: i32,
}

/// How layers are compressed. Source: RFC 8878 (zstd), RFC 1952 (gzip).
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
    /// Without `level`: 19 for zstd and 9 for gzip, since a layer is packed once and pulled often.
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

    /// The media type of a layer that is compressed so. Source: OCI image-spec, layer.md,
    /// "`+gzip` Media Types" and "`+zstd` Media Types".
    pub fn media_type(&self) -> MediaType {
        match self.method {
            Method::Zstd => MediaType::LayerZstd,
            Method::Gzip => MediaType::LayerGzip,
        }
    }

    /// How many chunks may be compressed at a time, and how many may wait for their turn to be
    /// written: so that not even a machine with many processors needs more than 200 MB. A worker
    /// needs up to 16 MB for zstd's levels up to 9, 50 MB for 16 to 19, 70 MB for the others.
    pub(crate) fn limits(&self) -> (usize, usize) {
        match (self.method, self.level) {
            // That many chunks on the way, and it does not matter when a thread is kept waiting.
            (Method::Gzip, _) | (Method::Zstd, ..=9) => (6, 10),
            (Method::Zstd, 16..=19) => (3, 4),
            (Method::Zstd, _) => (2, 4),
        }
    }

    /// Of a new blob.
    pub(crate) fn frame(&self) -> Frame {
        Frame {
            method: self.method,
            crc: Crc::new(),
        }
    }
}

/// Compresses chunks, each for itself.
pub(crate) struct Compressor {
    compression: Compression,
    zstd: zstd::bulk::Compressor<'static>,
}

/// A chunk, compressed.
pub(crate) struct Compressed {
    pub bytes: Vec<u8>,
    /// Of what was compressed; for zstd, of nothing.
    pub crc: Crc,
}

impl Compressor {
    pub fn new(compression: Compression) -> Compressor {
        Compressor {
            compression,
            zstd: zstd::bulk::Compressor::default(),
        }
    }

    /// Replaces what is in `out` by `chunk`, compressed.
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
                // Ends at a whole byte, so that another chunk can follow.
                encoder.flush()?;
                *out = mem::take(encoder.get_mut());
            }
        }
        Ok(crc)
    }
}

/// What the compressed chunks stand in: nothing for zstd, where each is a frame; the header and
/// trailer of the one member for gzip, where each is some blocks of it, as not every reader looks
/// for a second member. Source: RFC 8878, section 3; RFC 1952, section 2.3; RFC 1951, section 3.2.
pub(crate) struct Frame {
    method: Method,
    crc: Crc,
}

impl Frame {
    pub fn start(&self) -> &'static [u8] {
        match self.method {
            Method::Zstd => &[],
            // Deflate; no flags, no time, no word on the effort, and from an unknown system.
            Method::Gzip => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
        }
    }

    /// To be told of each chunk.
    pub fn add(&mut self, chunk: &Compressed) {
        self.crc.combine(&chunk.crc);
    }

    pub fn end(&self) -> Vec<u8> {
        match self.method {
            Method::Zstd => Vec::new(),
            Method::Gzip => {
                // A last block, of nothing.
                let mut end = vec![3, 0];
                end.extend(self.crc.sum().to_le_bytes());
                end.extend(self.crc.amount().to_le_bytes());
                end
            }
        }
    }
}

/// Reads the tar in a layer blob; `None` if a layer of this media type is not known.
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
    fn a_level_out_of_range_is_refused_with_the_range() {
        let error = Compression::new(Method::Gzip, Some(19)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "gzip has no level 19; choose one from 1 to 9"
        );
        assert!(Compression::new(Method::Zstd, Some(0)).is_err());
        assert!(Compression::new(Method::Zstd, Some(22)).is_ok());
    }

    #[test]
    fn a_gzip_header_holds_no_time_no_name_and_no_system() {
        let frame = Compression::new(Method::Gzip, None).unwrap().frame();
        assert_eq!(frame.start(), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }
}
