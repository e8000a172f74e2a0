//! A blob goes over as one streaming PATCH and a PUT that ends it, which is what every registry takes:
//! several refuse or miscount pieces. An upload that was cut is resumed only if the registry shows
//! how much it has; otherwise it begins anew. What goes out is hashed on its way, so that a blob that
//! was cut off or altered on this disk is never finished there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use slipway_oci::{Descriptor, Layout};
use ureq::Body;
use ureq::http::Response;

use crate::answer::Answer;
use crate::client::{Request, Sending, Stream, address};
use crate::patience::{Failure, Work};
use crate::session::{Session, encode, header};
use crate::{Error, Result};

/// An upload that is resumed over and over must come this part of the blob further to count as
/// progress, so that one that moves by a byte at a time ends as well.
const LEAST_PROGRESS: u64 = 1000;

/// How often a registry may lose one blob that was sent whole, which is costly to send again.
const MOST_LOSSES: u32 = 3;

/// How a blob came to be in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Present,
    Mounted,
    Sent,
}

/// An upload that the registry has begun.
struct Upload {
    url: String,
    /// How many bytes the registry has.
    offset: u64,
}

/// How a registry takes a blob, as far as is known. What fails is given up for this blob.
struct Abilities {
    /// It takes the body of a PATCH.
    streams: bool,
    /// It takes the rest of an upload that was cut.
    resumes: bool,
}

/// What a request of an upload came to.
enum Step {
    /// All bytes are there; the upload has to be ended.
    Streamed,
    Done,
    /// The upload is of no use any more.
    Lost(Answer),
    /// The registry has no PATCH.
    NoStream,
}

/// Sees to it that the repository has a blob. `from` are repositories of the same registry that
/// may have it.
pub(crate) fn ensure_blob(
    session: &Session,
    layout: &Layout,
    blob: &Descriptor,
    from: &[String],
) -> Result<Arrival> {
    if has_blob(session, blob)? {
        session.work.progress.advance(blob.size);
        return Ok(Arrival::Present);
    }
    let mut upload = None;
    for path in from {
        let begun = begin(session, blob, Some(path))?;
        if let Some(unused) = upload.take() {
            cancel(session, &unused);
        }
        if begun.is_none() {
            session.work.progress.advance(blob.size);
            return Ok(Arrival::Mounted);
        }
        upload = begun;
    }
    let mut content = Content::open(&layout.blob_path(blob), blob, session.work)?;
    let sent = send(session, blob, &mut content, &mut upload);
    if let (Err(_), Some(upload)) = (&sent, &upload) {
        cancel(session, upload);
    }
    sent.map(|()| Arrival::Sent)
}

/// Source: OCI distribution-spec, "Checking if content exists in the registry".
fn has_blob(session: &Session, blob: &Descriptor) -> Result<bool> {
    let url = session.url(&format!("blobs/{}", blob.digest));
    let mut response = session.send(|| Request::new("HEAD", url.clone()))?;
    if matches!(response.status().as_u16(), 400 | 405 | 501) {
        // The body that comes with it is not read.
        response = session.send(|| Request::new("GET", url.clone()))?;
    }
    let size: Option<u64> = header(&response, "content-length").and_then(|it| it.parse().ok());
    match response.status().as_u16() {
        200 => Ok(size.is_none_or(|size| size == blob.size)),
        // Why it may not be seen is not said to HEAD; it is to the upload that follows.
        401 | 403 | 404 => Ok(false),
        _ => Err(session.refusal(&name(blob), response)),
    }
}

/// Begins an upload, or mounts the blob from another repository, where that gives no upload.
/// Source: OCI distribution-spec, "Pushing blobs" and "Mounting a blob from another repository".
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
        // What may not be mounted may still be sent.
        (400..=499, Some(_)) => begin(session, blob, None),
        _ => {
            let what = format!("an upload to {}", session.repository);
            Err(session.refusal(&what, response))
        }
    }
}

/// Every turn of the loop either comes further or is one of the bounded tries.
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
                // Perhaps it was resumed at the wrong place.
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
                (Failure::Passing(error, None), true)
            }
            Err(failure) => (failure, false),
        };
        // What is wrong on this side no other try makes right.
        if let Some(fault) = content.fault.take() {
            return Err(fault);
        }
        tries.pause(failure)?;
        // It may have come in whole, and only the answer was lost.
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

