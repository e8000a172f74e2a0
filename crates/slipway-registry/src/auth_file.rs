//! Parses the files that `docker login` and `podman login` write. Many programs and people edit
//! these files, so each entry is parsed independently, and an invalid entry does not affect the
//! others.
//!
//! Source: containers-auth.json(5); Docker's CLI reference, "Configuration files".

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::Repository;
use crate::reference::DEFAULT_HOST;
use crate::secret::{Credential, Secret, TOKEN_USER};

/// Host names of Docker Hub. Entries for Docker Hub use any of them.
const DOCKER_HOSTS: [&str; 4] = [
    DEFAULT_HOST,
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// Base64 with or without padding, since writers differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The settings of an auth file that affect logins.
#[derive(Debug)]
pub(crate) struct AuthFile {
    auths: Map<String, Value>,
    helpers: Map<String, Value>,
    store: Option<String>,
}

/// A source of a login named by an auth file.
#[derive(Debug, PartialEq)]
pub(crate) enum Source<'a> {
    /// A credential helper, and the server name to pass to it if it differs from the host.
    Helper(&'a str, Option<&'a str>),
    /// The key of an `auths` entry and its value.
    Entry(&'a str, &'a Value),
}

impl AuthFile {
    /// Parses the file. The error gives the line of a syntax error but never quotes the text, which
    /// may contain secrets.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut settings = match bytes.trim_ascii().is_empty() {
            true => Map::new(),
            false => match serde_json::from_slice(bytes) {
                Ok(Value::Object(settings)) => settings,
                Ok(Value::Null) => Map::new(),
                Ok(_) => return Err("it is not a JSON object".to_owned()),
                Err(error) => return Err(format!("line {} is not JSON", error.line())),
            },
        };
        let names = ["auths", "credHelpers", "credsStore"];
        // The original format, ~/.dockercfg, has the entries at the top level.
        if !names.iter().any(|name| settings.contains_key(*name)) {
            settings = Map::from_iter([("auths".to_owned(), Value::Object(settings))]);
        }
        let mut take = |name| settings.remove(name).unwrap_or_default();
        let table = |value| match value {
            Value::Object(table) => table,
            _ => Map::new(),
        };
        Ok(Self {
            auths: table(take("auths")),
            helpers: table(take("credHelpers")),
            store: helper(&take("credsStore")).map(str::to_owned),
        })
    }

    /// Returns the sources for a login in order of preference: most specific namespace first, and
    /// helpers before entries.
    pub fn sources(&self, repository: &Repository) -> Vec<Source<'_>> {
        let mut sources = Vec::new();
        for name in names(repository) {
            let entries = matching(&self.auths, &name);
            let helpers = matching(&self.helpers, &name).into_iter();
            sources.extend(helpers.filter_map(|(_, it)| Some(Source::Helper(helper(it)?, None))));
            if let Some(store) = self.store.as_deref().filter(|_| !name.contains('/')) {
                sources.push(Source::Helper(store, None));
                // Helpers look up the exact server name that was used at login.
                let others = entries.iter().filter(|(key, _)| **key != name);
                sources.extend(others.map(|(key, _)| Source::Helper(store, Some(key))));
            }
            sources.extend(entries.into_iter().map(|(key, it)| Source::Entry(key, it)));
        }
        sources
    }
}

