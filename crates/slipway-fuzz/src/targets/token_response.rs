//! Responses of registries and token endpoints: `WWW-Authenticate`, tokens and errors.

use slipway_registry::fuzzing;

pub fn run(bytes: &[u8]) {
    let said = fuzzing::token_response(bytes);
    assert!(!said.contains(char::is_control), "{said:?}");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let values: Vec<&str> = text.lines().collect();
        fuzzing::challenge(&values);
    }
}
