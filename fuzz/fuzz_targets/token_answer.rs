//! What registries and token endpoints answer: `WWW-Authenticate`, tokens and errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_registry::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::token_response(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let values: Vec<&str> = text.lines().collect();
        fuzzing::challenge(&values);
    }
});
