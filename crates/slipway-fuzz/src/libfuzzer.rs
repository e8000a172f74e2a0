//! Runs the target that the variable `FUZZ_TARGET` names with libFuzzer, see `tests/fuzz`.

#![no_main]

use std::env;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slipway_fuzz::Target;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let target = Target::find(&name);
    assert!(target.is_some(), "FUZZ_TARGET={name} is not a target");
    target.map_or(|_: &[u8]| {}, |target| target.run)
});

fuzz_target!(|input: &[u8]| RUN(input));
