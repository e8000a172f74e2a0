//! Parser for the control file format (deb822) of `Release` and `Packages`. It does not copy: the
//! `Packages` file of Debian's main archive is about 50 MB, and resolving needs a tenth of it.

/// Iterates over the stanzas of a control file, which are separated by blank lines (Debian Policy
/// 5.1).
pub fn stanzas(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
        .map(|stanza| stanza.trim_matches('\n'))
        .filter(|stanza| !stanza.is_empty())
}

/// Iterates over the fields of a stanza as (name, value). A value includes its continuation lines;
/// surrounding whitespace is trimmed.
pub fn fields(stanza: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = stanza;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = field_end(rest);
            let (field, tail) = rest.split_at(end);
            rest = tail.strip_prefix('\n').unwrap_or(tail);
            if let Some((name, value)) = field.split_once(':') {
                return Some((name, value.trim()));
            }
        }
        None
    })
}

/// Returns the end of the first field: the offset of the first line that does not start with a
/// space or tab.
fn field_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(newline) = bytes[from..]
        .iter()
        .position(|c| *c == b'\n')
        .map(|at| from + at)
    {
        match bytes.get(newline + 1) {
            Some(b' ' | b'\t') => from = newline + 1,
            _ => return newline,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_stanzas_at_blank_lines() {
        let text = "Package: a\nVersion: 1\n\n\nPackage: b\n";
        assert_eq!(
            stanzas(text).collect::<Vec<_>>(),
            ["Package: a\nVersion: 1", "Package: b"]
        );
    }

    #[test]
    fn keeps_continuation_lines_in_values() {
        let text = "Package: a\nDescription: short\n long: more\n .\n end\nSize: 3\nEmpty:\n";
        assert_eq!(
            fields(text).collect::<Vec<_>>(),
            [
                ("Package", "a"),
                ("Description", "short\n long: more\n .\n end"),
                ("Size", "3"),
                ("Empty", "")
            ]
        );
    }
}
