//! Checks whether this machine can run a program for another architecture. The kernel passes such a
//! program to an emulator, which is registered for the first bytes of the file (Linux,
//! Documentation/admin-guide/binfmt-misc.rst).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// The bytes of `e_machine` in an ELF header (ELF specification, figure 1-3).
const ELF_MACHINE: std::ops::Range<usize> = 18..20;

/// `EM_X86_64` and `EM_386`. An x86-64 kernel runs i386 programs without an emulator.
const X86: [[u8; 2]; 2] = [[62, 0], [3, 0]];

/// Whether this machine can run the program in a changed root directory. This is true if the
/// program is for this architecture, or if its emulator is registered with flag `F`: the kernel
/// then keeps the emulator open, so the new root need not contain it. Returns true for a file that
/// is not ELF; the kernel decides when it starts it.
pub fn can_run(program: &Path) -> io::Result<bool> {
    let header = header_of(program)?;
    let own = header_of(Path::new("/proc/self/exe"))?;
    if !header.starts_with(b"\x7fELF") || is_native(&header, &own) {
        return Ok(true);
    }
    let Ok(entries) = fs::read_dir(REGISTERED) else {
        return Ok(false);
    };
    let emulators = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    Ok(emulators
        .into_iter()
        .any(|emulator| matches(&emulator, &header)))
}

/// Whether a machine whose own programs have the ELF header `own` runs a program with `header`
/// without an emulator.
fn is_native(header: &[u8], own: &[u8]) -> bool {
    let machines = [own, header].map(|header| header.get(ELF_MACHINE));
    machines[0] == machines[1] || machines == X86.each_ref().map(|machine| Some(&machine[..]))
}

fn header_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(128).read_to_end(&mut header)?;
    Ok(header)
}

/// Whether a registered format, as the kernel prints it in `binfmt_misc`, matches a file that
/// begins with `header`.
fn matches(emulator: &str, header: &[u8]) -> bool {
    let field = |name: &str| {
        emulator
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let Some(magic) = field("magic ").and_then(from_hex) else {
        return false;
    };
    let mask = field("mask ")
        .and_then(from_hex)
        .unwrap_or_else(|| vec![0xff; magic.len()]);
    let offset: usize = field("offset ")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let Some(start) = header.get(offset..offset + magic.len()) else {
        return false;
    };
    emulator.starts_with("enabled\n")
        && field("flags:").is_some_and(|flags| flags.contains('F'))
        && start
            .iter()
            .zip(&mask)
            .zip(&magic)
            .all(|((byte, mask), magic)| byte & mask == magic & mask)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: POCF\noffset 0\n\
                         magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    fn elf(machine: u8) -> Vec<u8> {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(20, 0);
        header[16] = 3;
        header[18] = machine;
        header
    }

    #[test]
    fn matches_an_emulator_by_the_magic_bytes() {
        assert!(matches(ARM64, &elf(0xb7)));
        assert!(!matches(ARM64, &elf(0xf3)));
        assert!(!matches(ARM64, b"\x7fELF"));
    }

    #[test]
    fn ignores_an_emulator_that_is_disabled_or_lacks_flag_f() {
        assert!(!matches(&ARM64.replace("enabled", "disabled"), &elf(0xb7)));
        assert!(!matches(&ARM64.replace("POCF", "POC"), &elf(0xb7)));
    }

    #[test]
    fn x86_64_runs_i386_programs_but_not_the_reverse() {
        assert!(is_native(&elf(3), &elf(62)));
        assert!(!is_native(&elf(62), &elf(3)));
        assert!(!is_native(&elf(40), &elf(183)));
    }

    #[test]
    fn can_run_a_program_for_this_machine() {
        assert!(can_run(Path::new("/proc/self/exe")).unwrap());
    }
}
