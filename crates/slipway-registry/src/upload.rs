//! Layers are large and connections are cut: an upload goes on from where it was, as far as the
//! registry has kept what it got. What goes out is hashed on its way, so that a blob that was cut
//! off or altered on this disk is never finished there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use slipway_oci::{Descriptor, Layout};
use ureq::Body;
use ureq::http::Response;

use crate::client::{Request, Sending, Stream};
use crate::patience::{Failure, Work};
use crate::session::{Session, encode, header};
use crate::{Error, Result};

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
    /// The least that it wants in a piece.
    least: u64,
}

/// How an upload goes on.
enum Next {
    Piece,
    Done,
    /// The registry has lost it.
    Lost,
    /// Nobody knows how much the registry has.
    Unknown,
    /// The registry does not take pieces.
    Whole,
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
    match response.status().as_u16() {
        201 if from.is_some() => Ok(None),
        202 => {
            let least = header(&response, "oci-chunk-min-length");
            Ok(Some(Upload {
                url: location(session, &url, &response)?,
                offset: 0,
                least: least.and_then(|it| it.parse().ok()).unwrap_or(0),
            }))
        }
        // What may not be mounted may still be sent.
        401 | 403 | 404 if from.is_some() => begin(session, blob, None),
        _ => {
            let what = format!("an upload to {}", session.repository);
            Err(session.refusal(&what, response))
        }
    }
}

fn send(
    session: &Session,
    blob: &Descriptor,
    content: &mut Content,
    upload: &mut Option<Upload>,
) -> Result<()> {
    let mut tries = session.tries();
    let mut pieces = true;
    loop {
        let current = match upload {
            Some(current) => current,
            None => match begin(session, blob, None)? {
                Some(begun) => upload.insert(begun),
                None => return Ok(()),
            },
        };
        let before = current.offset;
        let failure = match step(session, blob, content, current, pieces) {
            Ok(Next::Done) => return Ok(()),
            Ok(Next::Piece) => {
                if current.offset > before {
                    tries.progressed();
                }
                continue;
            }
            Ok(Next::Whole) => {
                pieces = false;
                cancel(session, current);
                *upload = None;
                continue;
            }
            Ok(Next::Lost) => {
                *upload = None;
                passing(session, "it has lost an upload")
            }
            Ok(Next::Unknown) => passing(session, "it lost count of an upload"),
            Err(failure) => failure,
        };
        // What is wrong on this side no other try makes right.
        if let Some(fault) = content.fault.take() {
            return Err(fault);
        }
        tries.pause(failure)?;
        if let Some(current) = upload {
            match ask_offset(session, blob, current) {
                Ok(Some(offset)) => {
                    if offset > before {
                        tries.progressed();
                    }
                    current.offset = offset;
                }
                Ok(None) => {
                    cancel(session, current);
                    *upload = None;
                }
                Err(failure) => tries.pause(failure)?,
            }
        }
        // It may have come in whole, and only the answer was lost.
        if upload.is_none() && has_blob(session, blob)? {
            content.seek(blob.size)?;
            return Ok(());
        }
    }
}

fn passing(session: &Session, reason: &str) -> Failure {
    Failure::Passing(
        Error::GaveUp {
            host: session.registry.host.clone(),
            reason: reason.to_owned(),
        },
        None,
    )
}

