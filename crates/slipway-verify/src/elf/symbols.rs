//! Reads the symbols that an ELF file defines and references, as the loader does: definitions from
//! the hash table, references from the relocations. Section headers are not used, because the
//! loader does not read them and they may be missing.
//!
//! Source: System V ABI, "Dynamic Linking"; for versions the LSB Core Specification, "Symbol
//! Versioning".

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::ops::Range;

use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, Rel, Rela, Sym};

use super::{Dynamic, Fault, Parts, pods};

/// Largest table, in bytes. The largest libraries have 50 MB of symbol names.
const TABLE_LIMIT: u64 = 256 << 20;
/// Most symbols in a file.
const SYMBOL_LIMIT: u32 = 1 << 24;
/// Most symbol versions in a file: version indices have 15 bits.
const VERSION_LIMIT: usize = 1 << 15;
/// Mask for a symbol's version index without the "hidden" bit.
const VERSION_INDEX: u16 = 0x7fff;
/// Smaller indices mean local symbols and symbols without a version.
const FIRST_VERSION: u16 = 2;

/// Hash of a symbol name and its version or lack of one. Hashes save memory, since an image may
/// define millions of symbols.
pub type Key = u64;

/// A definition that satisfies references without a version.
pub fn unversioned(name: &[u8]) -> Key {
    key(name, 0, b"")
}

/// A definition without a version, which satisfies references to any version.
pub fn of_any_version(name: &[u8]) -> Key {
    key(name, 1, b"")
}

pub fn of_version(name: &[u8], version: &[u8]) -> Key {
    key(name, 2, version)
}

fn key(name: &[u8], kind: u8, version: &[u8]) -> Key {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(name.len());
    hasher.write(name);
    hasher.write_u8(kind);
    hasher.write(version);
    hasher.finish()
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    pub defined: Vec<Key>,
    /// The undefined symbols that must be resolved at load time or later, in file order.
    pub wanted: Vec<Wanted>,
    /// `DT_VERDEF`: the versions that the file defines.
    pub versions: Vec<Vec<u8>>,
    /// `DT_VERNEED`: the versions that other libraries must define.
    pub needed_versions: Vec<NeededVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: Box<[u8]>,
    /// Index in `needed_versions`.
    pub version: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededVersion {
    /// The library, as in `DT_NEEDED`.
    pub file: Vec<u8>,
    pub version: Vec<u8>,
}

impl Symbols {
    /// Approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        let texts = self.versions.iter().map(Vec::len);
        let needed = self.needed_versions.iter();
        let needed = needed.map(|it| it.file.len() + it.version.len() + size_of::<NeededVersion>());
        let wanted = self.wanted.iter();
        let wanted = wanted.map(|it| it.name.len() + size_of::<Wanted>());
        self.defined.len() * size_of::<Key>() + texts.chain(needed).chain(wanted).sum::<usize>()
    }
}

/// Reads the symbols of a file with this dynamic section.
pub(super) fn read<H: FileHeader<Endian = Endianness>>(
    parts: &mut Parts,
    header: &H,
    dynamic: &Dynamic<H>,
) -> Result<Symbols, Fault> {
    let endian = dynamic.endian;
    let mut found = Symbols::default();
    let Some(table) = dynamic.offset(elf::DT_SYMTAB) else {
        return Ok(found);
    };
    let defined = hashed(parts, header, dynamic)?;
    let wanted = relocated(parts, header, dynamic)?;
    let count = wanted.last().map_or(0, |last| last.saturating_add(1));
    let count = count.max(defined.end);
    if count > SYMBOL_LIMIT {
        return Err(Fault::Form("it has more symbols than any program"));
    }
    let size = u64::from(count) * size_of::<H::Sym>() as u64;
    let bytes = parts.read(table, size, TABLE_LIMIT)?;
    let symbols = pods::<H::Sym>(&bytes, count as usize)?;
    let names = match dynamic.offset(elf::DT_STRTAB) {
        Some(offset) => {
            let size = dynamic.value(elf::DT_STRSZ).unwrap_or_default();
            parts.read(offset, size, TABLE_LIMIT)?
        }
        None => Vec::new(),
    };
    let names = Names(&names);
    let bytes = match dynamic.offset(elf::DT_VERSYM) {
        Some(offset) => parts.read(offset, u64::from(count) * 2, TABLE_LIMIT)?,
        None => Vec::new(),
    };
    let indices = pods::<elf::Versym<Endianness>>(&bytes, bytes.len() / 2)?;
    let own = own_versions(parts, dynamic, names)?;
    let needed = needed_versions(parts, dynamic, names, &mut found.needed_versions)?;

    for (number, symbol) in symbols.iter().enumerate() {
        let index = indices.get(number).map(|it| it.0.get(endian).0);
        let index = index.map(|it| it & VERSION_INDEX);
        if !is_public(symbol) {
            continue;
        }
        if symbol.is_undefined(endian) {
            if !symbol.is_weak() && wanted.contains(&(number as u32)) {
                found.wanted.push(Wanted {
                    name: names.at(symbol.st_name(endian))?.into(),
                    version: index.and_then(|index| needed.get(&index).copied()),
                });
            }
        } else if defined.contains(&(number as u32)) && index != Some(0) {
            let name = names.at(symbol.st_name(endian))?;
            found.defined.push(unversioned(name));
            found.defined.push(match index.and_then(|it| own.get(&it)) {
                Some(version) => of_version(name, version),
                None => of_any_version(name),
            });
        }
    }
    found.versions = own.into_values().collect();
    Ok(found)
}

