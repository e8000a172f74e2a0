//! Which platform a program is for, as its first bytes say. The closure of a program may come from
//! anywhere, so this knows every Linux that images are made for, and not only what Slipway builds.
//!
//! Source: ELF specification, "ELF Header"; the numbers of machines are those of elf.h, the names of
//! platforms those of OCI image-spec, image-index.md.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use slipway_oci::Platform;

/// Machine, word size and byte order in bits, as they stand in the header, and the platform.
const PLATFORMS: [(u16, u8, u8, &str); 12] = [
    (62, 2, 1, "linux/amd64"),
    (183, 2, 1, "linux/arm64"),
    (3, 1, 1, "linux/386"),
    (40, 1, 1, "linux/arm"),
    (243, 2, 1, "linux/riscv64"),
    (258, 2, 1, "linux/loong64"),
    (21, 2, 1, "linux/ppc64le"),
    (21, 2, 2, "linux/ppc64"),
    (22, 2, 2, "linux/s390x"),
    (8, 2, 1, "linux/mips64le"),
    (8, 2, 2, "linux/mips64"),
    (8, 1, 1, "linux/mipsle"),
];

/// The platform of an ELF file; `None` for what is none, or of a machine that images are not made
/// for.
pub fn platform(file: &Path) -> io::Result<Option<Platform>> {
    let mut header = Vec::new();
    File::open(file)?.take(20).read_to_end(&mut header)?;
    Ok(of_header(&header))
}

/// The platform that this program runs on.
pub fn this_machine() -> Result<Platform> {
    platform(Path::new("/proc/self/exe"))
        .context("finding out this machine's platform")?
        .context("this machine has no name among platforms; name one with --platform")
}

fn of_header(header: &[u8]) -> Option<Platform> {
    let header: &[u8; 20] = header.try_into().ok()?;
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let (class, order) = (header[4], header[5]);
    let machine = [header[18], header[19]];
    let machine = match order {
        1 => u16::from_le_bytes(machine),
        _ => u16::from_be_bytes(machine),
    };
    let row = PLATFORMS
        .iter()
        .find(|row| (row.0, row.1, row.2) == (machine, class, order));
    row?.3.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut header = b"\x7fELF".to_vec();
        header.extend([class, order, 1]);
        header.resize(18, 0);
        header.extend(machine);
        header
    }

    #[test]
    fn a_platform_is_machine_word_size_and_byte_order() {
        let of = |class, order, machine| {
            of_header(&header(class, order, machine)).map(|platform| platform.to_string())
        };
        assert_eq!(of(2, 1, [183, 0]).unwrap(), "linux/arm64");
        assert_eq!(of(2, 2, [0, 22]).unwrap(), "linux/s390x");
        assert_eq!(of(2, 1, [21, 0]).unwrap(), "linux/ppc64le");
        assert_eq!(of(1, 1, [62, 0]), None);
        assert_eq!(of_header(b"#!/bin/sh\nexec something"), None);
        assert_eq!(of_header(b""), None);
    }

    #[test]
    fn every_platform_is_well_formed() {
        for (.., name) in PLATFORMS {
            assert!(name.parse::<Platform>().is_ok(), "{name}");
        }
        assert!(platform(Path::new("/proc/self/exe")).unwrap().is_some());
    }
}
