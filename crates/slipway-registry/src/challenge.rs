//! Parses the `WWW-Authenticate` header, with which a registry requests authentication.

/// An authentication scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer {
        /// URL of the token endpoint.
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Selects a challenge from the values of `WWW-Authenticate`, Bearer before Basic. Returns
    /// `None` if there is no supported challenge.
    ///
    /// Source: RFC 9110, section 11.6.1; distribution's token authentication specification.
    pub fn choose<'a>(values: impl Iterator<Item = &'a str>) -> Option<Challenge> {
        let all: Vec<Challenge> = values.flat_map(parse).collect();
        let bearer = all.iter().find(|it| **it != Challenge::Basic);
        bearer.or(all.first()).cloned()
    }
}

fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header;
    let mut scheme: Option<(String, Vec<(String, String)>)> = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let length = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        if name.is_empty() {
            break;
        }
        let trimmed = after.trim_start_matches([' ', '\t']);
        match trimmed.strip_prefix('=') {
            Some(value) => {
                let (value, after) = value_of(value.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = &mut scheme {
                    parameters.push((name.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                challenges.extend(scheme.take().and_then(finished));
                scheme = Some((name.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
    challenges.extend(scheme.and_then(finished));
    challenges
}

/// Splits off a token or a quoted string; returns it and the remaining text.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            _ => value.push(c),
        }
    }
    (value, "")
}

fn finished((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let get = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(values: &[&str]) -> Option<Challenge> {
        Challenge::choose(values.iter().copied())
    }

    #[test]
    fn parses_the_parameters_of_a_bearer_challenge() {
        let header = r#"Bearer realm="https://auth.example/token",service="reg \"1\"",scope="repository:a/b:pull,push""#;
        assert_eq!(
            choose(&[header]),
            Some(Challenge::Bearer {
                realm: "https://auth.example/token".into(),
                service: Some("reg \"1\"".into()),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
    }

    #[test]
    fn prefers_bearer_over_basic_in_one_or_two_headers() {
        let bearer = Some(Challenge::Bearer {
            realm: "https://a.example".into(),
            service: None,
            scope: None,
        });
        assert_eq!(
            choose(&["Basic realm=x, bearer realm=https://a.example"]),
            bearer
        );
        assert_eq!(
            choose(&["Basic realm=\"x\"", "Bearer realm=\"https://a.example\""]),
            bearer
        );
        assert_eq!(choose(&["Negotiate", "Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn ignores_malformed_challenges() {
        for header in [
            "",
            "=",
            "Bearer",
            "Bearer realm",
            ",,,",
            "Digest realm=\"x",
            "Bearer \"\\",
        ] {
            assert_eq!(choose(&[header]), None, "{header}");
        }
    }
}
