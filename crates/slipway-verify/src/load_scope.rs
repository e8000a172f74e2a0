//! The set of files that the loader loads for a program.

use std::collections::BTreeMap;

use crate::elf::Elf;
use crate::tree::Id;

/// A loaded program or library.
pub struct Object<'a> {
    pub path: Vec<u8>,
    pub id: Id,
    pub elf: &'a Elf,
    /// Index of the object that needs this one.
    pub parent: Option<usize>,
}

/// The files that are loaded together.
pub struct Scope<'a> {
    /// A program followed by its libraries, or a library that no program needs followed by its
    /// dependencies.
    pub objects: Vec<Object<'a>>,
    /// The files by the names under which they are needed. `None` if the loader is missing in the
    /// image.
    pub names: BTreeMap<Vec<u8>, Option<(Id, &'a Elf)>>,
    pub musl: bool,
}
