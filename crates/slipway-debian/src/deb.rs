//! Extracts one file from a .deb, for programs that Nix needs before it can unpack anything else.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::error::Error;

/// Limit in bytes on the extracted file, well above the size of any program in use. It guards
/// against malicious archives.
const LARGEST_FILE: u64 = 256 << 20;

/// Returns the contents of one regular file in the package's data archive. `wanted` is its path
/// without the leading `/`.
///
/// A .deb is an `ar` archive whose third member, the data archive, is a tar archive. The member's
/// extension names the compression (deb(5)).
pub fn extract(deb: &Path, wanted: &str) -> Result<Vec<u8>, Error> {
    let broken = |reason: String| Error::Deb {
        what: deb.display().to_string(),
        reason,
    };
    let file = File::open(deb).map_err(Error::at(deb))?;
    let (name, data) = data_member(BufReader::new(file)).map_err(|e| broken(e.to_string()))?;
    let unpacked: Box<dyn Read> = match name.as_str() {
        "data.tar" => Box::new(data),
        "data.tar.gz" => Box::new(flate2::read::GzDecoder::new(data)),
        "data.tar.xz" => Box::new(lzma_rust2::XzReader::new(data, true)),
        "data.tar.zst" => Box::new(zstd::Decoder::new(data).map_err(|e| broken(e.to_string()))?),
        other => return Err(broken(format!("compressed in an unknown way: {other}"))),
    };
    match find(unpacked, wanted) {
        Ok(Some(contents)) => Ok(contents),
        Ok(None) => Err(broken(format!("it has no regular file {wanted}"))),
        Err(e) => Err(broken(e.to_string())),
    }
}

fn find(tar: impl Read, wanted: &str) -> io::Result<Option<Vec<u8>>> {
    for entry in tar::Archive::new(tar).entries()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path);
        if path == Path::new(wanted) && entry.header().entry_type().is_file() {
            let mut contents = Vec::new();
            entry.take(LARGEST_FILE).read_to_end(&mut contents)?;
            return Ok(Some(contents));
        }
    }
    Ok(None)
}

/// Skips to the `data.tar…` member of an `ar` archive (ar(5)) and returns its name and contents.
fn data_member<R: Read>(mut ar: R) -> io::Result<(String, io::Take<R>)> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "it is not a Debian package");
    let mut magic = [0; 8];
    ar.read_exact(&mut magic).map_err(|_| malformed())?;
    if &magic != b"!<arch>\n" {
        return Err(malformed());
    }
    loop {
        let mut header = [0; 60];
        ar.read_exact(&mut header).map_err(|_| malformed())?;
        let field =
            |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).map(str::trim);
        let (Ok(name), Ok(size)) = (field(0..16), field(48..58)) else {
            return Err(malformed());
        };
        let size: u64 = size.parse().map_err(|_| malformed())?;
        let name = name.trim_end_matches('/');
        if name.starts_with("data.tar") {
            return Ok((name.to_owned(), ar.take(size)));
        }
        // Members start at even offsets.
        let padded = size.next_multiple_of(2);
        let skipped = io::copy(&mut ar.by_ref().take(padded), &mut io::sink())?;
        if skipped != padded {
            return Err(malformed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::Write;

    fn tar_of(path: &str, contents: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, path, contents).unwrap();
        builder.into_inner().unwrap()
    }

    fn deb_of(members: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"!<arch>\n").unwrap();
        for (name, contents) in members {
            writeln!(
                file,
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`",
                0,
                0,
                0,
                100644,
                contents.len()
            )
            .unwrap();
            file.write_all(contents).unwrap();
            if contents.len() % 2 == 1 {
                file.write_all(b"\n").unwrap();
            }
        }
        file
    }

    #[test]
    fn extracts_a_file_with_every_supported_compression() {
        let tar = tar_of("./usr/bin/tool", b"program");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar).unwrap();
        let gz = gz.finish().unwrap();
        let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
        xz.write_all(&tar).unwrap();
        let xz = xz.finish().unwrap();
        let zst = zstd::encode_all(&tar[..], 1).unwrap();
        for (name, data) in [
            ("data.tar", &tar),
            ("data.tar.gz", &gz),
            ("data.tar.xz", &xz),
            ("data.tar.zst", &zst),
        ] {
            let deb = deb_of(&[
                ("debian-binary", b"2.0\n"),
                ("control.tar", b"odd"),
                (name, data),
            ]);
            assert_eq!(
                extract(deb.path(), "usr/bin/tool").unwrap(),
                b"program",
                "{name}"
            );
        }
    }

    #[test]
    fn reports_missing_files_and_damaged_archives() {
        let tar = tar_of("./usr/bin/tool", b"program");
        let error_of = |members: &[(&str, &[u8])]| {
            extract(deb_of(members).path(), "usr/bin/other")
                .unwrap_err()
                .to_string()
        };
        assert!(error_of(&[("data.tar", &tar)]).contains("it has no regular file usr/bin/other"));
        assert!(error_of(&[("control.tar", &tar)]).contains("it is not a Debian package"));
        assert!(
            error_of(&[("data.tar.lz", &tar)])
                .contains("compressed in an unknown way: data.tar.lz")
        );
        assert!(error_of(&[("data.tar.xz", b"no xz at all")]).contains("XZ"));
    }
}