/// Whether the symbol is visible to other files. Source: glibc, elf/dl-lookup.c, `check_match`.
fn is_public<S: Sym>(symbol: &S) -> bool {
    let kinds = [
        elf::STT_NOTYPE,
        elf::STT_OBJECT,
        elf::STT_FUNC,
        elf::STT_COMMON,
        elf::STT_TLS,
        elf::STT_GNU_IFUNC,
    ];
    let hidden = [elf::STV_HIDDEN, elf::STV_INTERNAL];
    !symbol.is_local()
        && kinds.contains(&symbol.st_type())
        && !hidden.contains(&symbol.st_visibility())
}

/// The range of symbols in the hash table, which other files can find.
fn hashed<H: FileHeader<Endian = Endianness>>(
    parts: &mut Parts,
    header: &H,
    dynamic: &Dynamic<H>,
) -> Result<Range<u32>, Fault> {
    type Word = object::U32<Endianness>;
    let endian = dynamic.endian;
    let after = |offset: u64, words: u64| offset.saturating_add(words.saturating_mul(4));
    if let Some(table) = dynamic.offset(elf::DT_GNU_HASH) {
        let header: elf::GnuHashHeader<Endianness> = parts.record(table)?;
        let first = header.symbol_base.get(endian);
        let filters = u64::from(header.bloom_count.get(endian)) * size_of::<H::Word>() as u64;
        let count = header.bucket_count.get(endian);
        let buckets_at = after(table, 4).saturating_add(filters);
        let chains_at = after(buckets_at, count.into());
        let bytes = parts.read(buckets_at, u64::from(count) * 4, TABLE_LIMIT)?;
        let buckets = pods::<Word>(&bytes, count as usize)?;
        let mut last = buckets.iter().map(|it| it.get(endian)).max().unwrap_or(0);
        if last < first {
            return Ok(first..first);
        }
        // The highest chain ends at the first odd value.
        while last < SYMBOL_LIMIT {
            let value: Word = parts.record(after(chains_at, (last - first).into()))?;
            if value.get(endian) & 1 != 0 {
                break;
            }
            last += 1;
        }
        return Ok(first..last.saturating_add(1));
    }
    let Some(table) = dynamic.offset(elf::DT_HASH) else {
        return Ok(0..0);
    };
    // These architectures have 64-bit words in the table. Source: glibc, sysdeps/s390/linkmap.h and
    // sysdeps/alpha.
    let wide =
        header.is_class_64() && [elf::EM_S390, elf::EM_ALPHA].contains(&header.e_machine(endian));
    let count_at = match wide {
        true if header.is_big_endian() => after(table, 3),
        true => after(table, 2),
        false => after(table, 1),
    };
    let count: Word = parts.record(count_at)?;
    Ok(0..count.get(endian))
}

