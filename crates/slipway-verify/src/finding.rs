//! Findings: the faults of an image, each printed on one line with its subject and cause.

use std::fmt;

use slipway_oci::Platform;

use crate::{Machine, Printable};

/// Most layers in an image. Source: moby, layer/layer_store.go, `maxLayerDepth`, which is 125
/// including those that a container adds; the overlay driver's own limit is 128 directories.
pub const MAX_LAYERS: usize = 127;

/// A fault or a warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The path of a file, or another part of the image. Escaped for printing.
    pub subject: String,
    pub fault: Fault,
}

/// What is wrong. Paths and names are escaped for printing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A blob that is missing, altered or invalid, with the reader's error message.
    Unreadable(String),
    /// The index and the image name different platforms.
    OtherPlatform {
        index: Platform,
        image: Platform,
    },
    AbsoluteName,
    NameLeadsUp,
    NameTooLong,
    BrokenWhiteout,
    NoLinkTarget {
        target: String,
    },
    LinkCircle,
    Special(&'static str),
    WorldWritable {
        mode: u32,
    },
    SetUserId {
        mode: u32,
    },
    SetGroupId {
        mode: u32,
    },
    BrokenElf(&'static str),
    OtherMachine {
        found: Machine,
        expected: Machine,
    },
    NoInterpreter {
        interpreter: String,
    },
    InterpreterNotExecutable {
        interpreter: String,
    },
    InterpreterNotElf {
        interpreter: String,
    },
    InterpreterOfOtherMachine {
        interpreter: String,
        found: Machine,
    },
    InterpreterCannotStart {
        interpreter: String,
        reason: &'static str,
    },
    CannotStart(&'static str),
    ExecutableStack,
    TextRelocations,
    SmallAlignment {
        alignment: u64,
        page: u64,
    },
    FileCapabilities,
    TooManyLayers {
        layers: usize,
    },
    NoUser {
        file: &'static str,
    },
    NoWorkingDirectory,
    NoLibrary {
        library: String,
    },
    LibraryOfOtherMachine {
        library: String,
        at: String,
    },
    /// A symbol version that a library does not define, needed at program start or later.
    NoVersion {
        version: String,
        library: String,
        at_start: bool,
    },
    /// An undefined symbol, and how many more there are. With `program`, no file that it loads
    /// defines the symbol; without, no file in the image does.
    NoSymbol {
        symbol: String,
        more: usize,
        program: Option<String>,
    },
    /// A missing file that may be opened at run time, how many more there are, and the Debian
    /// package that contains it, if known.
    NoFile {
        path: String,
        more: usize,
        package: Option<&'static str>,
    },
    NoProgram,
    NotInPath {
        path: String,
    },
    NotAProgram,
    /// Neither an ELF file nor a script.
    NoFormat,
    NotExecutable {
        mode: u32,
    },
    /// Faults of files in a base image: their number and one of them.
    OfBase {
        faults: usize,
        example: String,
    },
    /// This many findings were dropped.
    More(usize),
}

impl Fault {
    /// Whether this can be left to the maker of a base image. What keeps a program from starting cannot:
    /// the image may run it.
    fn is_left_to_base(&self) -> bool {
        self.is_warning()
            || matches!(
                self,
                Fault::FileCapabilities
                    | Fault::LinkCircle
                    | Fault::SetGroupId { .. }
                    | Fault::SetUserId { .. }
                    | Fault::Special(_)
                    | Fault::WorldWritable { .. }
            )
    }

    /// Whether this is a warning: the image may still run and counts as sound.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Fault::SmallAlignment { .. }
                | Fault::ExecutableStack
                | Fault::TextRelocations
                | Fault::NoWorkingDirectory
                | Fault::NoVersion {
                    at_start: false,
                    ..
                }
                | Fault::NoSymbol { program: None, .. }
                | Fault::NoFile { .. }
                | Fault::OfBase { .. }
        )
    }

    /// The code of the fault, for programs. docs/verify.md lists the codes.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Unreadable(_) => "unreadable-blob",
            Fault::OtherPlatform { .. } => "platform-mismatch",
            Fault::AbsoluteName => "absolute-path",
            Fault::NameLeadsUp => "path-traversal",
            Fault::NameTooLong => "path-too-long",
            Fault::BrokenWhiteout => "invalid-whiteout",
            Fault::NoLinkTarget { .. } => "missing-hardlink-target",
            Fault::LinkCircle => "symlink-loop",
            Fault::Special(_) => "special-file",
            Fault::WorldWritable { .. } => "world-writable",
            Fault::SetUserId { .. } => "setuid",
            Fault::SetGroupId { .. } => "setgid",
            Fault::BrokenElf(_) => "invalid-elf",
            Fault::OtherMachine { .. } => "wrong-architecture",
            Fault::NoInterpreter { .. } => "missing-loader",
            Fault::InterpreterNotExecutable { .. } => "loader-not-executable",
            Fault::InterpreterNotElf { .. } => "loader-not-elf",
            Fault::InterpreterOfOtherMachine { .. } => "loader-wrong-architecture",
            Fault::InterpreterCannotStart { .. } => "invalid-loader",
            Fault::CannotStart(_) => "cannot-start",
            Fault::ExecutableStack => "executable-stack",
            Fault::TextRelocations => "text-relocations",
            Fault::SmallAlignment { .. } => "small-page-alignment",
            Fault::FileCapabilities => "file-capabilities",
            Fault::TooManyLayers { .. } => "too-many-layers",
            Fault::NoUser { .. } => "missing-user",
            Fault::NoWorkingDirectory => "missing-workdir",
            Fault::NoLibrary { .. } => "missing-library",
            Fault::LibraryOfOtherMachine { .. } => "library-wrong-architecture",
            Fault::NoVersion { .. } => "missing-symbol-version",
            Fault::NoSymbol { .. } => "missing-symbol",
            Fault::NoFile { .. } => "missing-file",
            Fault::NoProgram => "missing-program",
            Fault::NotInPath { .. } => "not-in-path",
            Fault::NotAProgram => "not-a-file",
            Fault::NoFormat => "unknown-executable-format",
            Fault::NotExecutable { .. } => "not-executable",
            Fault::OfBase { .. } => "base-image",
            Fault::More(_) => "more-findings",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::Unreadable(reason) => Printable(reason).fmt(f),
            Fault::OtherPlatform { index, image } => {
                write!(f, "the index says {index}, the image itself {image}")
            }
            Fault::AbsoluteName => f.write_str("has an absolute name in its layer"),
            Fault::NameLeadsUp => f.write_str("has .. in its name"),
            Fault::NameTooLong => f.write_str("has a longer name than Linux allows"),
            Fault::BrokenWhiteout => f.write_str("is a whiteout of no file"),
            Fault::NoLinkTarget { target } => {
                write!(
                    f,
                    "is a hard link to {target}, which is not a file of the image"
                )
            }
            Fault::LinkCircle => f.write_str("is a link that leads in a circle"),
            Fault::Special(kind) => write!(f, "is a {kind}"),
            Fault::WorldWritable { mode } => {
                write!(f, "can be written by everyone (mode {mode:04o})")
            }
            Fault::SetUserId { mode } => {
                write!(
                    f,
                    "runs as its owner, whoever starts it (set-user-ID, mode {mode:04o})"
                )
            }
            Fault::SetGroupId { mode } => {
                write!(
                    f,
                    "runs as its group, whoever starts it (set-group-ID, mode {mode:04o})"
                )
            }
            Fault::BrokenElf(reason) => write!(f, "is not a whole ELF file: {reason}"),
            Fault::OtherMachine { found, expected } => {
                write!(f, "is for {found}, the image for {expected}")
            }
            Fault::NoInterpreter { interpreter } => {
                write!(
                    f,
                    "wants the interpreter {interpreter}, which is not in the image"
                )
            }
            Fault::InterpreterNotExecutable { interpreter } => {
                write!(
                    f,
                    "wants the interpreter {interpreter}, which is not executable"
                )
            }
            Fault::InterpreterNotElf { interpreter } => {
                write!(
                    f,
                    "wants the interpreter {interpreter}, which is no ELF file"
                )
            }
            Fault::InterpreterOfOtherMachine { interpreter, found } => {
                write!(
                    f,
                    "wants the interpreter {interpreter}, which is for {found}"
                )
            }
            Fault::InterpreterCannotStart {
                interpreter,
                reason,
            } => {
                write!(
                    f,
                    "wants the interpreter {interpreter}, which cannot be started: {reason}"
                )
            }
            Fault::ExecutableStack => f.write_str(
                "asks for an executable stack, which hardened systems refuse; link it with -z noexecstack",
            ),
            Fault::TextRelocations => f.write_str(
                "has text relocations: the loader must write to its code, which hardened systems refuse; \
                 compile it with -fPIC",
            ),
            Fault::CannotStart(reason) => write!(f, "cannot be started: {reason}"),
            Fault::SmallAlignment { alignment, page } => write!(
                f,
                "has segments aligned to {alignment} bytes, and kernels of this platform may have pages of \
                 {page}; link it with -z max-page-size={page}"
            ),
            Fault::FileCapabilities => {
                f.write_str("has file capabilities: it runs with them, whoever starts it")
            }
            Fault::TooManyLayers { layers } => {
                write!(f, "has {layers} layers, and engines stop at {MAX_LAYERS}")
            }
            Fault::NoUser { file } => write!(
                f,
                "is whom the image runs as, and {file} of the image has no such name"
            ),
            Fault::NoWorkingDirectory => f.write_str(
                "is the image's working directory, and is not in it; engines make it, as root's",
            ),
            Fault::NoLibrary { library } => {
                write!(f, "needs {library}, which the loader does not find")
            }
            Fault::LibraryOfOtherMachine { library, at } => {
                write!(f, "needs {library}, and {at} is for another machine")
            }
            Fault::NoVersion {
                version, library, ..
            } => {
                write!(
                    f,
                    "needs version {version} of {library}, which the image's {library} does not have"
                )
            }
            Fault::NoSymbol {
                symbol,
                more,
                program,
            } => {
                write!(f, "needs the symbol {symbol}")?;
                if *more > 0 {
                    write!(f, " and {more} more")?;
                }
                match program {
                    Some(program) => write!(f, ", which nothing that {program} loads defines"),
                    None => f.write_str(", which nothing in the image defines"),
                }
            }
            Fault::NoFile {
                path,
                more,
                package,
            } => {
                write!(f, "may open {path}")?;
                match more {
                    0 => f.write_str(", which the image does not have")?,
                    more => write!(f, " and {more} more, which the image does not have")?,
                }
                match package {
                    Some(package) => write!(f, "; Debian's {package} does"),
                    None => Ok(()),
                }
            }
            Fault::NoProgram => f.write_str("is what the image runs, and is not in it"),
            Fault::NotInPath { path } => {
                write!(
                    f,
                    "is what the image runs, and is in no directory of its PATH ({path})"
                )
            }
            Fault::NotAProgram => f.write_str("is what the image runs, and is not a regular file"),
            Fault::NoFormat => f.write_str(
                "is what the image runs, and is neither an ELF program nor a script with #!",
            ),
            Fault::NotExecutable { mode } => {
                write!(
                    f,
                    "is what the image runs, and is not executable (mode {mode:04o})"
                )
            }
            Fault::OfBase { faults: 1, example } => write!(f, "has a fault of its own: {example}"),
            Fault::OfBase { faults, example } => {
                write!(f, "has {faults} faults of its own, such as {example}")
            }
            Fault::More(count) => write!(f, "has {count} more faults"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let warning = if self.fault.is_warning() {
            "warning: "
        } else {
            ""
        };
        write!(f, "{warning}{}: {}", self.subject, self.fault)
    }
}
/// Most findings that are kept for an image.
const FINDING_LIMIT: usize = 10_000;

/// Collects findings.
#[derive(Default)]
pub struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    pub fn add(&mut self, subject: String, fault: Fault) {
        match self.list.len() < FINDING_LIMIT {
            true => self.list.push(Finding { subject, fault }),
            false => self.left_out += 1,
        }
    }

    /// Replaces findings about files of a base image by one warning, unless they keep a program from
    /// starting.
    pub fn set_aside(&mut self, is_of_base: impl Fn(&str) -> bool) {
        let (of_base, own): (Vec<Finding>, _) = std::mem::take(&mut self.list)
            .into_iter()
            .partition(|it| it.fault.is_left_to_base() && is_of_base(&it.subject));
        self.list = own;
        let faults = of_base.iter().filter(|it| !it.fault.is_warning());
        if let Some(example) = faults.clone().next() {
            let example = example.to_string();
            let faults = faults.count();
            self.add(
                "the base image".to_owned(),
                Fault::OfBase { faults, example },
            );
        }
    }

    pub fn finish(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            self.list.push(Finding {
                subject: "the image".to_owned(),
                fault: Fault::More(self.left_out),
            });
        }
        self.list
    }
}