/// Returns the name of a credential helper, if the value is one.
fn helper(value: &Value) -> Option<&str> {
    value
        .as_str()
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Returns the repository name and its parents: `host/a/b`, `host/a`, `host`.
fn names(repository: &Repository) -> Vec<String> {
    let whole = Name::of(&repository.to_string()).to_string();
    let ends = whole.match_indices('/').map(|(at, _)| at);
    let mut names: Vec<String> = ends.map(|at| whole[..at].to_owned()).collect();
    names.push(whole);
    names.reverse();
    names
}

/// Returns the entries of a table that match a name, exact matches first.
fn matching<'a>(table: &'a Map<String, Value>, name: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found: Vec<_> = table
        .iter()
        .filter_map(|(key, value)| {
            let distance = Name::of(key).distance(name)?;
            let distance = if key == name { 0 } else { distance };
            Some((distance, (key.as_str(), value)))
        })
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// A parsed key of an entry: a registry or a namespace, as written by people and programs.
struct Name {
    host: String,
    path: String,
    has_scheme: bool,
}

impl Name {
    fn of(key: &str) -> Self {
        let key = key.trim();
        let (scheme, rest) = key.split_once("://").unwrap_or(("", key));
        let rest = rest.trim_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.to_ascii_lowercase();
        let port = if scheme == "http" { ":80" } else { ":443" };
        let host = host.strip_suffix(port).unwrap_or(&host);
        let host = match DOCKER_HOSTS.contains(&host) {
            true => DEFAULT_HOST,
            false => host,
        };
        let is_version = matches!(path, "v1" | "v2");
        Self {
            host: host.to_owned(),
            path: if is_version { "" } else { path }.to_owned(),
            has_scheme: !scheme.is_empty(),
        }
    }

    /// Returns `None` if the key does not match `name`; otherwise a lower value is a better match.
    /// Docker compares only the host of a key that has a scheme.
    fn distance(&self, name: &str) -> Option<u8> {
        if self.to_string() == name {
            Some(1)
        } else {
            (self.has_scheme && self.host == name).then_some(2)
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.host)?;
        match self.path.is_empty() {
            true => Ok(()),
            false => write!(f, "/{}", self.path),
        }
    }
}

/// Returns the login in an entry, or `None` if it has none.
pub(crate) fn login(entry: &Value) -> Result<Option<Credential>, &'static str> {
    if !entry.is_object() && !entry.is_null() {
        return Err("is not a JSON object");
    }
    let field = |name: &str| entry[name].as_str().map(str::trim).unwrap_or_default();
    let token = |name: &str| {
        Some(field(name))
            .filter(|it| !it.is_empty())
            .map(Secret::new)
    };
    if let Some(token) = token("registrytoken") {
        return Ok(Some(Credential::Bearer(token)));
    }
    if let Some(token) = token("identitytoken") {
        return Ok(Some(Credential::Identity(token)));
    }
    let password = entry["password"].as_str().unwrap_or_default();
    let plain = Credential::of(field("username"), password);
    match (field("auth"), plain) {
        ("", plain) => Ok(plain),
        (auth, plain) => match decode(auth) {
            Some((username, password)) => Ok(Credential::of(&username, &password).or(plain)),
            None if plain.is_some() => Ok(plain),
            None => Err("is not NAME:PASSWORD in base64"),
        },
    }
}

/// Decodes `NAME:PASSWORD` from base64. Accepts both alphabets and embedded line breaks.
fn decode(auth: &str) -> Option<(String, String)> {
    let standard = |c: char| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let auth: String = auth
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(standard)
        .collect();
    let pair = String::from_utf8(BASE64.decode(auth).ok()?).ok()?;
    let (username, password) = pair.split_once(':')?;
    // Old versions of Docker pad the text with NUL bytes, and `echo` appends a newline.
    let password = password.trim_end_matches(['\0', '\r', '\n']);
    Some((username.to_owned(), password.to_owned()))
}

