//! Whoever wants to know what a layer holds, to unpack it or to judge it, reads the same tar with the
//! same mistrust: once, front to back, in little memory whatever the tar says, and at the end its
//! digests must be those that the image names.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};

use tar::EntryType;

use crate::compression::decoder;
use crate::digest::Hashing;
use crate::{Descriptor, Digest, Error, Layout, Result};

/// What may stand before an entry: its header, a long name and PAX records, which tar readers hold in
/// memory. Linux allows paths of 4096 bytes and attributes of 64 KiB.
const HEADER_LIMIT: u64 = 1 << 20;

/// An entry of a layer, as its tar has it; nothing in it has been judged.
pub struct LayerEntry<'a> {
    /// Without the trailing zero; may be absolute, lead upwards or be no UTF-8.
    pub name: Vec<u8>,
    pub kind: EntryKind,
    /// Permissions with set-user-ID (04000), set-group-ID (02000) and the sticky bit (01000).
    pub mode: u32,
    /// Where a link of either kind points; empty for everything else.
    pub target: Vec<u8>,
    /// The content of a file. What is left unread is passed over.
    pub body: &'a mut dyn Read,
}

/// Source: OCI image-spec, layer.md, "File Types".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    HardLink,
    CharacterDevice,
    BlockDevice,
    Fifo,
    /// What the specification does not name.
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
    /// Gives each entry of a layer to `each`, in the order of the tar, and then checks the size and
    /// the digest of the blob and the digest of the tar. Until it has returned, nothing that `each`
    /// saw is proven to be the image's.
    ///
    /// A tar of more than `limit` bytes is refused where it passes the limit.
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
        let mut compressed = Hashing::new(file);

        let read = read_tar(&mut compressed, blob, limit, &mut each);
        // What is wrong with an altered blob is that it was altered, whatever that looks like from
        // within; and what follows the last compressed frame belongs to the blob too.
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
    /// What is given the entries has had enough.
    Each(Error),
}

/// Gives the digest of the tar.
fn read_tar(
    compressed: impl Read,
    blob: &Descriptor,
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
    let allowance = Allowance {
        // With nothing left, the limit is passed.
        total: Cell::new(limit.saturating_add(1)),
        header: Cell::new(HEADER_LIMIT),
        failed: Cell::new(None),
    };
    let fault = |error| match allowance.total.get() {
        0 => Fault::Large,
        _ => Fault::Tar(error),
    };
    let mut archive = tar::Archive::new(Hashing::new(Bounded {
        inner: plain,
        allowance: &allowance,
    }));
    for entry in archive.entries().map_err(fault)? {
        let mut entry = entry.map_err(fault)?;
        // The body, and what pads it.
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
        each(LayerEntry {
            name: entry.path_bytes().into_owned(),
            kind: kind.into(),
            mode: entry.header().mode().map_err(fault)? & 0o7777,
            target: match kind {
                EntryType::Symlink | EntryType::Link => {
                    entry.link_name_bytes().unwrap_or_default().into_owned()
                }
                _ => Vec::new(),
            },
            body: &mut entry,
        })
        .map_err(|error| match allowance.failed.take() {
            // It may have met this in the body of an entry.
            Some(error) => fault(error),
            None => Fault::Each(error),
        })?;
    }
    // What follows the end mark belongs to the digest too.
    allowance.header.set(u64::MAX);
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(fault)?;
    let (_, digest, _) = rest.finish();
    Ok(digest)
}

/// How many bytes may still be read: of the tar in all, and until the next entry.
struct Allowance {
    total: Cell<u64>,
    header: Cell<u64>,
    /// What the last read failed with, if it did.
    failed: Cell<Option<io::Error>>,
}

struct Bounded<'a, R> {
    inner: R,
    allowance: &'a Allowance,
}

impl<R: Read> Bounded<'_, R> {
    fn read_allowed(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Allowance { total, header, .. } = self.allowance;
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
