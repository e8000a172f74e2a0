//! Verifies images without running them.
//!
//! An image that was built and pushed may still fail to start: a library is missing, a program is
//! for another architecture, the entrypoint does not exist. The layers and the ELF headers of the
//! programs contain all the information needed to detect this.
//!
//! [`verify`] reads each layer once into a tree of names, modes and ELF data, in bounded memory,
//! then checks the tree. Each problem is a [`Finding`].

mod closure;
mod elf;
mod entrypoint;
mod finding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod go_build;
mod image_contents;
mod library_search;
mod load_scope;
mod machine;
mod modes;
mod paths;
mod portable;
mod printable;
mod report;
mod symbol_lookup;
mod tree;

pub use closure::{Difference, DifferenceKind, compare};
pub use finding::{Fault, Finding};
pub use go_build::{GoBuild, go_build};
pub use library_search::Counts;
pub use machine::Machine;
pub use portable::{GlibcVersion, Portable, PortableFault, portable};
pub use printable::Printable;
pub use report::{Report, is_sound, verify};
