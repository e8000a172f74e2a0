//! A registry that wants to know who is asking says how it wants to be told, in a header that
//! has a grammar of its own.

/// How a server wants to be told who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer {
        /// Where tokens are given.
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge that is best answered, of those in the values of `WWW-Authenticate`: Bearer
    /// before Basic. None if there is none that is known.
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

/// A token or a quoted string, and what follows it.
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
    fn a_bearer_challenge_names_its_token_endpoint() {
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
    fn bearer_wins_over_basic_in_one_header_or_in_two() {
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
    fn nonsense_is_no_challenge() {
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
