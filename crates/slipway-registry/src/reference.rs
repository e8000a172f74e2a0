//! What people call an image in a registry is one string with up to five parts, and the way that
//! it falls apart is an old custom; here it is parsed once, and what does not fit is explained.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use slipway_oci::Digest;

use crate::Error;

/// The host that a name without one means, by Docker's custom.
pub(crate) const DEFAULT_HOST: &str = "docker.io";

/// Names of repositories are no longer than this: distribution's reference grammar.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// A repository in a registry, written `HOST[:PORT]/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The registry, with the port if one is given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name within the registry, such as `library/debian`.
    pub fn path(&self) -> &str {
        &self.path
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
        // A port looks like a tag, so the text is compared and not searched.
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
/// Without a host it is on docker.io, and there a name of one word is in `library/`; without tag
/// and digest it is the tag `latest`. Source: the grammar in the package `reference` of the
/// distribution project; OCI distribution-spec, "Pulling manifests".
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

    /// The tag; none if only a digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same with this digest.
    pub fn pinned(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// What a registry finds the manifest by: the digest, or else the tag.
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
            // Nobody wants to read a megabyte of nonsense back.
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
                .map_err(|_| format!("{digest:?} is not sha256: and 64 lower-case hex digits"))?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        // What follows the colon of a port has a slash in it.
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

/// Whether the first part of a name is a host and not the begin of a path: Docker's custom.
fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

/// Docker's registry has two names.
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

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
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
    fn what_is_left_out_is_what_everybody_expects() {
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
    fn a_digest_stands_alone_or_beside_a_tag() {
        let text = format!("h.example/app@{DIGEST}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.tag(), None);
        assert_eq!(reference.identifier(), DIGEST);
        assert_eq!(reference.to_string(), text);
        let text = format!("h.example:80/app:v1@{DIGEST}");
        assert_eq!(shown(&text), text);
    }

    #[test]
    fn each_mistake_is_explained() {
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
    fn a_repository_has_no_tag() {
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
