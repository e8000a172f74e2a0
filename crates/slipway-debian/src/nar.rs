//! The hash that Nix gives to an executable file, made without Nix: so that `slipway lock` runs on
//! a machine that has no Nix yet.

use crate::hash::{Hasher, Sha256};

/// SHA-256 of the Nix archive (NAR) of an executable regular file with these contents.
///
/// The format is that of E. Dolstra, "The Purely Functional Software Deployment Model" (2006),
/// figure 5.2: strings are a 64-bit little-endian length and the bytes, padded with zeros to a
/// multiple of 8.
pub fn hash_of_executable(contents: &[u8]) -> Sha256 {
    let mut hasher = Hasher::default();
    for text in [
        "nix-archive-1",
        "(",
        "type",
        "regular",
        "executable",
        "",
        "contents",
    ] {
        add_string(&mut hasher, text.as_bytes());
    }
    add_string(&mut hasher, contents);
    add_string(&mut hasher, b")");
    hasher.finish()
}

fn add_string(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
    hasher.update(&[0; 8][..bytes.len().next_multiple_of(8) - bytes.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_nix_hash_gives() {
        // printf '#!/bin/sh\necho hi\n' > f; chmod 0555 f; nix-hash --type sha256 f
        let expected = "5e0accf02cedede5e4119ffa15e79e79a5fb1fb9bc43c3d434f33227a14477a0";
        assert_eq!(
            hash_of_executable(b"#!/bin/sh\necho hi\n").to_string(),
            expected
        );
    }
}
