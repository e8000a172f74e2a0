//! The architecture of an ELF file, from three fields of its header. All Linux architectures with
//! container images are known, not only those that Slipway builds, because images may come from
//! anywhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use slipway_oci::Platform;

/// Magic number of ELF files.
pub const MAGIC: [u8; 4] = object::elf::ELFMAG;

/// The architecture of an ELF file. Source: System V ABI, "ELF Header": `EI_CLASS`, `EI_DATA`,
/// `e_machine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// 32 or 64.
    pub bits: u8,
    pub big_endian: bool,
    /// `EM_…`: 62 for x86-64.
    pub number: u16,
}

/// Machines: `EM_…`, bits, big-endian or not, OCI platform, and the largest page size of their
/// kernels in bytes.
///
/// Source: elf.h of the C library; OCI image-spec, image-index.md, "platform"; Linux,
/// arch/*/Kconfig.
const PLATFORMS: [(u16, u8, bool, &str, u64); 12] = [
    (62, 64, false, "linux/amd64", 4096),
    (183, 64, false, "linux/arm64", 65536),
    (3, 32, false, "linux/386", 4096),
    (40, 32, false, "linux/arm", 4096),
    (243, 64, false, "linux/riscv64", 4096),
    (258, 64, false, "linux/loong64", 65536),
    (21, 64, false, "linux/ppc64le", 65536),
    (21, 64, true, "linux/ppc64", 65536),
    (22, 64, true, "linux/s390x", 4096),
    (8, 64, false, "linux/mips64le", 65536),
    (8, 64, true, "linux/mips64", 65536),
    (8, 32, false, "linux/mipsle", 65536),
];

fn rows() -> impl Iterator<Item = (Machine, Platform)> {
    PLATFORMS
        .iter()
        .filter_map(|(number, bits, big_endian, platform, _)| {
            let machine = Machine {
                bits: *bits,
                big_endian: *big_endian,
                number: *number,
            };
            // A test checks that every platform in the table parses.
            Some((machine, platform.parse().ok()?))
        })
}

impl Machine {
    /// The machine of a platform. The variant is ignored.
    pub fn of(platform: &Platform) -> Option<Machine> {
        let same = |row: &Platform| {
            (row.os(), row.architecture()) == (platform.os(), platform.architecture())
        };
        rows()
            .find(|(_, row)| same(row))
            .map(|(machine, _)| machine)
    }

    /// The platform of programs for this machine.
    pub fn platform(&self) -> Option<Platform> {
        rows()
            .find(|(machine, _)| machine == self)
            .map(|(_, platform)| platform)
    }

    /// The largest page size of kernels for this machine, in bytes.
    pub fn page_size(&self) -> u64 {
        let same = |row: &&(u16, u8, bool, &str, u64)| {
            (row.0, row.1, row.2) == (self.number, self.bits, self.big_endian)
        };
        PLATFORMS.iter().find(same).map_or(4096, |row| row.4)
    }

    /// The machine of the file at `path`; `None` if it is not an ELF file.
    pub fn of_file(path: &Path) -> io::Result<Option<Machine>> {
        let mut header = Vec::new();
        File::open(path)?.take(20).read_to_end(&mut header)?;
        Ok(Machine::of_header(&header))
    }

    fn of_header(header: &[u8]) -> Option<Machine> {
        let header: &[u8; 20] = header.try_into().ok()?;
        if !header.starts_with(&MAGIC) {
            return None;
        }
        let number = [header[18], header[19]];
        let big_endian = header[5] == 2;
        Some(Machine {
            bits: match header[4] {
                1 => 32,
                2 => 64,
                _ => return None,
            },
            big_endian,
            number: match big_endian {
                true => u16::from_be_bytes(number),
                false => u16::from_le_bytes(number),
            },
        })
    }
}

/// Prints the platform, which is better known than the name of the processor.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(platform) = self.platform() {
            return platform.fmt(f);
        }
        let order = if self.big_endian { "big" } else { "little" };
        write!(
            f,
            "ELF machine {} ({} bits, {order}-endian)",
            self.number, self.bits
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_one_machine() {
        assert_eq!(rows().count(), PLATFORMS.len());
        for (machine, platform) in rows() {
            assert_eq!(Machine::of(&platform), Some(machine));
            assert_eq!(machine.platform(), Some(platform));
        }
        let v7 = Machine::of(&"linux/arm/v7".parse().unwrap());
        assert_eq!(v7.unwrap().to_string(), "linux/arm");
    }

    #[test]
    fn unknown_machines_print_their_number() {
        let sparc = Machine {
            bits: 64,
            big_endian: true,
            number: 43,
        };
        assert_eq!(sparc.to_string(), "ELF machine 43 (64 bits, big-endian)");
        assert_eq!(sparc.platform(), None);
        assert_eq!(Machine::of(&"linux/sparc64".parse().unwrap()), None);
    }

    #[test]
    fn reads_machine_word_size_and_byte_order_from_the_header() {
        let of = |class, order, machine: [u8; 2]| {
            let mut header = b"\x7fELF".to_vec();
            header.extend([class, order, 1]);
            header.resize(18, 0);
            header.extend(machine);
            Machine::of_header(&header).map(|machine| machine.to_string())
        };
        assert_eq!(of(2, 1, [183, 0]).unwrap(), "linux/arm64");
        assert_eq!(of(2, 2, [0, 22]).unwrap(), "linux/s390x");
        assert_eq!(of(2, 1, [21, 0]).unwrap(), "linux/ppc64le");
        assert_eq!(of(3, 1, [62, 0]), None);
        assert_eq!(Machine::of_header(b"#!/bin/sh\nexec something"), None);
        assert_eq!(Machine::of_header(b""), None);
        assert!(
            Machine::of_file(Path::new("/proc/self/exe"))
                .unwrap()
                .is_some()
        );
    }
}
