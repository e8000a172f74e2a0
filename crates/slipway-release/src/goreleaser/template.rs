//! goreleaser's templates, which are those of Go. Source: goreleaser's documentation, "Name
//! templates".

/// What an archive's name can have, with our placeholders.
const PLACEHOLDERS: [(&str, &str); 5] = [
    (".ProjectName", "{name}"),
    (".Binary", "{name}"),
    (".Version", "{version}"),
    (".Os", "{os}"),
    (".Arch", "{arch}"),
];

/// Conditions whose text is the variant of an architecture, which is part of our `{arch}`.
const VARIANTS: [&str; 9] = [
    "with .Arm",
    "if .Arm",
    "with .Arm64",
    "with .Mips",
    "if .Mips",
    "if not (eq .Amd64 \"v1\")",
    "if and .Arm (eq .Os \"linux\")",
    "if (ne .Amd64 \"v1\")",
    "if ne .Amd64 \"v1\"",
];

/// A part of a template.
enum Token<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// The template of an archive's name in our syntax. `None` if it cannot be said.
pub fn archive_name(template: &str) -> Option<String> {
    let mut name = String::new();
    let mut tokens = tokens(template.trim())?.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) if text.contains(['{', '}', '/', '\n']) => return None,
            Token::Text(text) => name += text,
            Token::Action(action) if VARIANTS.contains(&action) => loop {
                match tokens.next()? {
                    Token::Action("end") => break,
                    Token::Action(action) if is_block(action) => return None,
                    _ => {}
                }
            },
            Token::Action(action) => {
                let (_, placeholder) = PLACEHOLDERS.iter().find(|(field, _)| *field == action)?;
                name += placeholder;
            }
        }
    }
    (!name.is_empty()).then_some(name)
}

/// Whether a text has a template in it.
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// Whether a text is one action, such as `{{ .Version }}`.
pub fn is_action(text: &str, wanted: &str) -> bool {
    let inner = text.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
    inner.is_some_and(|it| it.trim() == wanted)
}

fn is_block(action: &str) -> bool {
    let word = action.split(' ').next().unwrap_or_default();
    ["if", "with", "range", "else", "block", "define"].contains(&word)
}

/// The parts of a template. A hyphen in an action removes the space beside it. `None` if an action
/// has no end.
fn tokens(template: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = template;
    let mut is_trimmed = false;
    loop {
        let (text, action) = match rest.split_once("{{") {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let text = if is_trimmed { text.trim_start() } else { text };
        let Some(action) = action else {
            tokens.push(Token::Text(text));
            return Some(tokens);
        };
        let (action, after) = action.split_once("}}")?;
        let (action, text) = match action.strip_prefix('-') {
            Some(action) => (action, text.trim_end()),
            None => (action, text),
        };
        let trimmed = action.strip_suffix('-');
        is_trimmed = trimmed.is_some();
        tokens.push(Token::Text(text));
        tokens.push(Token::Action(trimmed.unwrap_or(action).trim()));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_names_are_translated() {
        for (template, expected) in [
            (
                "{{ .ProjectName }}-{{.Os}}-{{ .Arch }}",
                "{name}-{os}-{arch}",
            ),
            (
                "{{.Binary}}_v{{ .Version }}_{{ .Os }}_{{ .Arch }}",
                "{name}_v{version}_{os}_{arch}",
            ),
            (
                "{{ .ProjectName }}_ {{- .Os }}_ {{- .Arch -}} ",
                "{name}_{os}_{arch}",
            ),
            (
                "{{ .ProjectName }}_{{ .Version }}_{{ .Os }}_{{ .Arch }}{{ with .Arm }}v{{ . }}{{ end }}{{ with .Mips }}_{{ . \
                 }}{{ end }}{{ if not (eq .Amd64 \"v1\") }}{{ .Amd64 }}{{ end }}",
                "{name}_{version}_{os}_{arch}",
            ),
        ] {
            assert_eq!(archive_name(template).as_deref(), Some(expected));
        }
    }

    #[test]
    fn others_are_not() {
        for template in [
            "{{ title .Os }}_{{ .Arch }}",
            "{{ if eq .Arch \"amd64\" }}x86_64{{ else }}{{ .Arch }}{{ end }}",
            "{{ with .Arm }}{{ if . }}v{{ end }}{{ end }}",
            "{{ with .Arm }}v",
            "{{ .Os",
            "{{ .Env.NAME }}",
            "dir/{{ .Os }}",
            "{os}",
            "",
        ] {
            assert_eq!(archive_name(template), None, "{template}");
        }
    }

    #[test]
    fn an_action_can_stand_alone() {
        assert!(is_action("{{.Version}}", ".Version"));
        assert!(is_action("{{ .Version }}", ".Version"));
        assert!(!is_action("v{{ .Version }}", ".Version"));
    }
}
