//! Adds packages to `slipway.toml` by putting them into its text, so that whoever wrote it finds the
//! rest, comments and all, as it was.

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

/// The text with packages added to a set; those that it has already stay where they are. A list that
/// is sorted stays so. The error is one line.
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

/// What stands before an item of a list, to stand before another: a line's end and indentation where
/// it begins a line, or a blank.
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
    fn a_package_is_put_where_it_belongs_in_a_sorted_list() {
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
    fn a_list_of_lines_gets_a_line_and_keeps_its_comments() {
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
    fn an_unsorted_list_and_an_empty_one_get_it_at_the_end() {
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
    fn a_set_that_is_not_there_is_said_with_those_that_are() {
        let text = "[set.x]\npackages = []\n[set.y]\npackages = []\n";
        assert_eq!(
            add_packages(text, "z", &["a".into()]).unwrap_err(),
            "it has no set z, but x, y"
        );
    }
}