impl Credential {
    /// Creates a credential, or returns `None` if the username is empty.
    pub(crate) fn of(username: &str, password: &str) -> Option<Self> {
        let password = Secret::new(password);
        match username {
            "" => None,
            TOKEN_USER => Some(Credential::Identity(password)),
            username => Some(Credential::Password {
                username: username.to_owned(),
                password,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]

    use super::*;
    use serde_json::json;

    /// Returns the logins that the file's entries have for a repository, in order.
    fn logins(file: &Value, repository: &str) -> Vec<Option<Credential>> {
        let file = AuthFile::parse(file.to_string().as_bytes()).unwrap();
        let repository = repository.parse().unwrap();
        let login = |source| match source {
            Source::Entry(_, entry) => Some(login(entry).unwrap()),
            Source::Helper(..) => None,
        };
        let sources = file.sources(&repository).into_iter();
        sources.filter_map(login).collect()
    }

    fn ada() -> Option<Credential> {
        Credential::of("ada", "hunter2")
    }

    #[test]
    fn matches_every_spelling_of_a_registry() {
        for (key, repository) in [
            ("h.example", "h.example/app"),
            ("h.example/", "h.example/app"),
            (" h.example ", "h.example/app"),
            ("H.Example", "h.example/app"),
            ("h.example:443", "h.example/app"),
            ("https://h.example", "h.example/app"),
            ("https://h.example/", "h.example/app"),
            ("https://h.example:443/v2/", "h.example/app"),
            ("http://h.example/v1", "h.example/app"),
            ("h.example/v1/", "h.example/app"),
            ("h.example/v2", "h.example/app"),
            ("https://h.example/artifactory/api", "h.example/app"),
            ("h.example:5000", "h.example:5000/app"),
            ("http://h.example:5000/v2/", "h.example:5000/app"),
            ("h.example/team/", "h.example/team/app"),
            ("h.example/team/app", "h.example/team/app"),
            ("https://index.docker.io/v1/", "debian"),
            ("index.docker.io", "debian"),
            ("docker.io", "docker.io/library/debian"),
            ("https://registry-1.docker.io/v2/", "ada/app"),
            ("docker.io/ada", "ada/app"),
        ] {
            let file = json!({"auths": {key: {"auth": "YWRhOmh1bnRlcjI="}}});
            assert_eq!(logins(&file, repository), [ada()], "{key}");
        }
        for (key, repository) in [
            ("h.example", "h.example:5000/app"),
            ("h.example:5000", "h.example/app"),
            ("h.example/team", "h.example/teams"),
            ("h.example/team", "h.example/app"),
            ("example", "h.example/app"),
            ("h.example@evil.example", "h.example/app"),
            ("", "h.example/app"),
        ] {
            let file = json!({"auths": {key: {"auth": "YWRhOmh1bnRlcjI="}}});
            assert_eq!(logins(&file, repository), [], "{key}");
        }
    }

    #[test]
    fn orders_matches_by_namespace_and_spelling() {
        let named = |name: &str| json!({"username": name, "password": "x"});
        let file = json!({"auths": {
            "https://h.example/v1/": named("4"),
            "h.example": named("3"),
            "h.example/team/app": named("1"),
            "https://h.example/team": named("2"),
        }});
        let login = |name| Credential::of(name, "x");
        let found = ["1", "2", "3", "4", "2"].map(login);
        assert_eq!(logins(&file, "h.example/team/app"), found);
    }

    #[test]
    fn decodes_logins_of_all_known_encoders() {
        for auth in [
            "YWRhOmh1bnRlcjI=",
            "YWRhOmh1bnRlcjI",
            "YWRhOmh1\r\nbnRlcjI=\n",
            " YWRhOmh1bnRlcjI= ",
            // With a trailing newline, and with NUL bytes.
            "YWRhOmh1bnRlcjIK",
            "YWRhOmh1bnRlcjIAAA==",
        ] {
            assert_eq!(login(&json!({"auth": auth})), Ok(ada()), "{auth}");
        }
        for auth in ["YTo+Pz8/", "YTo-Pz8_"] {
            let entry = json!({"auth": auth});
            assert_eq!(login(&entry), Ok(Credential::of("a", ">???")), "{auth}");
        }
        for auth in ["hunter2", "aHVudGVyMg==", "////", "!"] {
            assert!(login(&json!({"auth": auth})).is_err(), "{auth}");
        }
    }

    #[test]
    fn prefers_tokens_over_passwords_in_an_entry() {
        let token = |token| Some(Credential::Identity(Secret::new(token)));
        for (entry, found) in [
            (json!(null), None),
            (json!({}), None),
            (json!({"auth": ""}), None),
            (json!({"auth": null, "email": null}), None),
            (json!({"auth": "OnA="}), None),
            (json!({"username": "ada", "password": "hunter2"}), ada()),
            (
                json!({"auth": "?", "username": "ada", "password": "hunter2"}),
                ada(),
            ),
            (json!({"auth": "YTox", "identitytoken": "t"}), token("t")),
            (
                json!({"auth": "YTox", "identitytoken": null}),
                Credential::of("a", "1"),
            ),
            (json!({"username": "<token>", "password": "t"}), token("t")),
            (
                json!({"auth": "YTox", "identitytoken": "t", "registrytoken": "r"}),
                Some(Credential::Bearer(Secret::new("r"))),
            ),
        ] {
            assert_eq!(login(&entry), Ok(found), "{entry}");
        }
        assert!(login(&json!("hunter2")).is_err());
    }

    #[test]
    fn parses_nulls_byte_order_marks_and_the_original_format() {
        let repository = "h.example/app".parse().unwrap();
        for text in [
            "",
            " \n",
            "null",
            "{}",
            r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
            r#"{"auths": [], "credHelpers": "x", "credsStore": 7}"#,
            r#"{"credsStore": "", "credHelpers": {"h.example": "", "x": null}}"#,
        ] {
            let file = AuthFile::parse(text.as_bytes()).unwrap();
            assert_eq!(file.sources(&repository), [], "{text}");
        }
        for text in [
            "\u{feff}{\"auths\": {\"h.example\": {}}, \"HttpHeaders\": {}}",
            r#"{"https://h.example/v1/": {}, "x": null}"#,
        ] {
            let file = AuthFile::parse(text.as_bytes()).unwrap();
            assert_eq!(file.sources(&repository).len(), 1, "{text}");
        }
        for text in ["[]", "{", "hunter2", r#"{"auths": hunter2}"#] {
            let error = AuthFile::parse(text.as_bytes()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn prefers_helpers_and_passes_them_the_stored_names() {
        let file = json!({
            "auths": {"https://h.example": {}, "h.example": {}},
            "credHelpers": {"https://h.example/": "one"},
            "credsStore": "all",
        });
        let file = AuthFile::parse(file.to_string().as_bytes()).unwrap();
        assert_eq!(
            file.sources(&"h.example/app".parse().unwrap()),
            [
                Source::Helper("one", None),
                Source::Helper("all", None),
                Source::Helper("all", Some("https://h.example")),
                Source::Entry("h.example", &json!({})),
                Source::Entry("https://h.example", &json!({})),
            ]
        );
    }
}
