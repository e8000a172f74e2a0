//! Uploads a blob as one streamed PATCH and a final PUT. All registries support this, while several
//! reject or miscount chunks.
//!
//! An interrupted upload is resumed only if the registry reports how much it has; otherwise it
//! starts again. The data is hashed while it is sent, so that an upload of a truncated or modified
//! file is never completed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use slipway_oci::{Descriptor, Hasher, Layout};
use ureq::Body;
use ureq::http::Response;

use crate::client::{Request, Sending, Stream, address};
use crate::error_response::ErrorResponse;
use crate::retry::{Failure, Work};
use crate::session::{Session, encode, header, is_another};
use crate::{Error, Result};

/// A resumed upload counts as progress only if it advanced by this fraction of the blob (1/1000),
/// so that uploads that advance one byte at a time also terminate.
const LEAST_PROGRESS: u64 = 1000;

/// How often a registry may lose a blob that was sent completely. Sending it again is expensive.
const MOST_LOSSES: u32 = 3;

/// How a blob got into a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobOutcome {
    Present,
    Mounted,
    Sent,
}

/// An upload session that the registry has opened.
struct Upload {
    url: String,
    /// Number of bytes that the registry has.
    offset: u64,
}

/// Supported upload methods, as far as known. A method that fails is not used again for the same
/// blob.
struct Abilities {
    /// Accepts the body of a PATCH.
    streams: bool,
    /// Accepts the rest of an interrupted upload.
    resumes: bool,
}

/// The result of one upload request.
enum Step {
    /// All bytes are sent; the upload has to be completed.
    Streamed,
    Done,
    /// The upload session cannot be used any more.
    Lost(ErrorResponse),
    /// The registry does not support PATCH.
    NoStream,
}

/// Ensures that the repository has a blob. `from` lists repositories of the same registry that may
/// have it.
pub(crate) fn ensure_blob(
    session: &Session,
    layout: &Layout,
    blob: &Descriptor,
    from: &[String],
) -> Result<BlobOutcome> {
    if has_blob(session, blob)? {
        session.work.progress.advance(blob.size);
        return Ok(BlobOutcome::Present);
    }
    let mut upload = None;
    for path in from {
        let begun = begin(session, blob, Some(path))?;
        if let Some(unused) = upload.take() {
            cancel(session, &unused);
        }
        if begun.is_none() {
            session.work.progress.advance(blob.size);
            return Ok(BlobOutcome::Mounted);
        }
        upload = begun;
    }
    let mut content = Content::open(&layout.blob_path(blob), blob, session.work)?;
    let sent = send(session, blob, &mut content, &mut upload);
    if let (Err(_), Some(upload)) = (&sent, &upload) {
        cancel(session, upload);
    }
    sent.map(|()| BlobOutcome::Sent)
}

/// Reports whether the repository has a blob. Source: OCI distribution-spec, "Checking if content
/// exists in the registry".
fn has_blob(session: &Session, blob: &Descriptor) -> Result<bool> {
    let url = session.url(&format!("blobs/{}", blob.digest));
    let mut response = session.send(|| Request::new("HEAD", url.clone()))?;
    if matches!(response.status().as_u16(), 400 | 405 | 501) {
        // The body of this response is not read.
        response = session.send(|| Request::new("GET", url.clone()))?;
    }
    let size: Option<u64> = header(&response, "content-length").and_then(|it| it.parse().ok());
    match response.status().as_u16() {
        200 => Ok(size.is_none_or(|size| size == blob.size)),
        // Responses to HEAD have no explanation; the following upload request returns one.
        401 | 403 | 404 => Ok(false),
        _ => Err(session.refusal(&name(blob), response)),
    }
}

