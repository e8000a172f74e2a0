//! Reads layers from untrusted images, to unpack or verify them.
//!
//! A layer is read once, front to back, in bounded memory whatever the tar contains. At the end its
//! digests must match those in the image.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};

use tar::EntryType;

use crate::accounts::Owner;
use crate::compression::decoder;
use crate::digest::DigestReader;
use crate::sparse::Sparse;
use crate::{Descriptor, Digest, Error, Layout, Result};

/// Limit for what precedes an entry, in bytes: its header, a long name and PAX records. Tar readers
/// hold these in memory. Linux allows paths of 4096 bytes and attributes of 64 KiB.
const HEADER_LIMIT: u64 = 1 << 20;

/// An entry of a layer, exactly as in its tar. Nothing in it is validated.
pub struct LayerEntry<'a> {
    /// Without the trailing NUL. It may be absolute, contain `..` or not be UTF-8.
    pub name: Vec<u8>,
    pub kind: EntryKind,
    /// Permissions with set-user-ID (04000), set-group-ID (02000) and the sticky bit (01000).
    pub mode: u32,
    /// Numbers that no user can have are read as root's.
    pub owner: Owner,
    /// Whether the file has capabilities, which raise the privileges of whoever runs it: the
    /// extended attribute `security.capability` of capabilities(7).
    pub capabilities: bool,
    /// Target of a symbolic or hard link; empty for other kinds.
    pub target: Vec<u8>,
    /// Content of a file. The unread rest is skipped.
    pub body: &'a mut dyn Read,
}

/// The kind of an entry. Source: OCI image-spec, layer.md, "File Types".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    HardLink,
    CharacterDevice,
    BlockDevice,
    Fifo,
    /// A kind that the specification does not define.
    Other,
}

impl From<EntryType> for EntryKind {
    fn from(kind: EntryType) -> EntryKind {
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => EntryKind::File,
            EntryType::Directory => EntryKind::Directory,
            EntryType::Symlink => EntryKind::Symlink,
            EntryType::Link => EntryKind::HardLink,
            EntryType::Char => EntryKind::CharacterDevice,
            EntryType::Block => EntryKind::BlockDevice,
            EntryType::Fifo => EntryKind::Fifo,
            _ => EntryKind::Other,
        }
    }
}

impl Layout {
    /// Calls `each` with each entry of a layer in tar order, then checks the size and digest of the
    /// blob and the digest of the tar. The entries are untrusted until this function has returned
    /// without an error.
    ///
    /// It fails as soon as the uncompressed tar exceeds `limit` bytes.
    pub fn read_layer(
        &self,
        blob: &Descriptor,
        diff_id: Digest,
        limit: u64,
        mut each: impl FnMut(LayerEntry) -> Result<()>,
    ) -> Result<()> {
        let path = self.blob_path(blob);
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let found = file.metadata().map_err(Error::io("read", &path))?.len();
        blob.check_size(found)?;
        let mut compressed = DigestReader::against(&blob.digest, file);

        let read = read_tar(&mut compressed, blob, diff_id, limit, &mut each);
        // An altered blob is reported as such, whatever error the alteration caused in the decoder.
        // The blob may also continue after the last compressed frame.
        if !matches!(read, Err(Fault::Large | Fault::Each(_))) {
            io::copy(&mut compressed, &mut io::sink()).map_err(Error::io("read", &path))?;
            let (_, digest, size) = compressed.finish();
            blob.check(digest, size)?;
        }
        match read {
            Ok(found) if found == diff_id => Ok(()),
            Ok(found) => Err(Error::DiffId {
                layer: blob.digest,
                expected: diff_id,
                found,
            }),
            Err(Fault::Tar(source)) => Err(Error::Tar {
                layer: blob.digest,
                source,
            }),
            Err(Fault::Large) => Err(Error::LayerTooLarge {
                layer: blob.digest,
                limit,
            }),
            Err(Fault::Each(error)) => Err(error),
        }
    }
}

enum Fault {
    /// The compressed stream or the tar in it cannot be read.
    Tar(io::Error),
    Large,
    /// The callback returned an error.
    Each(Error),
}

