//! Arguments of the form `NAME=VALUE`.

/// Splits `NAME=VALUE` into name and value, as a value parser for clap. The value may be empty and
/// may contain `=`.
pub fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("it is not NAME=VALUE"),
    }
}