/// Mounts the blob from another repository, or opens an upload session. Returns `None` if the blob
/// was mounted. Source: OCI distribution-spec, "Pushing blobs" and "Mounting a blob from another
/// repository".
fn begin(session: &Session, blob: &Descriptor, from: Option<&str>) -> Result<Option<Upload>> {
    let mut url = session.url("blobs/uploads/");
    let mut scopes = Vec::new();
    if let Some(from) = from {
        let query = [
            ("mount", blob.digest.to_string()),
            ("from", from.to_owned()),
        ];
        url = format!("{url}?{}", encode(&query));
        scopes.push(format!("repository:{from}:pull"));
    }
    let mut tries = session.tries();
    let response = loop {
        match session.attempt(Request::new("POST", url.clone()), &scopes) {
            Ok(response) => break response,
            Err(failure) => tries.pause(failure)?,
        }
    };
    match (response.status().as_u16(), from) {
        (201, Some(_)) => Ok(None),
        (200..=299, _) => match next_url(session, &response)? {
            Some(url) => Ok(Some(Upload { url, offset: 0 })),
            None => Err(Error::Protocol {
                what: session.registry.host.clone(),
                reason: "it does not say where to send a blob".to_owned(),
            }),
        },
        // If the mount is refused, upload the blob instead.
        (400..=499, Some(_)) => begin(session, blob, None),
        _ => {
            let what = format!("an upload to {}", session.repository);
            Err(session.refusal(&what, response))
        }
    }
}

/// Uploads a blob and retries. Every iteration either makes progress or uses up one of a limited
/// number of attempts.
fn send(
    session: &Session,
    blob: &Descriptor,
    content: &mut Content,
    upload: &mut Option<Upload>,
) -> Result<()> {
    let mut tries = session.tries();
    let mut able = Abilities {
        streams: true,
        resumes: true,
    };
    let mut furthest = 0;
    let mut losses = 0;
    loop {
        let current = match upload {
            Some(current) => current,
            None => match begin(session, blob, None)? {
                Some(begun) => upload.insert(begun),
                None => return Ok(()),
            },
        };
        let start = current.offset;
        let streamed = start == blob.size;
        let stepped = match able.streams && !streamed {
            true => stream(session, blob, content, current),
            false => end(session, blob, content, current),
        };
        let (failure, lost) = match stepped {
            Ok(Step::Done) => return Ok(()),
            Ok(Step::Streamed) => {
                current.offset = blob.size;
                continue;
            }
            Ok(Step::NoStream) => {
                able.streams = false;
                cancel(session, current);
                *upload = None;
                continue;
            }
            Ok(Step::Lost(answer)) => {
                // The upload may have been resumed at the wrong offset.
                able.resumes = false;
                losses += 1;
                let (status, said) = (answer.status, answer.said);
                let reason = format!("it gave up an upload with status {status}{said}");
                if losses == MOST_LOSSES {
                    let what = session.registry.host.clone();
                    let reason = format!("{reason}, {losses} times for {}", name(blob));
                    return Err(Error::Protocol { what, reason });
                }
                let host = session.registry.host.clone();
                let error = Error::GaveUp { host, reason };
                (Failure::Transient(error, None), true)
            }
            Err(failure) => (failure, false),
        };
        // Local errors are permanent.
        if let Some(fault) = content.fault.take() {
            return Err(fault);
        }
        tries.pause(failure)?;
        // The blob may be complete if only the response was lost.
        if (streamed || !able.streams) && has_blob(session, blob)? {
            content.seek(blob.size)?;
            return Ok(());
        }
        let kept = match able.resumes && able.streams && !lost {
            true => loop {
                match resume(session, blob, current) {
                    Ok(kept) => break kept,
                    Err(failure) => tries.pause(failure)?,
                }
            },
            false => None,
        };
        match kept {
            Some(offset) => {
                current.offset = offset;
                if offset > furthest + blob.size / LEAST_PROGRESS {
                    furthest = offset;
                    tries.progressed();
                }
            }
            None => {
                cancel(session, current);
                *upload = None;
            }
        }
    }
}

/// Sends all bytes that the registry does not have. Only resumed requests have a Content-Range,
/// because some registries treat requests with this header as chunks and limit their size. Source:
/// OCI distribution-spec, "Pushing a blob in chunks"; the distribution project's own client does
/// the same.
fn stream(
    session: &Session,
    blob: &Descriptor,
    content: &mut Content,
    upload: &mut Upload,
) -> std::result::Result<Step, Failure> {
    content.start_at(upload.offset)?;
    let mut request = Request::new("PATCH", upload.url.clone())
        .header("Content-Type", "application/octet-stream");
    if upload.offset > 0 {
        let range = format!("{}-{}", upload.offset, blob.size - 1);
        request = request.header("Content-Range", range);
    }
    let response = session.attempt(request.body(Sending::Stream(content)), &[])?;
    match response.status().as_u16() {
        // Ignore the Range of the response: some registries always return the same value.
        200..=299 => {
            if let Some(url) = next_url(session, &response)? {
                upload.url = url;
            }
            Ok(Step::Streamed)
        }
        400 | 405 | 411 | 501 if upload.offset == 0 => Ok(Step::NoStream),
        404 | 409 => Ok(Step::Lost(ErrorResponse::read(response))),
        400 | 405 | 411 | 416 | 501 if upload.offset > 0 => {
            Ok(Step::Lost(ErrorResponse::read(response)))
        }
        _ => Err(refusal(session, blob, response).into()),
    }
}

