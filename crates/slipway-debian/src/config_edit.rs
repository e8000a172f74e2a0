//! Adds packages to `slipway.toml` by editing its text, so that comments and formatting are
//! preserved.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::config::one_line;

#[derive(Deserialize)]
struct Config {
    set: BTreeMap<String, Set>,
}

#[derive(Deserialize)]
struct Set {
    packages: Spanned<Vec<Spanned<String>>>,
}

/// Returns the text with `packages` added to the set `set`. Packages that are already listed stay
/// where they are, and a sorted list stays sorted. The error message is one line.
pub fn add_packages(text: &str, set: &str, packages: &[String]) -> Result<String, String> {
    let mut text = text.to_owned();
    for package in packages {
        text = add(&text, set, package)?;
    }
    Ok(text)
}

fn add(text: &str, set: &str, package: &str) -> Result<String, String> {
    let config: Config = toml::from_str(text).map_err(|e| one_line(text, &e))?;
    let Some(Set { packages }) = config.set.get(set) else {
        let names: Vec<&str> = config.set.keys().map(String::as_str).collect();
        return Err(format!("it has no set {set}, but {}", names.join(", ")));
    };
    let list = packages.as_ref();
    if list.iter().any(|one| one.as_ref() == package) {
        return Ok(text.to_owned());
    }
    let quoted = format!("\"{package}\"");
    let is_sorted = list.is_sorted_by_key(|one| one.as_ref().as_str());
    let next = list
        .iter()
        .find(|one| is_sorted && one.as_ref().as_str() > package);
    let (at, inserted) = match (next, list.last()) {
        (Some(next), _) => {
            let between = gap(text, &packages.span(), next.span().start);
            (next.span().start, format!("{quoted},{between}"))
        }
        (None, Some(last)) => {
            let between = gap(text, &packages.span(), last.span().start);
            (last.span().end, format!(",{between}{quoted}"))
        }
        (None, None) => (packages.span().start + 1, quoted),
    };
    Ok(format!("{}{inserted}{}", &text[..at], &text[at..]))
}

/// Returns the whitespace before a list item, to put before another item: the line break and the
/// indentation if the item starts a line, otherwise a space.
fn gap<'a>(text: &'a str, list: &Range<usize>, item: usize) -> &'a str {
    let before = &text[list.start + 1..item];
    match before.rfind('\n') {
        Some(end) if before[end..].trim().is_empty() => &before[end..],
        _ => " ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, package: &str) -> String {
        add_packages(text, "x", &[package.into()]).unwrap()
    }

    #[test]
    fn keeps_a_sorted_list_sorted() {
        let text = "[set.x] # why\npackages = [\"b\", \"d\"] # these\n";
        for (package, list) in [
            ("a", "[\"a\", \"b\", \"d\"]"),
            ("c", "[\"b\", \"c\", \"d\"]"),
            ("e", "[\"b\", \"d\", \"e\"]"),
            ("b", "[\"b\", \"d\"]"),
        ] {
            let expected = format!("[set.x] # why\npackages = {list} # these\n");
            assert_eq!(added(text, package), expected);
        }
    }

    #[test]
    fn adds_a_line_to_a_multi_line_list_and_keeps_comments() {
        let text = "[set.x]\npackages = [\n    # first\n    \"b\", # of all\n    \"d\",\n]\n";
        assert_eq!(
            added(text, "c"),
            "[set.x]\npackages = [\n    # first\n    \"b\", # of all\n    \"c\",\n    \"d\",\n]\n"
        );
        assert_eq!(
            added(text, "e"),
            "[set.x]\npackages = [\n    # first\n    \"b\", # of all\n    \"d\",\n    \"e\",\n]\n"
        );
    }

    #[test]
    fn appends_to_unsorted_and_empty_lists() {
        let text = "[set.x]\npackages = [\"d\", \"b\"]\n";
        assert_eq!(
            added(text, "c"),
            "[set.x]\npackages = [\"d\", \"b\", \"c\"]\n"
        );
        assert_eq!(
            added("[set.x]\npackages = []\n", "c"),
            "[set.x]\npackages = [\"c\"]\n"
        );
    }

    #[test]
    fn reports_an_unknown_set_with_the_available_sets() {
        let text = "[set.x]\npackages = []\n[set.y]\npackages = []\n";
        assert_eq!(
            add_packages(text, "z", &["a".into()]).unwrap_err(),
            "it has no set z, but x, y"
        );
    }
}
