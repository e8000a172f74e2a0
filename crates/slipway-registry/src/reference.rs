//! Parses image references: a string of up to five parts with rules set by Docker. Parse errors
//! explain which part is invalid.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use slipway_oci::Digest;

use crate::Error;

/// The registry of references without a host, as in Docker.
pub(crate) const DEFAULT_HOST: &str = "docker.io";

/// Maximum length of a repository name in bytes, from distribution's reference grammar.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// A repository in a registry, written `HOST[:PORT]/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// Returns the registry host, with the port if given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the name within the registry, such as `library/debian`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the reference to this digest in the repository, without a tag.
    pub fn pinned(&self, digest: Digest) -> Reference {
        Reference {
            repository: self.clone(),
            tag: None,
            digest: Some(digest),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let reference: Reference = text.parse()?;
        // A port looks like a tag, so compare with the parsed tag.
        match reference.digest.is_none() && !text.ends_with(&format!(":{}", reference.shown_tag()))
        {
            true => Ok(reference.repository),
            false => Err(Error::Reference {
                text: text.to_owned(),
                reason: "a repository is wanted here, without a tag and a digest".to_owned(),
            }),
        }
    }
}

/// An image in a registry, written `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`.
///
/// Defaults: the host is docker.io, where names of one component belong to `library/`; the tag is
/// `latest` if there is neither tag nor digest. Source: the grammar in the package `reference` of
/// the distribution project; OCI distribution-spec, "Pulling manifests".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tag, or `None` if only a digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Returns the reference with this digest.
    pub fn pinned(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// Returns the identifier to request the manifest by: the digest, or else the tag.
    pub(crate) fn identifier(&self) -> String {
        match self.digest {
            Some(digest) => digest.to_string(),
            None => self.shown_tag().to_owned(),
        }
    }

    fn shown_tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|reason| Error::Reference {
            // Limit the length of the quoted input.
            text: text.chars().take(300).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.contains("://") {
        return Err("it begins with a scheme; write it without".into());
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest
                .parse()
                .map_err(|error: slipway_oci::Error| error.to_string())?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        // After the colon of a port there is a slash.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => {
            check_host(first)?;
            (canonical(first), rest.to_owned())
        }
        _ => (DEFAULT_HOST, name.to_owned()),
    };
    let path = match host == DEFAULT_HOST && !path.contains('/') && !path.is_empty() {
        true => format!("library/{path}"),
        false => path,
    };
    check_path(&path)?;
    if host.len() + 1 + path.len() > LONGEST_NAME {
        return Err(format!("its name is longer than {LONGEST_NAME} characters"));
    }
    let tag = match (tag, digest) {
        (None, None) => Some("latest".to_owned()),
        (tag, _) => tag.map(str::to_owned),
    };
    Ok(Reference {
        repository: Repository {
            host: host.to_owned(),
            path,
        },
        tag,
        digest,
    })
}

/// Reports whether the first component is a host rather than part of the name, by Docker's rule.
fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

/// Maps the second name of Docker Hub to the first.
fn canonical(host: &str) -> &str {
    match host {
        "index.docker.io" => DEFAULT_HOST,
        other => other,
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest
                .split_once(']')
                .ok_or_else(|| format!("{host:?} has no closing bracket"))?;
            if !matches!(address.parse(), Ok(IpAddr::V6(_))) {
                return Err(format!("{address:?} is not an IPv6 address"));
            }
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(format!("{after:?} is not a port")),
            };
            (None, port)
        }
        None => match host.split_once(':') {
            Some((name, port)) => (Some(name), Some(port)),
            None => (Some(host), None),
        },
    };
    if let Some(name) = name {
        let label = |label: &str| {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !label.is_empty()
                && label.chars().all(word)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !name.split('.').all(label) {
            return Err(format!("{name:?} is not the name of a host"));
        }
        let dotted = name.contains('.') || port.is_some() || name == "localhost";
        if !dotted {
            return Err(format!(
                "{name:?} has upper-case letters, which names of repositories cannot have"
            ));
        }
    }
    match port {
        Some(port) if port.starts_with('+') || port.parse::<u16>().is_err() => {
            Err(format!("{port:?} is not a port"))
        }
        _ => Ok(()),
    }
}

fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("it names no repository".into());
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Err("its name has an empty part".into());
        }
        if part.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!(
                "{part:?} has upper-case letters, which names of repositories cannot have"
            ));
        }
        if !is_component(part) {
            return Err(format!(
                "{part:?} is not made of lower-case letters and digits with single . or _ or __ or - between them"
            ));
        }
    }
    Ok(())
}

/// Reports whether a path component matches `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = part.split(is_word).filter(|between| !between.is_empty());
    part.starts_with(is_word)
        && part.ends_with(is_word)
        && separators
            .into_iter()
            .all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|c| c == b'-'))
}

fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.is_empty() {
        return Err("its tag is empty".into());
    }
    if tag.len() > LONGEST_TAG {
        return Err(format!("its tag is longer than {LONGEST_TAG} characters"));
    }
    match tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || ".-".contains(c)) {
        true => Ok(()),
        false => Err(format!(
            "the tag {tag:?} is not made of letters, digits, _, . and -, the first a letter, digit or _"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn shown(text: &str) -> String {
        text.parse::<Reference>().unwrap().to_string()
    }

    #[test]
    fn applies_docker_defaults() {
        for (text, whole) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:12", "docker.io/library/debian:12"),
            ("me/app", "docker.io/me/app:latest"),
            ("index.docker.io/app", "docker.io/library/app:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:dev", "localhost:5000/app:dev"),
            (
                "h.example/a/b__c/d--e.f:V_1.0-x",
                "h.example/a/b__c/d--e.f:V_1.0-x",
            ),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("Host.Example/app", "Host.Example/app:latest"),
        ] {
            assert_eq!(shown(text), whole);
            assert_eq!(shown(whole), whole);
        }
    }

    #[test]
    fn accepts_a_digest_with_or_without_a_tag() {
        let text = format!("h.example/app@{DIGEST}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.tag(), None);
        assert_eq!(reference.identifier(), DIGEST);
        assert_eq!(reference.to_string(), text);
        let text = format!("h.example:80/app:v1@{DIGEST}");
        assert_eq!(shown(&text), text);
    }

    #[test]
    fn explains_each_mistake() {
        let long_tag = format!("h.example/app:{}", "x".repeat(129));
        let long_name = format!("h.example/{}", "x".repeat(255));
        let digest = format!("h.example/app@{}", &DIGEST[..70]);
        for (text, said) in [
            ("", "empty"),
            ("https://h.example/app", "scheme"),
            ("h.example/app:", "tag is empty"),
            ("h.example/app:-x", "tag \"-x\""),
            ("h.example/app:a b", "tag \"a b\""),
            (&long_tag, "128"),
            (&long_name, "255"),
            (&digest, "64 lower-case hex digits"),
            ("h.example/app@", "64 lower-case hex digits"),
            ("h.example/App", "\"App\" has upper-case"),
            ("App", "\"App\" has upper-case"),
            ("Me/app", "\"Me\" has upper-case"),
            ("h.example/", "no repository"),
            ("h.example//app", "empty part"),
            ("h.example/app/", "empty part"),
            ("h.example/a___b", "\"a___b\" is not"),
            ("h.example/a..b", "\"a..b\" is not"),
            ("h.example/-a", "\"-a\" is not"),
            ("h.example/ä", "\"ä\" is not"),
            ("h.example:x/app", "\"x\" is not a port"),
            ("h.example:99999/app", "\"99999\" is not a port"),
            ("h..example/app", "\"h..example\" is not the name of a host"),
            ("[::1/app", "closing bracket"),
            ("../../etc/passwd", "not the name of a host"),
        ] {
            let message = text.parse::<Reference>().unwrap_err().to_string();
            assert!(message.contains(said), "{message:?} does not say {said:?}");
            assert!(!message.contains('\n') && message.len() < 600);
        }
    }

    #[test]
    fn rejects_repositories_with_a_tag() {
        for (text, whole) in [
            ("h.example:5000/app", Some("h.example:5000/app")),
            ("app", Some("docker.io/library/app")),
            ("h.example/app:v1", None),
            ("h.example/app:latest", None),
        ] {
            let parsed = text.parse::<Repository>().ok();
            assert_eq!(parsed.map(|it| it.to_string()).as_deref(), whole);
        }
    }
}
