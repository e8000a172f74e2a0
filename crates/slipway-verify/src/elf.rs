//! Of a program only its head and its dynamic section say whether it can be loaded. They lie apart in
//! the file, and a layer is read once, so the file is kept until both are read: in memory if it is
//! small, in a temporary file else.

use std::io::{self, Read, Seek, SeekFrom, Write};

use object::Endianness;
use object::elf;
use object::pod::{Pod, from_bytes, slice_from_bytes};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use tempfile::SpooledTempFile;

use crate::machine::Machine;

/// Larger files go through a temporary file.
const MEMORY_LIMIT: usize = 16 << 20;
/// Files of more bytes are not kept: the largest libraries, with code for graphics processors, have 2 GB.
const SIZE_LIMIT: u64 = 8 << 30;
/// What a sane file has of program headers, of dynamic section and of text that its dynamic section
/// points to, in bytes.
const PART_LIMIT: u64 = 1 << 20;

/// What the loader goes by. Source: System V ABI, "Program Loading and Dynamic Linking".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    pub machine: Machine,
    pub kind: Kind,
    /// `PT_INTERP`: the path of the loader.
    pub interpreter: Option<Vec<u8>>,
    /// `DT_NEEDED`, in its order.
    pub needed: Vec<Vec<u8>>,
    pub soname: Option<Vec<u8>>,
    /// `DT_RPATH` and `DT_RUNPATH`, split at their colons.
    pub rpath: Vec<Vec<u8>>,
    pub runpath: Vec<Vec<u8>>,
}

impl Elf {
    /// Bytes of text in it.
    pub fn text(&self) -> usize {
        let lists = [&self.needed, &self.rpath, &self.runpath];
        let single = [&self.interpreter, &self.soname];
        let all = lists
            .into_iter()
            .flatten()
            .chain(single.into_iter().flatten());
        all.map(|text| text.len() + size_of::<Vec<u8>>()).sum()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Program,
    Library,
    /// Object files, kernel modules, core dumps: nothing loads them.
    Other,
}

/// What every ELF file begins with.
pub const MAGIC: [u8; 4] = elf::ELFMAG;

/// Reads an ELF file that begins with `head`, the rest of which `body` gives.
///
/// The inner error says what is wrong with the file, the outer one why it could not be read at all.
pub fn read(head: &[u8], body: &mut dyn Read) -> io::Result<Result<Elf, &'static str>> {
    let mut file = SpooledTempFile::new(MEMORY_LIMIT);
    file.write_all(head)?;
    if io::copy(&mut body.take(SIZE_LIMIT), &mut file)? == SIZE_LIMIT {
        return Ok(Err("it is larger than any program"));
    }
    let mut parts = Parts { file, text: 0 };
    let parsed = match head.get(MAGIC.len()) {
        Some(&class) if class == elf::ELFCLASS32.0 => parts.parse::<elf::FileHeader32<_>>(32),
        Some(&class) if class == elf::ELFCLASS64.0 => parts.parse::<elf::FileHeader64<_>>(64),
        _ => Err(Fault::Form("it is neither of 32 nor of 64 bits")),
    };
    match parsed {
        Ok(elf) => Ok(Ok(elf)),
        Err(Fault::Form(reason)) => Ok(Err(reason)),
        Err(Fault::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Err("it is cut off"))
        }
        Err(Fault::Io(error)) => Err(error),
    }
}

