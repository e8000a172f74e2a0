//! Manifests are what tags point to, so they are looked at with care: what a registry says of one
//! is checked wherever there is something to check it against.

use std::io::Read;

use slipway_oci::{Descriptor, Digest, MediaType};
use ureq::Body;
use ureq::http::Response;

use crate::answer::Answer;
use crate::client::Request;
use crate::documents::{DOCKER_LIST, DOCKER_MANIFEST, Node};
use crate::error::quote;
use crate::patience::Failure;
use crate::session::{Session, header};
use crate::{Error, Result};
use slipway_oci::layout::DOCUMENT_LIMIT;

/// What is understood, and Docker's own formats, so that a registry says what it has.
fn accepted() -> String {
    let [index, manifest] = [MediaType::Index, MediaType::Manifest];
    format!("{index}, {manifest}, {DOCKER_LIST}, {DOCKER_MANIFEST}")
}

/// The digest of what a tag or a digest stands for, if there is such a thing. One request, where
/// the registry knows HEAD. Source: OCI distribution-spec, "Checking if content exists in the
/// registry".
pub(crate) fn digest_of(session: &Session, identifier: &str) -> Result<Option<Digest>> {
    let url = session.url(&format!("manifests/{identifier}"));
    let response =
        session.send(|| Request::new("HEAD", url.clone()).header("Accept", accepted()))?;
    let digest = header(&response, "docker-content-digest").and_then(|it| it.parse().ok());
    match (response.status().as_u16(), digest) {
        (200, Some(digest)) => Ok(Some(digest)),
        (404, _) => Ok(None),
        // HEAD says too little here, or nothing.
        (200 | 400 | 405 | 501, _) => match get(session, identifier, None) {
            Ok((descriptor, _)) => Ok(Some(descriptor.digest)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        },
        _ => Err(session.refusal(&name(session, identifier), response)),
    }
}

/// A manifest or an index, checked against its digest. Source: OCI distribution-spec, "Pulling
/// manifests".
pub(crate) fn get(
    session: &Session,
    identifier: &str,
    expected: Option<&Descriptor>,
) -> Result<(Descriptor, Vec<u8>)> {
    let url = session.url(&format!("manifests/{identifier}"));
    let what = name(session, identifier);
    let mut tries = session.tries();
    loop {
        let request = Request::new("GET", url.clone()).header("Accept", accepted());
        let failure = match session.attempt(request, &[]) {
            Ok(response) if response.status() == 200 => {
                let media_type = header(&response, "content-type").unwrap_or_default();
                let claimed = header(&response, "docker-content-digest");
                match read(session, &what, response) {
                    Ok(bytes) => {
                        return checked(&what, expected, &media_type, claimed, bytes);
                    }
                    Err(failure) => failure,
                }
            }
            Ok(response) => return Err(session.refusal(&what, response)),
            Err(failure) => failure,
        };
        tries.pause(failure)?;
    }
}

fn read(
    session: &Session,
    what: &str,
    response: Response<Body>,
) -> std::result::Result<Vec<u8>, Failure> {
    let size = response.body().content_length();
    let too_large = |size| Error::TooLarge {
        what: what.to_owned(),
        size,
        limit: DOCUMENT_LIMIT,
    };
    if let Some(size) = size.filter(|size| *size > DOCUMENT_LIMIT) {
        return Err(Failure::Final(too_large(size)));
    }
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_reader().take(DOCUMENT_LIMIT + 1);
    match body.read_to_end(&mut bytes) {
        Ok(read) if read as u64 > DOCUMENT_LIMIT => Err(Failure::Final(too_large(read as u64))),
        Ok(_) => Ok(bytes),
        Err(error) => Err(cut(session, &error)),
    }
}

/// The failure of a connection that ended in the middle of an answer.
pub(crate) fn cut(session: &Session, error: &std::io::Error) -> Failure {
    Failure::Passing(
        Error::GaveUp {
            host: session.registry.host.clone(),
            reason: format!("the connection failed: {}", quote(&error.to_string())),
        },
        None,
    )
}

fn checked(
    what: &str,
    expected: Option<&Descriptor>,
    media_type: &str,
    claimed: Option<String>,
    bytes: Vec<u8>,
) -> Result<(Descriptor, Vec<u8>)> {
    let found = Digest::of(&bytes);
    let lies = |expected: Digest| Error::OtherDigest {
        what: what.to_owned(),
        expected,
        found: found.to_string(),
    };
    if let Some(expected) = expected {
        if expected.digest != found {
            return Err(lies(expected.digest));
        }
    }
    // One of another algorithm cannot be compared.
    if let Some(claimed) = claimed.and_then(|it| it.parse().ok()) {
        if claimed != found {
            return Err(lies(claimed));
        }
    }
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let media_type = match expected {
        Some(expected) => expected.media_type.clone(),
        None => MediaType::from(media_type.to_owned()),
    };
    let size = bytes.len() as u64;
    if let Some(expected) = expected.filter(|it| it.size != size) {
        return Err(Error::Protocol {
            what: what.to_owned(),
            reason: format!("it has {size} bytes, what names it says {}", expected.size),
        });
    }
    Ok((Descriptor::new(media_type, found, size), bytes))
}

/// Puts a manifest under its digest or a tag. All that it names must be there. Source: OCI
/// distribution-spec, "Pushing Manifests".
pub(crate) fn put(session: &Session, identifier: &str, node: &Node) -> Result<()> {
    use crate::client::Sending;
    let url = session.url(&format!("manifests/{identifier}"));
    let response = session.send(|| {
        Request::new("PUT", url.clone())
            .header("Content-Type", node.descriptor.media_type.as_str())
            .body(Sending::Bytes(&node.bytes))
    })?;
    let what = name(session, identifier);
    if !response.status().is_success() {
        let answer = Answer::read(response);
        let is_oci = !matches!(node.descriptor.media_type, MediaType::Other(_));
        return Err(match is_oci && refuses_format(&answer) {
            true => Error::FormatRefused {
                host: session.registry.host.clone(),
                what,
                status: answer.status,
                said: answer.said,
            },
            false => session.refused(&what, answer),
        });
    }
    let expected = node.descriptor.digest;
    match header(&response, "docker-content-digest") {
        Some(found) if found.starts_with("sha256:") && found != expected.to_string() => {
            Err(Error::OtherDigest {
                what,
                expected,
                found: quote(&found),
            })
        }
        _ => Ok(()),
    }
}

/// Registries from before OCI have no common way to say that they do not know a media type.
fn refuses_format(answer: &Answer) -> bool {
    match answer.status {
        406 | 415 => true,
        400 | 404 | 405 | 422 => {
            matches!(answer.code.as_str(), "MANIFEST_INVALID" | "UNSUPPORTED")
        }
        _ => false,
    }
}

/// As an error names it.
fn name(session: &Session, identifier: &str) -> String {
    let separator = if identifier.contains(':') { '@' } else { ':' };
    format!("{}{separator}{identifier}", session.repository)
}