/// Sends all that the registry does not have. Only what is resumed has a Content-Range: registries
/// that know it as the mark of a chunk limit its size. Source: OCI distribution-spec, "Pushing a
/// blob in chunks"; the way of the distribution project's own client.
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
        // What it says of the Range is not believed: some registries always say the same.
        200..=299 => {
            if let Some(url) = next_url(session, &response)? {
                upload.url = url;
            }
            Ok(Step::Streamed)
        }
        400 | 405 | 411 | 501 if upload.offset == 0 => Ok(Step::NoStream),
        404 | 409 => Ok(Step::Lost(Answer::read(response))),
        400 | 405 | 411 | 416 | 501 if upload.offset > 0 => Ok(Step::Lost(Answer::read(response))),
        _ => Err(refusal(session, blob, response).into()),
    }
}

/// Ends an upload. What the registry does not have yet is the body: the whole blob or nothing.
/// Source: OCI distribution-spec, "POST then PUT".
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
            Some(found) if found.starts_with("sha256:") && found != blob.digest.to_string() => {
                Err(Failure::Final(Error::OtherDigest {
                    what: name(blob),
                    expected: blob.digest,
                    found: crate::error::quote(&found),
                }))
            }
            _ => Ok(Step::Done),
        };
    }
    if matches!(status, 400 | 404 | 409 | 416) {
        let answer = Answer::read(response);
        // What it got is not what was sent.
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

/// The error for a blob that is refused, which may be for its size.
fn refusal(session: &Session, blob: &Descriptor, response: Response<Body>) -> Error {
    match response.status().as_u16() {
        status @ (413 | 416) => Error::OverLimit {
            host: session.registry.host.clone(),
            what: name(blob),
            size: blob.size,
            status,
            said: Answer::read(response).said,
        },
        _ => session.refusal(&name(blob), response),
    }
}

/// How many bytes a registry has of an upload that was cut, if it shows that it can go on from there.
/// Source: OCI distribution-spec, "Pushing a blob in chunks", the GET request.
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
    // One that stands still may not know how much it has.
    Ok(received(&response)
        .filter(|offset| *offset <= blob.size && (*offset > upload.offset || *offset == blob.size)))
}

/// How many bytes `Range: 0-99` says are there. `0-0` is what many say of nothing, so it says
/// nothing.
fn received(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "range")?;
    let range = range
        .trim_start_matches("bytes")
        .trim_start_matches(['=', ' ']);
    let last: u64 = range.strip_prefix("0-")?.trim().parse().ok()?;
    (last > 0).then_some(last.checked_add(1)?)
}

/// The registry is told that no more will come; it is free not to listen.
fn cancel(session: &Session, upload: &Upload) {
    let _ = session.attempt(Request::new("DELETE", upload.url.clone()), &[]);
}

/// Where an upload goes on, if the registry says so. It may be relative to where the answer came
/// from, which need not be where the request went first.
fn next_url(session: &Session, response: &Response<Body>) -> Result<Option<String>> {
    header(response, "location")
        .map(|location| session.client.follow(&address(response), &location))
        .transpose()
}

fn name(blob: &Descriptor) -> String {
    format!("blob {}", blob.digest)
}

/// A blob's file as it goes out, from some place to its end.
struct Content<'a> {
    file: File,
    path: PathBuf,
    blob: &'a Descriptor,
    work: &'a Work<'a>,
    /// Where it is sent from.
    start: u64,
    position: u64,
    hasher: Sha256,
    /// How far the hasher has come. It never has to go back: what is sent again begins below this.
    hashed: u64,
    /// What was wrong with the file, which the HTTP library would not pass on.
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
            hasher: Sha256::new(),
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

    /// What is sent next begins here.
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
        // What the registry has, but not from here, is not hashed yet.
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

    /// At the end, before the last bytes are let go, the digest must be right.
    fn hash(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.hasher.update(bytes);
        self.hashed += bytes.len() as u64;
        if self.hashed < self.blob.size {
            return Ok(());
        }
        let hex = |byte: &u8| format!("{byte:02x}");
        let found: String = self.hasher.clone().finalize().iter().map(hex).collect();
        match found == self.blob.digest.hex() {
            true => Ok(()),
            false => Err(Error::from(slipway_oci::Error::BlobDigest {
                expected: self.blob.digest,
                found: format!("sha256:{found}").parse()?,
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