/// Completes an upload. The body is the whole blob, or empty if the registry has all of it. Source:
/// OCI distribution-spec, "POST then PUT".
fn end(
    session: &Session,
    blob: &Descriptor,
    content: &mut Content,
    upload: &Upload,
) -> std::result::Result<Step, Failure> {
    let separator = if upload.url.contains('?') { '&' } else { '?' };
    let digest = encode(&[("digest", blob.digest.to_string())]);
    let mut request = Request::new("PUT", format!("{}{separator}{digest}", upload.url))
        .header("Content-Type", "application/octet-stream");
    if upload.offset < blob.size {
        content.start_at(0)?;
        request = request.body(Sending::Stream(content));
    }
    let response = session.attempt(request, &[])?;
    let status = response.status().as_u16();
    if (200..=299).contains(&status) {
        return match header(&response, "docker-content-digest") {
            Some(found) if is_another(&found, &blob.digest) => {
                Err(Failure::Permanent(Error::OtherDigest {
                    what: name(blob),
                    expected: blob.digest,
                    found: crate::error::quote(&found),
                }))
            }
            _ => Ok(Step::Done),
        };
    }
    if matches!(status, 400 | 404 | 409 | 416) {
        let answer = ErrorResponse::read(response);
        // The registry received different data than was sent.
        let spoilt = matches!(
            answer.code.as_str(),
            "BLOB_UPLOAD_INVALID" | "BLOB_UPLOAD_UNKNOWN" | "DIGEST_INVALID" | "SIZE_INVALID"
        );
        return match status == 400 && !spoilt {
            true => Err(session.refused(&name(blob), answer).into()),
            false => Ok(Step::Lost(answer)),
        };
    }
    Err(refusal(session, blob, response).into())
}

/// Returns the error for a refused blob, with a hint if a size limit may be the reason.
fn refusal(session: &Session, blob: &Descriptor, response: Response<Body>) -> Error {
    match response.status().as_u16() {
        status @ (413 | 416) => Error::OverLimit {
            host: session.registry.host.clone(),
            what: name(blob),
            size: blob.size,
            status,
            said: ErrorResponse::read(response).said,
        },
        _ => session.refusal(&name(blob), response),
    }
}

/// Returns the offset at which an interrupted upload can continue, or `None` if it cannot. Source:
/// OCI distribution-spec, "Pushing a blob in chunks", the GET request.
fn resume(
    session: &Session,
    blob: &Descriptor,
    upload: &mut Upload,
) -> std::result::Result<Option<u64>, Failure> {
    let response = session.attempt(Request::new("GET", upload.url.clone()), &[])?;
    if !response.status().is_success() {
        return Ok(None);
    }
    if let Some(url) = next_url(session, &response)? {
        upload.url = url;
    }
    // A registry that reports no progress may not know how much it has.
    Ok(received(&response)
        .filter(|offset| *offset <= blob.size && (*offset > upload.offset || *offset == blob.size)))
}

/// Parses `Range: 0-99` to a number of bytes. Many registries report an empty upload as `0-0`, so
/// this value returns `None`.
fn received(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "range")?;
    let range = range
        .trim_start_matches("bytes")
        .trim_start_matches(['=', ' ']);
    let last: u64 = range.strip_prefix("0-")?.trim().parse().ok()?;
    (last > 0).then_some(last.checked_add(1)?)
}

/// Cancels an upload. Errors are ignored.
fn cancel(session: &Session, upload: &Upload) {
    let _ = session.attempt(Request::new("DELETE", upload.url.clone()), &[]);
}

