//! Reads the layers of an image, each once, into the data that the checks need.

use std::collections::BTreeMap;
use std::io::{self, Read};

use slipway_oci::{EntryKind, Error, Image, LayerEntry, Layout};

use crate::elf;
use crate::finding::{Fault, Findings};
use crate::machine::MAGIC;
use crate::printable::printable;
use crate::tree::{Kind, Lost, Node, PATH_LIMIT, Tree, join};

/// Most bytes that a layer may unpack to. The largest images in use, with machine learning
/// libraries, have 30 GB in total.
pub const UNPACKED_LIMIT: u64 = 128 << 30;
/// Most entries in an image. A full desktop system has 300,000.
const ENTRY_LIMIT: usize = 1_000_000;
/// Most bytes of names, symbols and other text kept in memory. A system of 1,000 programs and 1,300
/// libraries needs 40 MB.
const TEXT_LIMIT: usize = 512 << 20;
/// Longest `#!` line in bytes, as in the kernel (BINPRM_BUF_SIZE).
const SCRIPT_LINE: usize = 256;
/// Most bytes read of a configuration file.
const CONFIGURATION_LIMIT: u64 = 64 << 10;

/// Prefixes of configuration files: ld.so.conf and the files it includes, users and groups.
const CONFIGURATION: [&[u8]; 3] = [b"etc/ld.so.conf", b"etc/passwd", b"etc/group"];

/// The content of the layers.
#[derive(Default)]
pub struct Contents {
    pub tree: Tree,
    /// Configuration of ld.so, users and groups, by absolute path: `/etc/ld.so.conf.d/x.conf`.
    pub configuration: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Reads the layers of an image, lowest first.
///
/// An unreadable or altered layer is a finding. The remaining layers are still checked, but then
/// the result is `None`.
pub fn read(layout: &Layout, image: &Image, findings: &mut Findings) -> Option<Contents> {
    let mut contents = Contents::default();
    let mut entries = 0;
    let mut text = 0;
    let mut whole = true;
    for (number, (blob, diff_id)) in image.layers().enumerate() {
        let read = layout.read_layer(blob, diff_id, UNPACKED_LIMIT, |entry| {
            entries += 1;
            text += entry.name.len() + entry.target.len();
            let too_many = |what, limit| Error::TooMany {
                dir: layout.directory().to_path_buf(),
                what,
                limit,
            };
            if entries > ENTRY_LIMIT {
                return Err(too_many("files in an image", ENTRY_LIMIT));
            }
            let kept = contents
                .apply(entry, number, findings)
                .map_err(|source| Error::Tar {
                    layer: blob.digest,
                    source,
                })?;
            text += kept;
            match text > TEXT_LIMIT {
                true => Err(too_many("bytes of names in an image", TEXT_LIMIT)),
                false => Ok(()),
            }
        });
        if let Err(error) = read {
            findings.add(
                format!("layer {}", number + 1),
                Fault::Unreadable(error.to_string()),
            );
            whole = false;
        }
    }
    whole.then_some(contents)
}

impl Contents {
    /// Whether a file in the format of /etc/passwd has a line for `name`. Source: passwd(5),
    /// group(5).
    pub fn has_name(&self, file: &str, name: &str) -> bool {
        let text = self.configuration.get(file.as_bytes());
        let lines = text.map(|text| String::from_utf8_lossy(text));
        lines.is_some_and(|text| {
            text.lines()
                .any(|line| line.split(':').next() == Some(name))
        })
    }

    /// Applies an entry of a layer. Returns how many bytes of text it keeps of the entry's content.
    fn apply(
        &mut self,
        entry: LayerEntry,
        layer: usize,
        findings: &mut Findings,
    ) -> io::Result<usize> {
        let LayerEntry {
            name,
            kind,
            mode,
            capabilities,
            target,
            body,
            ..
        } = entry;
        if capabilities {
            let path = join(b"", name.strip_prefix(b"./").unwrap_or(&name));
            findings.add(printable(&path), Fault::FileCapabilities);
        }
        let mut fault = |fault| {
            findings.add(printable(&name), fault);
            Ok(0)
        };
        if name.starts_with(b"/") {
            return fault(Fault::AbsoluteName);
        }
        if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
            return fault(Fault::NameLeadsUp);
        }
        if name.len().max(target.len()) > PATH_LIMIT {
            return fault(Fault::NameTooLong);
        }

        let mut kept = 0;
        let result = match whiteout(&name) {
            Some((_, b"" | b"." | b"..")) => return fault(Fault::BrokenWhiteout),
            Some((directory, b".wh..opq")) => self.tree.hide_children(directory, layer),
            Some((directory, hidden)) => self.tree.hide(&join(directory, hidden), layer),
            None if kind == EntryKind::HardLink => {
                match self.tree.put_hard_link(&name, layer, &target) {
                    Err(Lost::Missing) => {
                        let target = printable(&target);
                        return fault(Fault::NoLinkTarget { target });
                    }
                    result => result,
                }
            }
            None => {
                let kind = match kind {
                    EntryKind::Directory => Kind::Directory(Default::default()),
                    EntryKind::Symlink => Kind::Symlink(target),
                    EntryKind::File | EntryKind::HardLink => {
                        self.file(&name, mode, body, &mut kept)?
                    }
                    EntryKind::CharacterDevice => Kind::Special("character device"),
                    EntryKind::BlockDevice => Kind::Special("block device"),
                    EntryKind::Fifo => Kind::Special("FIFO"),
                    EntryKind::Other => Kind::Special("file of an unknown kind"),
                };
                self.tree.put(&name, layer, Node { mode, kind })
            }
        };
        match result {
            Ok(()) => {}
            Err(Lost::Circle) => findings.add(printable(&name), Fault::LinkCircle),
            Err(Lost::TooDeep | Lost::Missing) => {
                findings.add(printable(&name), Fault::NameTooLong)
            }
        }
        Ok(kept)
    }

    fn file(
        &mut self,
        name: &[u8],
        mode: u32,
        body: &mut dyn Read,
        kept: &mut usize,
    ) -> io::Result<Kind> {
        let name = name.strip_prefix(b"./").unwrap_or(name);
        if CONFIGURATION.iter().any(|start| name.starts_with(start)) {
            let mut text = Vec::new();
            (&mut *body)
                .take(CONFIGURATION_LIMIT)
                .read_to_end(&mut text)?;
            *kept += text.len();
            self.configuration.insert([b"/", name].concat(), text);
            return Ok(Kind::File);
        }
        let mut head = Vec::new();
        (&mut *body)
            .take(SCRIPT_LINE as u64)
            .read_to_end(&mut head)?;
        if head.starts_with(&MAGIC) {
            return Ok(match elf::read(&head, body)? {
                Ok(elf) => {
                    *kept += elf.text();
                    Kind::Elf(Box::new(elf))
                }
                Err(reason) => Kind::BrokenElf(reason),
            });
        }
        if mode & 0o111 != 0 && head.starts_with(b"#!") {
            let line = head[2..]
                .split(|&byte| byte == b'\n')
                .next()
                .unwrap_or_default();
            *kept += line.len();
            return Ok(Kind::Script(line.to_vec()));
        }
        Ok(Kind::File)
    }
}

/// Parses a whiteout into its directory and the hidden name; `.wh..opq` stands for all names.
fn whiteout(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let (directory, last) = match name.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (&b""[..], name),
    };
    last.strip_prefix(b".wh.").map(|hidden| (directory, hidden))
}
