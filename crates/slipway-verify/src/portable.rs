//! Verifies that a program runs on the Linux systems that people have, outside an image.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
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

/// What the loader replaces with the directory of the file that has the search path.
const ORIGIN: &[u8] = b"$ORIGIN";

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

/// What a program or a shared library needs of the system that it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portable {
    pub path: PathBuf,
    /// The path of the loader. `None` for a static program and for a library.
    pub loader: Option<String>,
    /// The oldest glibc that has all the symbols. `None` if it needs none.
    pub glibc: Option<GlibcVersion>,
    /// Names of the system's shared libraries, except glibc's, in file order.
    pub libraries: Vec<String>,
    /// Paths of the shared libraries that it finds relative to itself.
    pub bundled: Vec<PathBuf>,
    pub faults: Vec<PortableFault>,
}

/// Why a program does not run on other systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableFault {
    /// The file is not a program or shared library in ELF that can be loaded, and why.
    NotAProgram(&'static str),
    /// The file has a path in the Nix store.
    StorePath(String),
    /// The program searches libraries in these directories.
    SearchPath(String),
    /// A symbol version of glibc is newer than wanted. A symbol that has it comes first.
    NewerGlibc(Option<String>, String),
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
            Self::NewerGlibc(..) => "newer-glibc",
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
            Self::NewerGlibc(Some(symbol), version) => {
                write!(f, "it needs the symbol {symbol}@{version}")
            }
            Self::NewerGlibc(None, version) => write!(f, "it needs the symbol version {version}"),
            Self::NotStatic(loader) => write!(f, "it is not static, and needs {loader}"),
        }
    }
}

/// Reads a program or a shared library and the libraries that it finds relative to itself, and checks that they run
/// with this glibc and any later one, or without a version, that the program is static. The file itself comes first.
pub fn portable(path: &Path, glibc: Option<&GlibcVersion>) -> io::Result<Vec<Portable>> {
    let mut files = vec![read(path, glibc)?];
    let mut next = 0;
    while let Some(file) = files.get(next) {
        for library in file.bundled.clone() {
            if files.iter().all(|it| it.path != library) {
                files.push(read(&library, glibc)?);
            }
        }
        next += 1;
    }
    Ok(files)
}

fn read(path: &Path, glibc: Option<&GlibcVersion>) -> io::Result<Portable> {
    let mut file = File::open(path)?;
    let store_path = store_path(&mut BufReader::new(&file))?;
    file.rewind()?;
    let mut head = Vec::new();
    (&mut file).take(256).read_to_end(&mut head)?;
    let mut found = Portable {
        path: path.to_owned(),
        loader: None,
        glibc: None,
        libraries: Vec::new(),
        bundled: Vec::new(),
        faults: store_path
            .map(PortableFault::StorePath)
            .into_iter()
            .collect(),
    };
    match elf::read(&head, &mut file)? {
        Ok(elf) if elf.kind != Kind::Other => found.read(&elf, glibc)?,
        Ok(_) => found.refuse("it is neither a program nor a shared library"),
        Err(reason) => found.refuse(reason),
    }
    Ok(found)
}

impl Portable {
    fn refuse(&mut self, reason: &'static str) {
        self.faults.push(PortableFault::NotAProgram(reason));
    }

    fn read(&mut self, elf: &Elf, glibc: Option<&GlibcVersion>) -> io::Result<()> {
        self.loader = elf.interpreter.as_deref().map(printable);
        if let (Some(loader), None) = (&self.loader, glibc) {
            self.faults.push(PortableFault::NotStatic(loader.clone()));
        }
        // The loader takes the directory of the file that a link leads to.
        let origin = fs::canonicalize(&self.path)?;
        let origin = origin.parent().unwrap_or(&origin);
        let directories = || elf.rpath.iter().chain(&elf.runpath);
        for name in &elf.needed {
            let text = printable(name);
            if GLIBC.iter().any(|start| text.starts_with(start)) {
                continue;
            }
            let relative = directories().filter_map(|it| it.strip_prefix(ORIGIN));
            let mut paths = relative.map(|it| beside(origin, it).join(OsStr::from_bytes(name)));
            match paths.find(|it| it.is_file()) {
                Some(path) => self.bundled.push(path),
                None => self.libraries.push(text),
            }
        }
        // Directories beside the file belong to its package.
        if let Some(other) = directories().find(|it| !it.starts_with(ORIGIN)) {
            self.faults
                .push(PortableFault::SearchPath(printable(other)));
        }
        let Some(symbols) = &elf.symbols else {
            self.refuse("its symbols cannot be read");
            return Ok(());
        };
        let mut newer = Vec::new();
        for (index, needed) in symbols.needed_versions.iter().enumerate() {
            let name = printable(&needed.version);
            let Some(version) = name.strip_prefix("GLIBC_") else {
                continue;
            };
            // Versions such as GLIBC_PRIVATE belong to one version of glibc.
            match version.parse::<GlibcVersion>().ok() {
                Some(version) if glibc.is_some_and(|glibc| version <= *glibc) => {
                    self.glibc = self.glibc.take().max(Some(version))
                }
                version => {
                    let mut wanted = symbols.wanted.iter();
                    let symbol = wanted.find(|it| it.version.map(usize::from) == Some(index));
                    let symbol = symbol.map(|it| printable(&it.name));
                    newer.push((version, PortableFault::NewerGlibc(symbol, name)));
                }
            }
        }
        // The first says which glibc would do.
        newer.sort_by_key(|(version, _)| (version.is_some(), Reverse(version.clone())));
        self.faults
            .extend(newer.into_iter().map(|(_, fault)| fault));
        Ok(())
    }
}

/// A directory that a search path names relative to another one, without `.` and `..`.
fn beside(origin: &Path, relative: &[u8]) -> PathBuf {
    let mut directory = origin.to_owned();
    for part in relative.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(directory.pop()),
            _ => directory.push(OsStr::from_bytes(part)),
        }
    }
    directory
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
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].faults.len(), 1);
        assert_eq!(found[0].faults[0].name(), "invalid-elf");
    }
}
