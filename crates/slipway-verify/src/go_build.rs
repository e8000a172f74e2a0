//! Reads the build information that the go command writes into programs.
//!
//! Source of the format: package debug/buildinfo of Go, function `Read`, for programs of Go 1.18 and
//! later.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use slipway_oci::{EntryKind, Image, Layout};

use crate::elf;
use crate::image_contents::UNPACKED_LIMIT;
use crate::machine::MAGIC;

/// How a program in Go was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoBuild {
    /// Version of Go: `go1.27.4`.
    pub version: String,
    /// Import path of the main package.
    pub package: String,
    /// Path and version of the main module. The version is `(devel)` if none was given.
    pub module: Option<(String, String)>,
    /// Settings of the build, such as `CGO_ENABLED` and `vcs.revision`.
    pub settings: BTreeMap<String, String>,
}

/// The version of a module without one.
const UNVERSIONED: &str = "(devel)";
/// Name of the ELF section.
pub const SECTION: &[u8] = b".go.buildinfo";
const START: &[u8] = b"\xff Go buildinf:";
/// Size of the header, after which the strings follow.
const HEADER: usize = 32;
/// Offset of the flags in the header, and the flag for strings in the section itself.
const FLAGS: usize = 15;
const INLINE: u8 = 2;
/// Bytes before and after the text on modules.
const SENTINEL: usize = 16;

impl GoBuild {
    /// Parses the content of the section. `None` if it has another form.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let header = section.get(..HEADER)?;
        if !header.starts_with(START) || header[FLAGS] & INLINE == 0 {
            return None;
        }
        let mut rest = &section[HEADER..];
        let version = String::from_utf8(string(&mut rest)?.to_vec()).ok()?;
        let text = string(&mut rest)?;
        let end = text.len().saturating_sub(SENTINEL);
        let text = String::from_utf8_lossy(text.get(SENTINEL..end).unwrap_or_default());
        let mut build = Self {
            version,
            ..Self::default()
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words[..] {
                ["path", path] => build.package = path.to_owned(),
                ["mod", path, version, ..] => {
                    build.module = Some((path.to_owned(), version.to_owned()));
                }
                ["build", setting] => {
                    let (name, value) = setting.split_once('=')?;
                    let value = value.trim_matches('"');
                    build.settings.insert(name.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        Some(build)
    }

    /// Whether the program can have C code.
    pub fn has_cgo(&self) -> bool {
        self.setting("CGO_ENABLED") == Some("1")
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Bytes of text held in memory.
    pub fn text(&self) -> usize {
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let module = self
            .module
            .iter()
            .map(|(path, version)| path.len() + version.len());
        self.version.len() + self.package.len() + settings.chain(module).sum::<usize>()
    }
}

/// The build information of the program that an image runs, if it is in Go. Reads layers from the
/// highest down to the one with the program; `None` if one of these cannot be read.
pub fn go_build(layout: &Layout, image: &Image) -> Option<GoBuild> {
    let runtime = &image.config().value().config;
    let program = runtime.entrypoint.iter().chain(&runtime.cmd).next()?;
    let program = program.strip_prefix('/')?.as_bytes();
    let layers: Vec<_> = image.layers().collect();
    for (blob, diff_id) in layers.into_iter().rev() {
        let mut found = None;
        let read = layout.read_layer(blob, diff_id, UNPACKED_LIMIT, |entry| {
            let name = entry.name.strip_prefix(b"./").unwrap_or(&entry.name);
            if name == program && entry.kind == EntryKind::File {
                found = Some(of_program(entry.body));
            }
            Ok(())
        });
        read.ok()?;
        if let Some(found) = found {
            return found;
        }
    }
    None
}

fn of_program(body: &mut dyn Read) -> Option<GoBuild> {
    // The magic number and the class.
    let mut head = [0; MAGIC.len() + 1];
    body.read_exact(&mut head).ok()?;
    elf::read(&head, body).ok()?.ok()?.go
}

/// Takes a string off the front: its length as a varint (encoding/binary of Go), then its bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length: usize = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            let (text, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            return Some(text);
        }
    }
    None
}

/// `go1.27.4 with cgo, example.com/reporter v1.2.3, revision 0123abc (modified)`
impl fmt::Display for GoBuild {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let cgo = if self.has_cgo() { "with" } else { "without" };
        write!(f, "{} {cgo} cgo, {}", self.version, self.package)?;
        match &self.module {
            Some((_, version)) if version != UNVERSIONED => write!(f, " {version}")?,
            _ => {}
        }
        if let Some(revision) = self.setting("vcs.revision") {
            write!(f, ", revision {revision}")?;
        }
        match self.setting("vcs.modified") {
            Some("true") => write!(f, " (modified)"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(version: &str, text: &str) -> Vec<u8> {
        let mut section = [START, &[8, INLINE]].concat();
        section.resize(HEADER, 0);
        let framed = [&[b'<'; SENTINEL], text.as_bytes(), &[b'>'; SENTINEL]].concat();
        for text in [version.as_bytes(), &framed] {
            let mut length = text.len();
            while length >= 0x80 {
                section.push(length as u8 | 0x80);
                length >>= 7;
            }
            section.push(length as u8);
            section.extend(text);
        }
        section
    }

    #[test]
    fn shows_the_version_and_the_revision() {
        let text = "path\texample.com/m/cmd/x\nmod\texample.com/m\tv1.2.3\t\n\
                    dep\tgolang.org/x/text\tv0.44.0\th1:abc=\n\
                    build\t-buildmode=pie\nbuild\tCGO_ENABLED=1\nbuild\tvcs.revision=0123abc\n\
                    build\tvcs.modified=true\n";
        let build = GoBuild::parse(&section("go1.27.4", text)).unwrap();
        assert_eq!(
            build.to_string(),
            "go1.27.4 with cgo, example.com/m/cmd/x v1.2.3, revision 0123abc (modified)"
        );
        assert_eq!(build.settings["-buildmode"], "pie");
    }

    #[test]
    fn shows_a_program_without_module_and_settings() {
        let build = GoBuild::parse(&section("go1.27.4", "path\tcommand-line-arguments\n")).unwrap();
        assert_eq!(
            build.to_string(),
            "go1.27.4 without cgo, command-line-arguments"
        );
    }

    #[test]
    fn malformed_sections_are_nothing() {
        let whole = section("go1.27.4", "path\tx\n");
        for end in 0..whole.len() {
            assert_eq!(GoBuild::parse(&whole[..end]), None, "{end}");
        }
        let endless = [&whole[..HEADER], &[0xff; 20]].concat();
        assert_eq!(GoBuild::parse(&endless), None);
        // A pointer to the strings, as before Go 1.18.
        let mut old = whole;
        old[FLAGS] = 0;
        assert_eq!(GoBuild::parse(&old), None);
    }
}
