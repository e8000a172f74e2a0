//! Verifies that a program runs on the Linux systems that people have, outside an image.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::str::FromStr;

use crate::elf::{self, Elf, Kind};
use crate::printable::printable;

/// The names of glibc's shared objects start with these. Every system with glibc has them.
const GLIBC: [&str; 10] = [
    "ld-linux",
    "ld64.so",
    "libanl.so",
    "libc.so",
    "libdl.so",
    "libm.so",
    "libpthread.so",
    "libresolv.so",
    "librt.so",
    "libutil.so",
];

const STORE: &[u8] = b"/nix/store/";

/// Length in bytes of the hash that begins a name in the store.
const HASH: usize = 32;

/// A version of glibc, such as 2.28.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion(Vec<u32>);

impl FromStr for GlibcVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers {
            Ok(numbers) if numbers.len() > 1 => Ok(Self(numbers)),
            _ => Err(format!("{text:?} is not a version of glibc, such as 2.28")),
        }
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// What a program needs of the system that it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portable {
    /// The path of the loader. `None` for a static program.
    pub loader: Option<String>,
    /// The oldest glibc that has all the symbols. `None` for a static program.
    pub glibc: Option<GlibcVersion>,
    /// Names of shared objects, except glibc's, in file order.
    pub libraries: Vec<String>,
    pub faults: Vec<PortableFault>,
}

/// Why a program does not run on other systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableFault {
    /// The file is not a program in ELF that can be loaded, and why.
    NotAProgram(&'static str),
    /// The file has a path in the Nix store.
    StorePath(String),
    /// The program searches libraries in these directories.
    SearchPath(String),
    /// A symbol version of glibc is newer than wanted.
    NewerGlibc(String),
    /// The program needs this loader, but was to be static.
    NotStatic(String),
}

impl PortableFault {
    /// The code of the fault, for programs. docs/release.md lists the codes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotAProgram(_) => "invalid-elf",
            Self::StorePath(_) => "store-path",
            Self::SearchPath(_) => "library-search-path",
            Self::NewerGlibc(_) => "newer-glibc",
            Self::NotStatic(_) => "not-static",
        }
    }
}

impl fmt::Display for PortableFault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotAProgram(reason) => f.write_str(reason),
            Self::StorePath(path) => {
                write!(f, "it contains {path}, which other systems do not have")
            }
            Self::SearchPath(path) => {
                write!(
                    f,
                    "it searches libraries in {path} before those of the system"
                )
            }
            Self::NewerGlibc(version) => write!(f, "it needs the symbol version {version}"),
            Self::NotStatic(loader) => write!(f, "it is not static, and needs {loader}"),
        }
    }
}

/// Reads a program and checks that it runs with this glibc and any later one, or without a version,
/// that it is static.
pub fn portable(path: &Path, glibc: Option<&GlibcVersion>) -> io::Result<Portable> {
    let mut file = File::open(path)?;
    let store_path = store_path(&mut BufReader::new(&file))?;
    file.rewind()?;
    let mut head = Vec::new();
    (&mut file).take(256).read_to_end(&mut head)?;
    let mut found = Portable {
        loader: None,
        glibc: None,
        libraries: Vec::new(),
        faults: store_path
            .map(PortableFault::StorePath)
            .into_iter()
            .collect(),
    };
    match elf::read(&head, &mut file)? {
        Ok(elf) if elf.kind == Kind::Program => found.read(&elf, glibc),
        Ok(_) => found.refuse("it is not a program"),
        Err(reason) => found.refuse(reason),
    }
    Ok(found)
}

impl Portable {
    fn refuse(&mut self, reason: &'static str) {
        self.faults.push(PortableFault::NotAProgram(reason));
    }

    fn read(&mut self, elf: &Elf, glibc: Option<&GlibcVersion>) {
        self.loader = elf.interpreter.as_deref().map(printable);
        if let (Some(loader), None) = (&self.loader, glibc) {
            self.faults.push(PortableFault::NotStatic(loader.clone()));
        }
        let needed = elf.needed.iter().map(|name| printable(name));
        self.libraries = needed
            .filter(|name| !GLIBC.iter().any(|start| name.starts_with(start)))
            .collect();
        let mut directories = elf.rpath.iter().chain(&elf.runpath);
        // Directories beside the program belong to its package.
        if let Some(other) = directories.find(|it| !it.starts_with(b"$ORIGIN")) {
            self.faults
                .push(PortableFault::SearchPath(printable(other)));
        }
        let Some(symbols) = &elf.symbols else {
            return self.refuse("its symbols cannot be read");
        };
        for needed in &symbols.needed_versions {
            let name = printable(&needed.version);
            let Some(version) = name.strip_prefix("GLIBC_") else {
                continue;
            };
            match version.parse::<GlibcVersion>() {
                Ok(version) if glibc.is_some_and(|glibc| version <= *glibc) => {
                    self.glibc = self.glibc.take().max(Some(version))
                }
                // Versions such as GLIBC_PRIVATE belong to one version of glibc.
                _ => self.faults.push(PortableFault::NewerGlibc(name)),
            }
        }
    }
}

/// The first path in the Nix store that the file contains.
fn store_path(file: &mut impl BufRead) -> io::Result<Option<String>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(byte);
    // Reads up to each slash. What follows the store's directory may be a name.
    let mut last = Vec::new();
    loop {
        let is_in_store = last.ends_with(STORE);
        let start = last.len();
        if file.read_until(b'/', &mut last)? == 0 {
            return Ok(None);
        }
        let name = &last[start..];
        let end = name.iter().position(|byte| !is_name(byte));
        let name = &name[..end.unwrap_or(name.len())];
        // Texts speak of the store too, without a hash.
        if is_in_store && name.iter().position(|byte| *byte == b'-') == Some(HASH) {
            return Ok(Some(printable(&[STORE, name].concat())));
        }
        let surplus = last.len().saturating_sub(STORE.len());
        last.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| text.parse::<GlibcVersion>().unwrap();
        assert!(version("2.4") < version("2.28"));
        assert!(version("2.2.5") < version("2.3"));
        assert_eq!(version("2.28").to_string(), "2.28");
        for text in ["", "2", "2.x", "PRIVATE"] {
            assert!(text.parse::<GlibcVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn finds_store_paths_anywhere() {
        let find = |text: &[u8]| store_path(&mut BufReader::with_capacity(4, text)).unwrap();
        for text in ["\0/usr/lib\0//nix/stor/", "/nix/store/its\0", "/nix/store/"] {
            assert_eq!(find(text.as_bytes()), None, "{text:?}");
        }
        let path = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-libc";
        for before in ["", "x/", "/nix", "/nix/store/of ", "/nix/store/"] {
            let text = format!("{before}{path}/lib\0");
            assert_eq!(find(text.as_bytes()).as_deref(), Some(path), "{text:?}");
        }
    }

    #[test]
    fn a_text_is_not_a_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "#!/bin/sh\n").unwrap();
        let found = portable(file.path(), None).unwrap();
        assert_eq!(found.faults.len(), 1);
        assert_eq!(found.faults[0].name(), "invalid-elf");
    }
}