/// Returns the URL for the next request of an upload, if the response has one. It may be relative
/// to the URL of the response, which differs from that of the request after redirects.
fn next_url(session: &Session, response: &Response<Body>) -> Result<Option<String>> {
    header(response, "location")
        .map(|location| session.client.follow(&address(response), &location))
        .transpose()
}

fn name(blob: &Descriptor) -> String {
    format!("blob {}", blob.digest)
}

/// Reads a blob from its file for sending, starting at any offset, and hashes it.
struct Content<'a> {
    file: File,
    path: PathBuf,
    blob: &'a Descriptor,
    work: &'a Work<'a>,
    /// Offset at which the current request starts.
    start: u64,
    position: u64,
    hasher: Hasher,
    /// Number of bytes hashed. Data that is sent again starts below this offset, so the hasher
    /// never has to go back.
    hashed: u64,
    /// An error of the file; the HTTP library would not pass it on.
    fault: Option<Error>,
}

impl<'a> Content<'a> {
    fn open(path: &Path, blob: &'a Descriptor, work: &'a Work<'a>) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let found = file.metadata().map_err(Error::io("read", path))?.len();
        let content = Self {
            file,
            path: path.to_owned(),
            blob,
            work,
            start: 0,
            position: 0,
            hasher: Hasher::new(blob.digest.algorithm()),
            hashed: 0,
            fault: None,
        };
        match found == blob.size {
            true => Ok(content),
            false => Err(content.wrong_size(found)),
        }
    }

    fn wrong_size(&self, found: u64) -> Error {
        Error::from(slipway_oci::Error::BlobSize {
            digest: self.blob.digest,
            expected: self.blob.size,
            found,
        })
    }

    /// Sets the offset of the next request.
    fn start_at(&mut self, start: u64) -> Result<()> {
        self.start = start;
        self.seek(start)
    }

    fn seek(&mut self, to: u64) -> Result<()> {
        match to >= self.position {
            true => self.work.progress.advance(to - self.position),
            false => self.work.progress.rewind(self.position - to),
        }
        self.position = to;
        let path = &self.path;
        self.file
            .seek(SeekFrom::Start(to))
            .map(drop)
            .map_err(Error::io("read", path))
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.work.stopped() {
            return Err(Error::Stopped);
        }
        let left = usize::try_from(self.blob.size - self.position).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let buffer = &mut buffer[..length];
        if buffer.is_empty() {
            return Ok(0);
        }
        // Hash bytes that the registry has but that were not sent from here.
        if self.hashed < self.position {
            self.catch_up()?;
        }
        let read = self
            .file
            .read(buffer)
            .map_err(Error::io("read", &self.path))?;
        if read == 0 {
            return Err(self.wrong_size(self.position));
        }
        self.position += read as u64;
        let fresh = self.position.saturating_sub(self.hashed) as usize;
        self.hash(&buffer[read - fresh.min(read)..read])?;
        self.work.progress.advance(read as u64);
        Ok(read)
    }

    fn catch_up(&mut self) -> Result<()> {
        let io = |path| Error::io("read", path);
        let path = self.path.clone();
        self.file
            .seek(SeekFrom::Start(self.hashed))
            .map_err(io(&path))?;
        let mut buffer = vec![0; 1 << 16];
        while self.hashed < self.position {
            let want = buffer.len().min((self.position - self.hashed) as usize);
            let read = self.file.read(&mut buffer[..want]).map_err(io(&path))?;
            if read == 0 {
                return Err(self.wrong_size(self.hashed));
            }
            self.hash(&buffer[..read])?;
        }
        Ok(())
    }

    /// Hashes data before it is sent. Fails if the digest of the complete file is wrong, so that
    /// the last bytes are not sent.
    fn hash(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.hasher.update(bytes);
        self.hashed += bytes.len() as u64;
        if self.hashed < self.blob.size {
            return Ok(());
        }
        let found = self.hasher.clone().finish();
        match found == self.blob.digest {
            true => Ok(()),
            false => Err(Error::from(slipway_oci::Error::BlobDigest {
                expected: self.blob.digest,
                found,
            })),
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(|fault| {
            let error = io::Error::other(fault.to_string());
            self.fault = Some(fault);
            error
        })
    }
}

impl Stream for Content<'_> {
    fn size(&self) -> u64 {
        self.blob.size - self.start
    }

    fn rewind(&mut self) -> Result<()> {
        self.seek(self.start)
    }
}
