//! Arguments of the form `NAME=VALUE`.

/// The name and the value, for clap. A value may be empty, and may hold `=`.
pub fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("it is not NAME=VALUE"),
    }
}
