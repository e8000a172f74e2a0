//! Archives. The files are in a directory that is named as the archive.

use std::fs;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::str::FromStr;

use flate2::{Compression, GzBuilder};
use slipway_oci::Timestamp;
use tar::{EntryType, Header};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{Error, Files, Result};

/// The level of zstd. Files are packed once and downloaded often.
const ZSTD_LEVEL: i32 = 19;

/// A format of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    TarGz,
    TarZst,
    Zip,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tar.gz" => Ok(Self::TarGz),
            "tar.zst" => Ok(Self::TarZst),
            "zip" => Ok(Self::Zip),
            _ => Err(Error::Format(text.to_owned())),
        }
    }
}

impl Format {
    /// The end of a file's name, without a dot before it.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }

    /// Writes the archive `path` with the files in `directory`.
    pub fn write(
        self,
        path: &Path,
        directory: &str,
        files: &Files,
        modified: Timestamp,
    ) -> Result<()> {
        let out = fs::File::create(path).map_err(Error::io("write", path))?;
        let mut out = BufWriter::new(out);
        let archive = Archive {
            path,
            directory,
            files,
            modified,
        };
        let written = match self {
            Self::TarGz => {
                let encoder = GzBuilder::new().write(&mut out, Compression::best());
                archive
                    .tar(encoder)?
                    .finish()
                    .map(drop)
                    .map_err(Error::io("write", path))
            }
            Self::TarZst => {
                let encoder = zstd::Encoder::new(&mut out, ZSTD_LEVEL);
                archive
                    .tar(encoder.map_err(Error::io("write", path))?)?
                    .finish()
                    .map(drop)
                    .map_err(Error::io("write", path))
            }
            Self::Zip => archive.zip(&mut out),
        };
        written?;
        out.flush().map_err(Error::io("write", path))
    }
}

struct Archive<'a> {
    path: &'a Path,
    directory: &'a str,
    files: &'a Files,
    modified: Timestamp,
}

impl Archive<'_> {
    /// Writes a tar. Source of the format: GNU tar manual, "Basic Tar Format".
    fn tar<W: Write>(&self, out: W) -> Result<W> {
        let mut tar = tar::Builder::new(out);
        for (path, file) in self.files.iter() {
            let name = format!("{}/{path}", self.directory);
            let mut header = Header::new_gnu();
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(self.modified.unix_seconds().into());
            let written = match self.files.link(path) {
                Some(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, name, target)
                }
                None => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(file.mode());
                    header.set_size(file.content.len() as u64);
                    tar.append_data(&mut header, name, &file.content[..])
                }
            };
            written.map_err(Error::io("write", self.path))?;
        }
        tar.into_inner().map_err(Error::io("write", self.path))
    }

    /// Writes a zip, in which links are copies, since Windows creates links only for some users.
    /// Source of the format: PKWARE's APPNOTE.TXT.
    fn zip(&self, out: impl Write + Seek) -> Result<()> {
        let failed = |error: zip::result::ZipError| Error::Io {
            action: "write",
            path: self.path.to_owned(),
            source: error.into(),
        };
        let mut zip = ZipWriter::new(out);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(dos_time(self.modified));
        for (name, file) in self.files.iter() {
            let options = options.unix_permissions(file.mode());
            zip.start_file(format!("{}/{name}", self.directory), options)
                .map_err(failed)?;
            zip.write_all(&file.content)
                .map_err(Error::io("write", self.path))?;
        }
        zip.finish().map(drop).map_err(failed)
    }
}

/// The time as zips have it: since 1980, in UTC, in steps of two seconds.
fn dos_time(time: Timestamp) -> DateTime {
    let it = time.fields();
    let byte = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(it.year).unwrap_or_default();
    let (month, day) = (byte(it.month), byte(it.day));
    let (hour, minute, second) = (byte(it.hour), byte(it.minute), byte(it.second));
    DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use slipway_oci::Digest;
    use tempfile::TempDir;

    use super::*;
    use crate::File;

    const TIME: Timestamp = Timestamp::from_unix_seconds(1_700_000_001);

    fn files(place: &TempDir) -> Files {
        let mut files = Files::default();
        for (path, mode) in [("tool", 0o700), ("share/man/man1/tool.1", 0o600)] {
            let source = place.path().join(path.replace('/', "-"));
            fs::write(&source, path).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&source, mode).unwrap();
            let file = File::read(&source).unwrap();
            files.add("test", path.to_owned(), file).unwrap();
        }
        files
    }

    fn write(format: Format) -> Vec<u8> {
        let place = TempDir::new().unwrap();
        let path = place.path().join("archive");
        format
            .write(&path, "tool_1.0.0_linux_arm64", &files(&place), TIME)
            .unwrap();
        fs::read(path).unwrap()
    }

    fn entries_of_tar(tar: impl Read) -> Vec<String> {
        let mut tar = tar::Archive::new(tar);
        tar.entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                format!(
                    "{} {:o} {} {}",
                    entry.path().unwrap().display(),
                    header.mode().unwrap(),
                    header.uid().unwrap(),
                    header.mtime().unwrap()
                )
            })
            .collect()
    }

    #[test]
    fn entries_have_fixed_modes_owners_and_times() {
        let expected = [
            "tool_1.0.0_linux_arm64/share/man/man1/tool.1 644 0 1700000001",
            "tool_1.0.0_linux_arm64/tool 755 0 1700000001",
        ];
        let gz = write(Format::TarGz);
        assert_eq!(
            entries_of_tar(flate2::read::GzDecoder::new(&gz[..])),
            expected
        );
        let zst = write(Format::TarZst);
        let zst = zstd::Decoder::new(&zst[..]).unwrap();
        assert_eq!(entries_of_tar(zst), expected);

        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(write(Format::Zip))).unwrap();
        let tool = zip.by_name("tool_1.0.0_linux_arm64/tool").unwrap();
        assert_eq!(tool.unix_mode(), Some(0o100755));
        assert_eq!(
            tool.last_modified().unwrap().to_string(),
            "2023-11-14 22:13:20"
        );
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        for format in [Format::TarGz, Format::TarZst, Format::Zip] {
            let [one, two] = [0, 1].map(|_| Digest::of(&write(format)));
            assert_eq!(one, two, "{format:?}");
        }
    }

    #[test]
    fn two_files_with_one_path_are_an_error() {
        let place = TempDir::new().unwrap();
        let mut files = files(&place);
        let other = File::text("other");
        let error = files.add("a.zip", "tool".into(), other).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.zip would contain tool twice; leave one of them out of [release] in slipway.toml"
        );
    }
}
