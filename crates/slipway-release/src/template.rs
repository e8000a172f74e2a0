//! Texts with placeholders, such as `{name}_{version}`.

use crate::{Error, Result};

/// Replaces the placeholders of a template by their values. `setting` is the key of `[release]`
/// that has the template, for errors.
pub fn fill(setting: &'static str, template: &str, values: &[(&str, &str)]) -> Result<String> {
    let wrong = |what: String| Error::Template {
        setting,
        template: template.to_owned(),
        what,
    };
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text += &rest[..at];
        let after = &rest[at + 1..];
        let end = match (rest.as_bytes()[at], after.find('}')) {
            (b'{', Some(end)) => end,
            (b'{', None) => return Err(wrong("has a { without a }".to_owned())),
            _ => return Err(wrong("has a } without a {".to_owned())),
        };
        let name = &after[..end];
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = values
                .iter()
                .map(|(known, _)| format!("{{{known}}}"))
                .collect();
            let known = known.join(", ");
            return Err(wrong(format!(
                "has {{{name}}}, which is not a placeholder; the placeholders are {known}"
            )));
        };
        text += value;
        rest = &after[end + 1..];
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> std::result::Result<String, String> {
        let values = [("name", "tool"), ("os", "linux")];
        fill("archive-name", template, &values).map_err(|it| it.to_string())
    }

    #[test]
    fn placeholders_are_replaced() {
        assert_eq!(filled("{name}-{os}.{name}").unwrap(), "tool-linux.tool");
        assert_eq!(filled("plain").unwrap(), "plain");
    }

    #[test]
    fn mistakes_name_the_setting_and_what_can_be_written() {
        for (template, expected) in [
            (
                "{name}_{arc}",
                "has {arc}, which is not a placeholder; the placeholders are {name}, {os}",
            ),
            ("{{ .Os }}", "has {{ .Os }, which is not a placeholder"),
            ("{name", "has a { without a }"),
            ("name}", "has a } without a {"),
        ] {
            let error = filled(template).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(error.starts_with("archive-name in [release]"), "{error}");
        }
    }
}
