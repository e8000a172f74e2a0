//! What is wrong with an image, a line each: the thing, and the cause.

use std::fmt;

use slipway_oci::Platform;

use crate::Machine;

/// A fault of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The path of a file, or what else of the image is at fault. Fit to be printed.
    pub subject: String,
    pub fault: Fault,
}

/// Paths and names in it are fit to be printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A blob that is missing, altered or not what it should be: the reader's own words.
    Unreadable(String),
    /// The index says one platform and the image another.
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
    NoLibrary {
        library: String,
    },
    LibraryOfOtherMachine {
        library: String,
        at: String,
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
    /// There are more findings than anyone reads.
    More(usize),
}

impl Fault {
    /// The fault in one word, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Unreadable(_) => "unreadable",
            Fault::OtherPlatform { .. } => "other-platform",
            Fault::AbsoluteName => "absolute-name",
            Fault::NameLeadsUp => "name-leads-up",
            Fault::NameTooLong => "name-too-long",
            Fault::BrokenWhiteout => "broken-whiteout",
            Fault::NoLinkTarget { .. } => "no-link-target",
            Fault::LinkCircle => "link-circle",
            Fault::Special(_) => "special-file",
            Fault::WorldWritable { .. } => "world-writable",
            Fault::SetUserId { .. } => "set-user-id",
            Fault::SetGroupId { .. } => "set-group-id",
            Fault::BrokenElf(_) => "broken-elf",
            Fault::OtherMachine { .. } => "other-machine",
            Fault::NoInterpreter { .. } => "no-interpreter",
            Fault::InterpreterNotExecutable { .. } => "interpreter-not-executable",
            Fault::NoLibrary { .. } => "no-library",
            Fault::LibraryOfOtherMachine { .. } => "library-of-other-machine",
            Fault::NoProgram => "no-program",
            Fault::NotInPath { .. } => "not-in-path",
            Fault::NotAProgram => "not-a-program",
            Fault::NoFormat => "no-format",
            Fault::NotExecutable { .. } => "not-executable",
            Fault::More(_) => "more",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::Unreadable(reason) => f.write_str(reason),
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
                    "is a hard link to {target}, which is no file of the image"
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
            Fault::NoLibrary { library } => {
                write!(f, "needs {library}, which the loader does not find")
            }
            Fault::LibraryOfOtherMachine { library, at } => {
                write!(f, "needs {library}, and {at} is for another machine")
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
            Fault::More(count) => write!(f, "has {count} more faults"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.fault)
    }
}
