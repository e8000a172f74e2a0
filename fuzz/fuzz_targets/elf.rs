//! ELF files in layers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_verify::fuzzing;

fuzz_target!(|file: &[u8]| {
    fuzzing::elf(file).expect("a file in memory or on disk can be read");
});