/// Reads the entries and returns the digest of the tar.
fn read_tar(
    compressed: impl Read,
    blob: &Descriptor,
    diff_id: Digest,
    limit: u64,
    each: &mut impl FnMut(LayerEntry) -> Result<()>,
) -> std::result::Result<Digest, Fault> {
    let plain = decoder(&blob.media_type.meaning(), compressed)
        .ok_or_else(|| {
            Fault::Each(Error::WrongMediaType {
                what: format!("blob {}", blob.digest),
                found: blob.media_type.clone(),
                wanted: "layer",
            })
        })?
        .map_err(Fault::Tar)?;
    let allowance = ReadBudget {
        // The limit is exceeded when the budget reaches zero, hence one more byte.
        total: Cell::new(limit.saturating_add(1)),
        header: Cell::new(HEADER_LIMIT),
        failed: Cell::new(None),
    };
    let fault = |error| match allowance.total.get() {
        0 => Fault::Large,
        _ => Fault::Tar(error),
    };
    let mut archive = tar::Archive::new(DigestReader::against(
        &diff_id,
        Bounded {
            inner: plain,
            allowance: &allowance,
        },
    ));
    // The size of a sparse file is not bounded by the size of the tar.
    let mut files = 0_u64;
    for entry in archive.entries().map_err(fault)? {
        let mut entry = entry.map_err(fault)?;
        // The body and its padding.
        let header = entry.header();
        let kind = header.entry_type();
        let body = match kind {
            EntryType::GNUSparse => header.entry_size().map_err(fault)?,
            _ => entry.size(),
        };
        allowance
            .header
            .set(body.saturating_add(512 + HEADER_LIMIT));
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let capabilities = has_capabilities(&mut entry).map_err(fault)?;
        let sparse = Sparse::of(&mut entry).map_err(fault)?;
        let stored = entry.size();
        files = files.saturating_add(sparse.as_ref().map_or(stored, |it| it.size));
        if files > limit {
            return Err(Fault::Large);
        }
        let real_name = sparse.as_ref().and_then(|it| it.name.clone());
        let name = real_name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let mode = entry.header().mode().map_err(fault)? & 0o7777;
        let number = |field: io::Result<u64>| {
            let number = field.ok().and_then(|number| number.try_into().ok());
            number.unwrap_or_default()
        };
        let owner = Owner {
            uid: number(entry.header().uid()),
            gid: number(entry.header().gid()),
        };
        let target = match kind {
            EntryType::Symlink | EntryType::Link => {
                entry.link_name_bytes().unwrap_or_default().into_owned()
            }
            _ => Vec::new(),
        };
        let mut with_holes;
        let body: &mut dyn Read = match sparse {
            Some(sparse) => {
                with_holes = sparse.content(&mut entry, stored).map_err(fault)?;
                &mut with_holes
            }
            None => &mut entry,
        };
        each(LayerEntry {
            name,
            kind: kind.into(),
            mode,
            owner,
            capabilities,
            target,
            body,
        })
        .map_err(|error| match allowance.failed.take() {
            // The callback may have hit the limit or a read error in the body.
            Some(error) => fault(error),
            None => Fault::Each(error),
        })?;
    }
    // The digest covers the bytes after the end marker, too.
    allowance.header.set(u64::MAX);
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(fault)?;
    let (_, digest, _) = rest.finish();
    Ok(digest)
}

/// Whether the entry has file capabilities. Source: the PAX records of GNU tar and libarchive for
/// extended attributes, `SCHILY.xattr.NAME`.
fn has_capabilities<R: Read>(entry: &mut tar::Entry<R>) -> io::Result<bool> {
    let Some(records) = entry.pax_extensions()? else {
        return Ok(false);
    };
    let mut keys = records.filter_map(|record| Some(record.ok()?.key_bytes().to_vec()));
    Ok(keys.any(|key| key == b"SCHILY.xattr.security.capability"))
}

/// How many more bytes may be read, in total and until the next entry.
struct ReadBudget {
    total: Cell<u64>,
    header: Cell<u64>,
    /// The error of the last failed read.
    failed: Cell<Option<io::Error>>,
}

struct Bounded<'a, R> {
    inner: R,
    allowance: &'a ReadBudget,
}

impl<R: Read> Bounded<'_, R> {
    fn read_allowed(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ReadBudget { total, header, .. } = self.allowance;
        let allowed = total.get().min(header.get());
        if allowed == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!(
                "an entry has a header of more than {HEADER_LIMIT} bytes"
            )));
        }
        let most = usize::try_from(allowed).map_or(buffer.len(), |most| most.min(buffer.len()));
        let read = self.inner.read(&mut buffer[..most])?;
        total.set(total.get() - read as u64);
        header.set(header.get() - read as u64);
        Ok(read)
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_allowed(buffer);
        let copy = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        self.allowance.failed.set(read.as_ref().err().map(copy));
        read
    }
}
