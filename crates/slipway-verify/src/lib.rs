//! An image that was built, and pushed, and pulled, can still be one that does not start: a library
//! left behind, a program for another machine, an entrypoint that is not there. Everything that tells
//! is in its layers and in the heads of its programs, so it can be proven without running anything.
//!
//! [`verify`] reads each layer once into a tree of names, modes and ELF facts, in memory that is bounded
//! whatever the image holds, and judges the tree. What it finds is a [`Finding`] each.

mod contents;
mod elf;
mod entrypoint;
mod finding;
mod loader;
mod machine;
mod modes;
mod printable;
mod report;
mod tree;

pub use finding::{Fault, Finding};
pub use loader::Counts;
pub use machine::Machine;
pub use printable::Printable;
pub use report::{Report, verify};
