//! Writes tars with a fixed byte layout.
//!
//! The bytes of a tar determine a layer's digest, so they are written here field by field: an
//! update of a library must not change the digest of every image. The `tar` crate is used only for
//! reading and for the number formats of the header.

use std::io::Write;
use std::path::PathBuf;

use tar::{EntryType, Header};

use crate::accounts::Owner;
use crate::{Error, Result};

const BLOCK: usize = 512;
const NAME_LENGTH: usize = 100;

/// Writes a tar in the GNU format: owners by number, 0:0 unless another is set, mtime 1, long names
/// in separate entries. Source: GNU tar manual, "Basic Tar Format" and "GNU Extensions to the Archive
/// Format"; OCI image-spec, layer.md, "File Attributes".
pub(crate) struct TarWriter<W> {
    out: W,
    path: PathBuf,
    owner: Owner,
}

impl<W: Write> TarWriter<W> {
    /// `path` is the file behind `out`, for error messages.
    pub fn new(out: W, path: PathBuf) -> TarWriter<W> {
        let owner = Owner::default();
        TarWriter { out, path, owner }
    }

    /// Sets the owner of the entries that follow.
    pub fn set_owner(&mut self, owner: Owner) {
        self.owner = owner;
    }

    pub fn directory(&mut self, name: &[u8], mode: u32) -> Result<()> {
        let name = [name, b"/"].concat();
        self.header(EntryType::Directory, &name, b"", mode, 0)
    }

    pub fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<()> {
        self.header(EntryType::Symlink, name, target, 0o777, 0)
    }

    /// Starts a file. Exactly `size` bytes must follow by [`TarWriter::content`], then
    /// [`TarWriter::end_file`].
    pub fn file(&mut self, name: &[u8], mode: u32, size: u64) -> Result<()> {
        self.header(EntryType::Regular, name, b"", mode, size)
    }

    pub fn content(&mut self, bytes: &[u8]) -> Result<()> {
        self.out
            .write_all(bytes)
            .map_err(Error::io("write", &self.path))
    }

    pub fn end_file(&mut self, size: u64) -> Result<()> {
        let over = (size % BLOCK as u64) as usize;
        match over {
            0 => Ok(()),
            _ => self.content(&[0; BLOCK][over..]),
        }
    }

    /// Writes the end marker and returns the inner writer.
    pub fn finish(mut self) -> Result<W> {
        self.content(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn header(
        &mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        mode: u32,
        size: u64,
    ) -> Result<()> {
        self.long(EntryType::GNULongLink, link)?;
        self.long(EntryType::GNULongName, name)?;
        self.block(kind, name, link, mode, size)
    }

    /// Writes an entry with the name of the next one, if the name is too long for the header field.
    fn long(&mut self, kind: EntryType, text: &[u8]) -> Result<()> {
        if text.len() <= NAME_LENGTH {
            return Ok(());
        }
        let size = text.len() as u64 + 1;
        self.block(kind, b"././@LongLink", b"", 0o644, size)?;
        self.content(text)?;
        self.content(&[0])?;
        self.end_file(size)
    }

    fn block(
        &mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        mode: u32,
        size: u64,
    ) -> Result<()> {
        let mut header = Header::new_gnu();
        let fields = header.as_old_mut();
        for (field, text) in [(&mut fields.name, name), (&mut fields.linkname, link)] {
            let length = text.len().min(NAME_LENGTH);
            field[..length].copy_from_slice(&text[..length]);
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner.uid.into());
        header.set_gid(self.owner.gid.into());
        header.set_mtime(1);
        header.set_size(size);
        header.set_cksum();
        self.content(header.as_bytes())
    }
}
