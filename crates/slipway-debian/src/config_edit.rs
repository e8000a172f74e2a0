//! Adds packages and base images to `slipway.toml` by editing its text, so that comments and formatting are
//! preserved.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::config::one_line;

/// A list of words and their places in the text.
type Words = Spanned<Vec<Spanned<String>>>;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    set: BTreeMap<String, Set>,
    bases: Option<Words>,
}

#[derive(Deserialize)]
struct Set {
    packages: Words,
}

/// Returns the text with `packages` added to the set `set`. Packages that are already listed stay
/// where they are, and a sorted list stays sorted. The error message is one line.
pub fn add_packages(text: &str, set: &str, packages: &[String]) -> Result<String, String> {
    add_all(text, packages, |config| match config.set.get(set) {
        Some(set) => Ok(&set.packages),
        None => {
            let names: Vec<&str> = config.set.keys().map(String::as_str).collect();
            Err(format!("it has no set {set}, but {}", names.join(", ")))
        }
    })
}

/// Returns the text with `references` added to `bases`, as [`add_packages`] does.
pub fn add_bases(text: &str, references: &[String]) -> Result<String, String> {
    let text = match parse(text)?.bases {
        Some(_) => text.to_owned(),
        // Keys come before tables.
        None => format!("bases = []\n{text}"),
    };
    add_all(&text, references, |config| {
        config
            .bases
            .as_ref()
            .ok_or_else(|| "it has no bases".into())
    })
}

fn parse(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|e| one_line(text, &e))
}

fn add_all(
    text: &str,
    words: &[String],
    list: impl Fn(&Config) -> Result<&Words, String>,
) -> Result<String, String> {
    let mut text = text.to_owned();
    for word in words {
        let config = parse(&text)?;
        text = add(&text, list(&config)?, word);
    }
    Ok(text)
}

fn add(text: &str, words: &Words, word: &str) -> String {
    let list = words.as_ref();
    if list.iter().any(|one| one.as_ref() == word) {
        return text.to_owned();
    }
    let quoted = format!("\"{word}\"");
    let is_sorted = list.is_sorted_by_key(|one| one.as_ref().as_str());
    let next = list
        .iter()
        .find(|one| is_sorted && one.as_ref().as_str() > word);
    let (at, inserted) = match (next, list.last()) {
        (Some(next), _) => {
            let between = gap(text, &words.span(), next.span().start);
            (next.span().start, format!("{quoted},{between}"))
        }
        (None, Some(last)) => {
            let between = gap(text, &words.span(), last.span().start);
            (last.span().end, format!(",{between}{quoted}"))
        }
        (None, None) => (words.span().start + 1, quoted),
    };
    format!("{}{inserted}{}", &text[..at], &text[at..])
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
    fn adds_base_images_before_the_tables() {
        let text = "# why\ndebian = \"trixie\"\n[set.x]\npackages = []\n";
        let once = add_bases(text, &["h/b:1".into()]).unwrap();
        assert_eq!(once, format!("bases = [\"h/b:1\"]\n{text}"));
        let twice = add_bases(&once, &["h/b:1".into(), "h/a".into()]).unwrap();
        assert_eq!(twice, format!("bases = [\"h/a\", \"h/b:1\"]\n{text}"));
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
