//! Tar archives of files that belong to root, for packages.

use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use crate::Files;

/// Writes files, their directories first. `prefix` comes before each path.
pub fn tar<W: Write>(out: W, prefix: &str, files: &Files, time: u32) -> io::Result<W> {
    let mut tar = Builder::new(out);
    let header = |kind, mode, size: usize| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time.into());
        header.set_size(size as u64);
        // Errors only concern names that are too long, and these are short.
        let _ = header
            .set_username("root")
            .and(header.set_groupname("root"));
        header
    };
    let directories = files.directories().into_iter();
    let names = directories.map(|directory| format!("{prefix}{directory}/"));
    let root = (!prefix.is_empty()).then(|| prefix.to_owned());
    for name in root.into_iter().chain(names) {
        let mut header = header(EntryType::Directory, 0o755, 0);
        tar.append_data(&mut header, name, io::empty())?;
    }
    for (path, file) in files.iter() {
        let name = format!("{prefix}{path}");
        match files.link(path) {
            Some(target) => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                tar.append_link(&mut header, name, target)?;
            }
            None => {
                let mut header = header(EntryType::Regular, file.mode(), file.content.len());
                tar.append_data(&mut header, name, &file.content[..])?;
            }
        }
    }
    tar.into_inner()
}