/// Sends the whole blob, or the next piece, or the end. Source: OCI distribution-spec, "POST then
/// PUT" and "Pushing a blob in chunks".
fn step(
    session: &Session,
    blob: &Descriptor,
    content: &mut Content,
    upload: &mut Upload,
    pieces: bool,
) -> std::result::Result<Next, Failure> {
    let piece = session.client.options.chunk.max(upload.least).max(1);
    let whole = upload.offset == 0 && (blob.size <= piece || !pieces);
    if !whole && upload.offset < blob.size {
        let end = blob.size.min(upload.offset + piece);
        content.part(upload.offset, end)?;
        let request = Request::new("PATCH", upload.url.clone())
            .header("Content-Type", "application/octet-stream")
            .header("Content-Range", format!("{}-{}", upload.offset, end - 1))
            .body(Sending::Stream(content));
        let response = session.attempt(request, &[])?;
        return match response.status().as_u16() {
            202 => {
                upload.url = location(session, &upload.url, &response)?;
                let offset = received(&response).unwrap_or(end);
                // One that takes in less than it was sent has to be asked.
                if offset <= upload.offset || offset > end {
                    return Ok(Next::Unknown);
                }
                upload.offset = offset;
                Ok(Next::Piece)
            }
            404 => Ok(Next::Lost),
            416 => Ok(Next::Unknown),
            400 | 405 | 411 | 413 | 501 if upload.offset == 0 => Ok(Next::Whole),
            _ => Err(session.refusal(&name(blob), response).into()),
        };
    }

    let separator = if upload.url.contains('?') { '&' } else { '?' };
    let digest = encode(&[("digest", blob.digest.to_string())]);
    let mut request = Request::new("PUT", format!("{}{separator}{digest}", upload.url))
        .header("Content-Type", "application/octet-stream");
    if whole {
        content.part(0, blob.size)?;
        request = request.body(Sending::Stream(content));
    }
    let response = session.attempt(request, &[])?;
    match response.status().as_u16() {
        200..=299 => match header(&response, "docker-content-digest") {
            Some(found) if found.starts_with("sha256:") && found != blob.digest.to_string() => {
                Err(Failure::Final(Error::OtherDigest {
                    what: name(blob),
                    expected: blob.digest,
                    found: crate::error::quote(&found),
                }))
            }
            _ => Ok(Next::Done),
        },
        404 => Ok(Next::Lost),
        416 => Ok(Next::Unknown),
        _ => Err(session.refusal(&name(blob), response).into()),
    }
}

/// How much of a blob the registry has got; None if the upload is of no use any more. Source: OCI
/// distribution-spec, "Pushing a blob in chunks", the GET request.
fn ask_offset(
    session: &Session,
    blob: &Descriptor,
    upload: &mut Upload,
) -> std::result::Result<Option<u64>, Failure> {
    let response = session.attempt(Request::new("GET", upload.url.clone()), &[])?;
    if response.status() != 204 {
        return Ok(None);
    }
    if header(&response, "location").is_some() {
        upload.url = location(session, &upload.url, &response)?;
    }
    Ok(received(&response).filter(|offset| *offset <= blob.size))
}

/// How many bytes `Range: 0-99` says are there. `0-0` is what many say of nothing, so it says
/// nothing.
fn received(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "range")?;
    let range = range.trim_start_matches("bytes=").trim();
    let last: u64 = range.strip_prefix("0-")?.parse().ok()?;
    (last > 0).then_some(last.checked_add(1)?)
}

/// The registry is told that no more will come; it is free not to listen.
fn cancel(session: &Session, upload: &Upload) {
    let _ = session.attempt(Request::new("DELETE", upload.url.clone()), &[]);
}

fn location(session: &Session, from: &str, response: &Response<Body>) -> Result<String> {
    let location = header(response, "location").ok_or_else(|| Error::Protocol {
        what: session.registry.host.clone(),
        reason: "it does not say where to send a blob".to_owned(),
    })?;
    session.client.follow(from, &location)
}

fn name(blob: &Descriptor) -> String {
    format!("blob {}", blob.digest)
}

/// A blob's file as it goes out: parts of it, in turn.
struct Content<'a> {
    file: File,
    path: PathBuf,
    blob: &'a Descriptor,
    work: &'a Work<'a>,
    /// The part that is being sent.
    start: u64,
    end: u64,
    position: u64,
    hasher: Sha256,
    /// How far the hasher has come. It never has to go back: a part that is sent again begins
    /// below this.
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
            end: 0,
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

    /// What is sent next.
    fn part(&mut self, start: u64, end: u64) -> Result<()> {
        (self.start, self.end) = (start, end);
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
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
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
        self.end - self.start
    }

    fn rewind(&mut self) -> Result<()> {
        self.seek(self.start)
    }
}
