//! Escapes text from images for the terminal. Names and labels are untrusted and may contain
//! control sequences.

use std::fmt::{self, Write};

/// Prints text on one line. Control characters and those that change the writing direction are
/// escaped, such as `\n` or `\u{1b}`.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.chars().try_for_each(|c| match is_plain(c) {
            true => f.write_char(c),
            false => write!(f, "{}", c.escape_default()),
        })
    }
}

/// Source of the ranges: Unicode Standard Annex 9, "Directional Formatting Characters"; and the
/// line and paragraph separators.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes a name from a tar. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn printable(bytes: &[u8]) -> String {
    Printable(&String::from_utf8_lossy(bytes)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_characters() {
        let shown = |text: &str| Printable(text).to_string();
        assert_eq!(shown("größe 12 µs → ok"), "größe 12 µs → ok");
        assert_eq!(shown("a\nb\t\u{1b}[2J"), r"a\nb\t\u{1b}[2J");
        assert_eq!(shown("\u{9b}31m\u{202e}x"), r"\u{9b}31m\u{202e}x");
        assert_eq!(printable(b"\xff\x07"), "\u{fffd}\\u{7}");
    }
}