/// The symbols that the loader looks up, at load time or on the first call. Symbols that are only
/// in the global offset table of MIPS are left out.
fn relocated<H: FileHeader<Endian = Endianness>>(
    parts: &mut Parts,
    header: &H,
    dynamic: &Dynamic<H>,
) -> Result<BTreeSet<u32>, Fault> {
    let endian = dynamic.endian;
    let calls_have_addends = dynamic.value(elf::DT_PLTREL) == Some(elf::DT_RELA.0 as u64);
    let mut symbols = BTreeSet::new();
    for (table, size, has_addends) in [
        (elf::DT_RELA, elf::DT_RELASZ, true),
        (elf::DT_REL, elf::DT_RELSZ, false),
        (elf::DT_JMPREL, elf::DT_PLTRELSZ, calls_have_addends),
    ] {
        let (Some(offset), Some(size)) = (dynamic.offset(table), dynamic.value(size)) else {
            continue;
        };
        let bytes = parts.read(offset, size, TABLE_LIMIT)?;
        if has_addends {
            let is_mips64el = header.is_mips64el(endian);
            let rows = pods::<H::Rela>(&bytes, bytes.len() / size_of::<H::Rela>())?;
            symbols.extend(rows.iter().map(|it| it.r_sym(endian, is_mips64el)));
        } else {
            let rows = pods::<H::Rel>(&bytes, bytes.len() / size_of::<H::Rel>())?;
            symbols.extend(rows.iter().map(|it| it.r_sym(endian)));
        }
    }
    symbols.remove(&0);
    Ok(symbols)
}

/// The versions that the file defines, by index. The first one, which stands for the file itself,
/// is left out.
fn own_versions<H: FileHeader<Endian = Endianness>>(
    parts: &mut Parts,
    dynamic: &Dynamic<H>,
    names: Names,
) -> Result<BTreeMap<u16, Vec<u8>>, Fault> {
    let endian = dynamic.endian;
    let mut versions = BTreeMap::new();
    let mut next = dynamic.offset(elf::DT_VERDEF);
    for _ in 0..VERSION_LIMIT {
        let Some(at) = next else { break };
        let version: elf::Verdef<Endianness> = parts.record(at)?;
        if !version.vd_flags.get(endian).contains(elf::VER_FLG_BASE) {
            let name: elf::Verdaux<Endianness> =
                parts.record(following(at, version.vd_aux.get(endian))?)?;
            let name = names.at(name.vda_name.get(endian))?;
            let index = version.vd_ndx.get(endian).0 & VERSION_INDEX;
            versions.insert(index, name.to_vec());
        }
        next = following_record(at, version.vd_next.get(endian))?;
    }
    Ok(versions)
}

/// Reads the versions that the file needs into `needed`. Returns each one's position there by its
/// version index.
fn needed_versions<H: FileHeader<Endian = Endianness>>(
    parts: &mut Parts,
    dynamic: &Dynamic<H>,
    names: Names,
    needed: &mut Vec<NeededVersion>,
) -> Result<BTreeMap<u16, u16>, Fault> {
    let endian = dynamic.endian;
    let mut places = BTreeMap::new();
    let mut count = 0;
    let mut next = dynamic.offset(elf::DT_VERNEED);
    while let Some(at) = next {
        let library: elf::Verneed<Endianness> = parts.record(at)?;
        let file = names.at(library.vn_file.get(endian))?;
        let mut next_version = Some(following(at, library.vn_aux.get(endian))?);
        while let Some(at) = next_version {
            count += 1;
            if count > VERSION_LIMIT {
                return Err(Fault::Form("it needs more versions than any program"));
            }
            let version: elf::Vernaux<Endianness> = parts.record(at)?;
            let index = version.vna_other(endian).0 & VERSION_INDEX;
            let optional = version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK);
            if index >= FIRST_VERSION && !optional {
                places.insert(index, needed.len() as u16);
                needed.push(NeededVersion {
                    file: file.to_vec(),
                    version: names.at(version.vna_name.get(endian))?.to_vec(),
                });
            }
            next_version = following_record(at, version.vna_next.get(endian))?;
        }
        next = following_record(at, library.vn_next.get(endian))?;
    }
    Ok(places)
}

fn following(at: u64, distance: u32) -> Result<u64, Fault> {
    let place = at.checked_add(distance.into());
    place.ok_or(Fault::Form("its versions are not in the file"))
}

/// Offset of the next record in a list. The last record has distance 0.
fn following_record(at: u64, distance: u32) -> Result<Option<u64>, Fault> {
    match distance {
        0 => Ok(None),
        _ => following(at, distance).map(Some),
    }
}

/// The string table.
#[derive(Clone, Copy)]
struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    fn at(self, offset: u32) -> Result<&'a [u8], Fault> {
        let text = self.0.get(offset as usize..);
        let text = text.and_then(|it| it.split(|&byte| byte == 0).next());
        text.ok_or(Fault::Form("its names are not in the file"))
    }
}
