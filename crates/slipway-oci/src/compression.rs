//! zstd is smaller and unpacks faster, gzip is what every old engine reads; a build chooses, and
//! the rest of the crate need not know which.

use std::io::{self, Read, Write};
use std::str::FromStr;

use crate::{Error, MediaType, Result};

/// A method and its level. Equal input gives equal bytes: one thread, one frame, no time stamp.
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

    pub(crate) fn encoder<W: Write>(&self, out: W) -> io::Result<Encoder<W>> {
        Ok(match self.method {
            Method::Zstd => Encoder::Zstd(zstd::Encoder::new(out, self.level)?),
            Method::Gzip => {
                let level = flate2::Compression::new(self.level.unsigned_abs());
                Encoder::Gzip(flate2::GzBuilder::new().mtime(0).write(out, level))
            }
        })
    }
}

pub(crate) enum Encoder<W: Write> {
    Zstd(zstd::Encoder<'static, W>),
    Gzip(flate2::write::GzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    pub fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Zstd(encoder) => encoder.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
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
        let compression = Compression::new(Method::Gzip, None).unwrap();
        let mut encoder = compression.encoder(Vec::new()).unwrap();
        encoder.write_all(b"slipway").unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }
}
