//! The file of checksums.

/// The lines of `checksums.txt` for files with their SHA-256 in hex, sorted by name. `sha256sum
/// --check` reads them.
pub fn checksums<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut rows: Vec<(&str, &str)> = files.into_iter().collect();
    rows.sort_unstable();
    let lines = rows.iter().map(|(name, hex)| format!("{hex}  {name}\n"));
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_sha256sum() {
        let lines = checksums([("b.zip", "e3b0"), ("a.tar.gz", "01ba")]);
        assert_eq!(lines, "01ba  a.tar.gz\ne3b0  b.zip\n");
    }
}
