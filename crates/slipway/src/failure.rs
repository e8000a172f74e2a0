//! How an error is shown: on one line, so that it survives a CI log, and without a backtrace even
//! where `RUST_BACKTRACE` is set, since it is for the user and not for who wrote this.

use anyhow::Error;

/// The error and its causes. A cause that its effect quotes already is not said twice.
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
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_are_folded_into_one_line_once_each() {
        let error = anyhow!("no such\n  file")
            .context("reading x: no such file")
            .context("lock");
        assert_eq!(one_line(&error), "lock: reading x: no such file");
        let error = anyhow!("disk on fire").context("reading x");
        assert_eq!(one_line(&error), "reading x: disk on fire");
    }
}
