//! ELF files in layers.

use slipway_verify::fuzzing;

/// Most bytes of text that a file may make the verifier keep.
const TEXT_LIMIT: usize = 64 << 20;

pub fn run(file: &[u8]) {
    let kept = fuzzing::elf(file).expect("a file in memory can be read");
    assert!(kept <= TEXT_LIMIT, "it keeps {kept} bytes");
}
