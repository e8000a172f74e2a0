//! Computes NAR hashes of files and directories without Nix, so that `slipway lock` works on
//! machines without Nix.
//!
//! Source of the NAR format: E. Dolstra, "The Purely Functional Software Deployment Model" (2006),
//! figure 5.2. Strings are a 64-bit little-endian length and the bytes, padded with zeros to a
//! multiple of 8.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::hash::{Hasher, Sha256};

/// Returns the SHA-256 of the NAR of an executable regular file with these contents.
pub fn hash_of_executable(contents: &[u8]) -> Sha256 {
    let mut hasher = start();
    add_strings(
        &mut hasher,
        &["(", "type", "regular", "executable", "", "contents"],
    );
    add_string(&mut hasher, contents);
    add_string(&mut hasher, b")");
    hasher.finish()
}

/// Returns the SHA-256 of the NAR of a file or a directory tree.
pub fn hash_of_tree(path: &Path) -> io::Result<Sha256> {
    let mut hasher = start();
    add_node(&mut hasher, path)?;
    Ok(hasher.finish())
}

fn start() -> Hasher {
    let mut hasher = Hasher::default();
    add_string(&mut hasher, b"nix-archive-1");
    hasher
}

fn add_node(hasher: &mut Hasher, path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        add_strings(hasher, &["(", "type", "symlink", "target"]);
        add_string(hasher, fs::read_link(path)?.as_os_str().as_bytes());
    } else if metadata.is_dir() {
        add_strings(hasher, &["(", "type", "directory"]);
        let names: io::Result<Vec<_>> = fs::read_dir(path)?.map(|it| Ok(it?.file_name())).collect();
        let mut names = names?;
        names.sort();
        for name in names {
            add_strings(hasher, &["entry", "(", "name"]);
            add_string(hasher, name.as_bytes());
            add_string(hasher, b"node");
            add_node(hasher, &path.join(name))?;
            add_string(hasher, b")");
        }
    } else {
        add_strings(hasher, &["(", "type", "regular"]);
        if metadata.permissions().mode() & 0o100 != 0 {
            add_strings(hasher, &["executable", ""]);
        }
        add_string(hasher, b"contents");
        add_file(hasher, path, metadata.len())?;
    }
    add_string(hasher, b")");
    Ok(())
}

/// Adds the contents of a file of `length` bytes. Fails if the file is shorter.
fn add_file(hasher: &mut Hasher, path: &Path, length: u64) -> io::Result<()> {
    hasher.update(&length.to_le_bytes());
    if io::copy(&mut File::open(path)?.take(length), hasher)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    pad(hasher, length);
    Ok(())
}

fn add_strings(hasher: &mut Hasher, texts: &[&str]) {
    for text in texts {
        add_string(hasher, text.as_bytes());
    }
}

fn pad(hasher: &mut Hasher, length: u64) {
    let missing = length.next_multiple_of(8) - length;
    hasher.update(&[0; 8][..missing as usize]);
}

fn add_string(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
    pad(hasher, bytes.len() as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_an_executable_matches_nix_hash() {
        // printf '#!/bin/sh\necho hi\n' > f; chmod 0555 f; nix-hash --type sha256 f
        let expected = "5e0accf02cedede5e4119ffa15e79e79a5fb1fb9bc43c3d434f33227a14477a0";
        assert_eq!(
            hash_of_executable(b"#!/bin/sh\necho hi\n").to_string(),
            expected
        );
    }

    #[test]
    fn hash_of_a_directory_matches_nix_hash() {
        // mkdir -p d/sub; printf abc > d/sub/file; ln -s sub/file d/link; printf x > d/run; chmod +x d/run; nix-hash --type sha256 d
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("sub/file"), "abc").unwrap();
        std::os::unix::fs::symlink("sub/file", path("link")).unwrap();
        fs::write(path("run"), "x").unwrap();
        fs::set_permissions(path("run"), fs::Permissions::from_mode(0o755)).unwrap();
        let expected = "3fc9b845c4ba5424dc8a6419cb06609b9374d39d5bcfcfe2844a9b3b3e0507ac";
        assert_eq!(
            hash_of_tree(directory.path()).unwrap().to_string(),
            expected
        );
    }
}
