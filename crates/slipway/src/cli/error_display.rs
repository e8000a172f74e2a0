//! Formats an error for the user: on one line, so that it stays readable in a CI log, and without a
//! backtrace, even if `RUST_BACKTRACE` is set. Control characters are escaped, because errors quote
//! names from images.

use anyhow::Error;
use slipway_verify::Printable;

/// The error and its causes, separated by colons. Omits a cause that the text before it already
/// contains.
pub fn one_line(error: &Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let words: Vec<String> = cause
            .to_string()
            .split_whitespace()
            .map(String::from)
            .collect();
        let text = words.join(" ");
        if !line.contains(&text) {
            if !line.is_empty() {
                line += ": ";
            }
            line += &text;
        }
    }
    Printable(&without_logins(&line)).to_string()
}

/// The text without the `user:password@` of each URL. URLs of mirrors and proxies may contain
/// credentials, and errors end up in logs.
fn without_logins(text: &str) -> String {
    const BEFORE: &str = "://";
    let mut parts = text.split(BEFORE);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| c.is_whitespace() || "/\"'`,;)".contains(c))
            .unwrap_or(part.len());
        let start = part[..end].rfind('@').map_or(0, |at| at + 1);
        shown += BEFORE;
        shown += &part[start..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn removes_credentials_from_urls() {
        for (text, shown) in [
            (
                "http://me:p@ss@a.example/x@y: refused",
                "http://a.example/x@y: refused",
            ),
            (
                "a http://b@c.example, https://d:e@f",
                "a http://c.example, https://f",
            ),
            ("name@host and x://y", "name@host and x://y"),
        ] {
            assert_eq!(one_line(&anyhow!("{text}")), shown);
        }
    }

    #[test]
    fn escapes_control_characters() {
        let error = anyhow!("entry \u{1b}[2Jx");
        assert_eq!(one_line(&error), r"entry \u{1b}[2Jx");
    }

    #[test]
    fn joins_causes_into_one_line_without_repeats() {
        let error = anyhow!("no such\n  file")
            .context("reading x: no such file")
            .context("lock");
        assert_eq!(one_line(&error), "lock: reading x: no such file");
        let error = anyhow!("disk on fire").context("reading x");
        assert_eq!(one_line(&error), "reading x: disk on fire");
    }
}