enum Fault {
    Form(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// The file, read in pieces: none is larger than a sane file has it.
struct Parts {
    file: SpooledTempFile,
    /// Bytes of text read so far.
    text: u64,
}

impl Parts {
    fn parse<H: FileHeader<Endian = Endianness>>(&mut self, bits: u8) -> Result<Elf, Fault> {
        let bytes = self.at(0, size_of::<H>() as u64)?;
        let header = pod::<H>(&bytes)?;
        let endian = header
            .endian()
            .map_err(|_| Fault::Form("it has no byte order"))?;

        let size = u64::from(header.e_phnum(endian)) * size_of::<H::ProgramHeader>() as u64;
        let bytes = self.at(header.e_phoff(endian).into(), size)?;
        let segments = pods::<H::ProgramHeader>(&bytes, header.e_phnum(endian).into())?;
        let segment = |kind| segments.iter().find(|it| it.p_type(endian) == kind);

        let mut found = Elf {
            machine: Machine {
                bits,
                big_endian: endian == Endianness::Big,
                number: header.e_machine(endian).0,
            },
            kind: Kind::Other,
            interpreter: None,
            needed: Vec::new(),
            soname: None,
            rpath: Vec::new(),
            runpath: Vec::new(),
        };
        if let Some(interpreter) = segment(elf::PT_INTERP) {
            found.interpreter = Some(self.text(interpreter.p_offset(endian).into())?);
        }
        let mut position_independent = false;
        if let Some(dynamic) = segment(elf::PT_DYNAMIC) {
            let (offset, size) = dynamic.file_range(endian);
            let bytes = self.at(offset, size)?;
            let count = bytes.len() / size_of::<H::Dyn>();
            let entries = pods::<H::Dyn>(&bytes, count)?;
            let end = |it: &&H::Dyn| it.tag(endian) != elf::DT_NULL;
            let entries: Vec<_> = entries.iter().take_while(end).collect();
            let value = |tag| entries.iter().find(|it| it.tag(endian) == tag);

            let table = value(elf::DT_STRTAB).map_or(0, |it| it.val(endian));
            let loaded = segments.iter().find_map(|it| {
                let (start, size): (u64, u64) =
                    (it.p_vaddr(endian).into(), it.p_filesz(endian).into());
                let inside = table.checked_sub(start).filter(|&it| it < size)?;
                let offset: u64 = it.p_offset(endian).into();
                (it.p_type(endian) == elf::PT_LOAD).then(|| offset.checked_add(inside))?
            });
            for entry in &entries {
                let tag = entry.tag(endian);
                if ![
                    elf::DT_NEEDED,
                    elf::DT_SONAME,
                    elf::DT_RPATH,
                    elf::DT_RUNPATH,
                ]
                .contains(&tag)
                {
                    continue;
                }
                let offset = loaded.and_then(|table| table.checked_add(entry.val(endian)));
                let text =
                    self.text(offset.ok_or(Fault::Form("its names are not in the file"))?)?;
                match tag {
                    elf::DT_NEEDED => found.needed.push(text),
                    elf::DT_SONAME => found.soname = Some(text),
                    elf::DT_RPATH => found.rpath = directories(&text),
                    _ => found.runpath = directories(&text),
                }
            }
            let flags = value(elf::DT_FLAGS_1).map_or(0, |it| it.val(endian));
            position_independent = flags & elf::DF_1_PIE.0 != 0;
        }
        found.kind = match header.e_type(endian) {
            elf::ET_EXEC => Kind::Program,
            // A library that can be run too, as the C library, has a name to be found by.
            elf::ET_DYN if position_independent => Kind::Program,
            elf::ET_DYN if found.interpreter.is_some() && found.soname.is_none() => Kind::Program,
            elf::ET_DYN => Kind::Library,
            _ => Kind::Other,
        };
        Ok(found)
    }

    fn at(&mut self, offset: u64, size: u64) -> Result<Vec<u8>, Fault> {
        if size > PART_LIMIT {
            return Err(Fault::Form(
                "its headers are larger than those of any program",
            ));
        }
        let mut bytes = vec![0; size as usize];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The text at an offset, up to the zero that ends it.
    fn text(&mut self, offset: u64) -> Result<Vec<u8>, Fault> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut text = Vec::new();
        let mut buffer = [0; 256];
        loop {
            let read = self.file.read(&mut buffer)?;
            if read == 0 {
                return Err(Fault::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            let end = buffer[..read].iter().position(|&byte| byte == 0);
            text.extend(&buffer[..end.unwrap_or(read)]);
            self.text += end.unwrap_or(read) as u64;
            if self.text > PART_LIMIT {
                return Err(Fault::Form(
                    "its names are longer than those of any program",
                ));
            }
            if end.is_some() {
                return Ok(text);
            }
        }
    }
}

fn pod<T: Pod>(bytes: &[u8]) -> Result<&T, Fault> {
    let (value, _) = from_bytes(bytes).map_err(|()| Fault::Form("it is cut off"))?;
    Ok(value)
}

fn pods<T: Pod>(bytes: &[u8], count: usize) -> Result<&[T], Fault> {
    let (values, _) = slice_from_bytes(bytes, count).map_err(|()| Fault::Form("it is cut off"))?;
    Ok(values)
}

fn directories(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&byte| byte == b':');
    parts
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}
