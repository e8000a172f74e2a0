//! Reads and writes manifests. Tags resolve to manifests, so everything that a registry reports
//! about one is verified where possible.

use std::io::Read;

use slipway_oci::{Algorithm, Descriptor, Digest, MediaType};
use ureq::Body;
use ureq::http::Response;

use crate::client::Request;
use crate::error::quote;
use crate::error_response::ErrorResponse;
use crate::manifest_tree::{DOCKER_LIST, DOCKER_MANIFEST, Node, is_known, media_type_of};
use crate::retry::Failure;
use crate::session::{Session, header, is_another};
use crate::{Error, Result};
use slipway_oci::layout::DOCUMENT_LIMIT;

/// Returns the `Accept` header: OCI and Docker media types, so that the registry returns what it
/// has.
fn accepted() -> String {
    let [index, manifest] = [MediaType::Index, MediaType::Manifest];
    format!("{index}, {manifest}, {DOCKER_LIST}, {DOCKER_MANIFEST}")
}

/// Returns the digest that a tag or digest resolves to, or `None` if it does not exist. Takes one
/// request if the registry supports HEAD. Source: OCI distribution-spec, "Checking if content
/// exists in the registry".
pub(crate) fn digest_of(session: &Session, identifier: &str) -> Result<Option<Digest>> {
    let url = session.url(&format!("manifests/{identifier}"));
    let response =
        session.send(|| Request::new("HEAD", url.clone()).header("Accept", accepted()))?;
    let digest = header(&response, "docker-content-digest").and_then(|it| it.parse().ok());
    match (response.status().as_u16(), digest) {
        (200, Some(digest)) => Ok(Some(digest)),
        (404, _) => Ok(None),
        // The registry does not support HEAD or omits the digest.
        (200 | 400 | 405 | 501, _) => match get(session, identifier, None) {
            Ok((descriptor, _)) => Ok(Some(descriptor.digest)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        },
        _ => Err(session.refusal(&name(session, identifier), response)),
    }
}

/// Downloads a manifest or index and verifies its digest. Source: OCI distribution-spec, "Pulling
/// manifests".
pub(crate) fn get(
    session: &Session,
    identifier: &str,
    expected: Option<&Descriptor>,
) -> Result<(Descriptor, Vec<u8>)> {
    let url = session.url(&format!("manifests/{identifier}"));
    let what = name(session, identifier);
    let named = identifier.parse();
    let algorithm = named.map_or(Algorithm::Sha256, |it: Digest| it.algorithm());
    let mut tries = session.tries();
    loop {
        let request = Request::new("GET", url.clone()).header("Accept", accepted());
        let failure = match session.attempt(request, &[]) {
            Ok(response) if response.status() == 200 => {
                let media_type = header(&response, "content-type").unwrap_or_default();
                let claimed = header(&response, "docker-content-digest");
                match read(session, &what, response) {
                    Ok(bytes) => {
                        return checked(&what, algorithm, expected, &media_type, claimed, bytes);
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
        return Err(Failure::Permanent(too_large(size)));
    }
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_reader().take(DOCUMENT_LIMIT + 1);
    match body.read_to_end(&mut bytes) {
        Ok(read) if read as u64 > DOCUMENT_LIMIT => Err(Failure::Permanent(too_large(read as u64))),
        Ok(_) => Ok(bytes),
        Err(error) => Err(cut(session, &error)),
    }
}

/// Returns the failure for a connection that was cut during a response.
pub(crate) fn cut(session: &Session, error: &std::io::Error) -> Failure {
    Failure::Transient(
        Error::GaveUp {
            host: session.registry.host.clone(),
            reason: format!("the connection failed: {}", quote(&error.to_string())),
        },
        None,
    )
}

fn checked(
    what: &str,
    algorithm: Algorithm,
    expected: Option<&Descriptor>,
    media_type: &str,
    claimed: Option<String>,
    bytes: Vec<u8>,
) -> Result<(Descriptor, Vec<u8>)> {
    let found = Digest::with(algorithm, &bytes);
    let mismatch = |expected: Digest| Error::OtherDigest {
        what: what.to_owned(),
        expected,
        found: found.to_string(),
    };
    if let Some(expected) = expected {
        if expected.digest != found {
            return Err(mismatch(expected.digest));
        }
    }
    // A digest of another algorithm cannot be compared.
    let claimed: Option<Digest> = claimed.and_then(|it| it.parse().ok());
    if let Some(claimed) = claimed.filter(|it| it.algorithm() == algorithm && *it != found) {
        return Err(mismatch(claimed));
    }
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let media_type = match expected {
        Some(expected) => expected.media_type.clone(),
        // Some registries send any document as application/json, octet-stream or text/plain, or without a type.
        None => Some(MediaType::from(media_type.to_owned()))
            .filter(is_known)
            .or_else(|| media_type_of(&bytes))
            .unwrap_or_else(|| MediaType::from(media_type.to_owned())),
    };
    let size = bytes.len() as u64;
    if let Some(expected) = expected.filter(|it| it.size != size) {
        return Err(Error::Protocol {
            what: what.to_owned(),
            reason: format!(
                "it has {size} bytes, but its descriptor says {}",
                expected.size
            ),
        });
    }
    Ok((Descriptor::new(media_type, found, size), bytes))
}

/// Uploads a manifest under its digest or a tag. Everything it refers to must be present already.
/// Source: OCI distribution-spec, "Pushing Manifests".
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
        let answer = ErrorResponse::read(response);
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
        Some(found) if is_another(&found, &expected) => Err(Error::OtherDigest {
            what,
            expected,
            found: quote(&found),
        }),
        _ => Ok(()),
    }
}

/// Reports whether the registry refused the media type. Registries without OCI support report this
/// in different ways.
fn refuses_format(answer: &ErrorResponse) -> bool {
    match answer.status {
        406 | 415 => true,
        400 | 404 | 405 | 422 => {
            matches!(answer.code.as_str(), "MANIFEST_INVALID" | "UNSUPPORTED")
        }
        _ => false,
    }
}

/// Returns the name of a manifest for error messages.
fn name(session: &Session, identifier: &str) -> String {
    let separator = if identifier.contains(':') { '@' } else { ':' };
    format!("{}{separator}{identifier}", session.repository)
}
