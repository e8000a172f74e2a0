//! Downloads images into OCI image layouts, so that all code that reads layouts also works with
//! registries.

use std::io::{self, Read};
use std::path::Path;

use slipway_oci::layout::{DOCUMENT_LIMIT, LayoutWriter};
use slipway_oci::{Descriptor, Layout};

use crate::client::{Client, Request};
use crate::manifest_tree::Tree;
use crate::manifests::{cut, get};
use crate::retry::{Failure, Tries, Work};
use crate::session::{Action, Session};
use crate::{Error, Reference, Result};
use slipway_progress::{Progress, Silent, Task, count, size};

/// The parts of an image to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Indexes, manifests and configs, without layers.
    Documents,
    /// Everything, including layers.
    Everything,
}

/// Looks up what a reference resolves to: an image or an index.
pub fn resolve(
    client: &Client,
    reference: &Reference,
    progress: &dyn Progress,
) -> Result<Descriptor> {
    let work = Work::new(progress);
    let session = Session::open(client, reference.repository(), Action::Pull, &work)?;
    Ok(get(&session, &reference.identifier(), None)?.0)
}

/// Downloads the image that a reference resolves to into the new layout `directory`. The size and
/// digest of every blob are verified. On an error the directory is removed.
///
/// Documents are stored unmodified, including those in Docker's formats, which are equivalent.
pub fn pull(
    client: &Client,
    reference: &Reference,
    contents: Contents,
    directory: &Path,
    progress: &dyn Progress,
) -> Result<Layout> {
    let work = Work::new(progress);
    let session = Session::open(client, reference.repository(), Action::Pull, &work)?;
    let (top, bytes) = get(&session, &reference.identifier(), None)?;
    let mismatch = |expected| Error::OtherDigest {
        what: reference.to_string(),
        expected,
        found: top.digest.to_string(),
    };
    if let Some(expected) = reference.digest().filter(|it| *it != top.digest) {
        return Err(mismatch(expected));
    }
    let mut first = Some(bytes);
    let tree = Tree::walk(&top, |descriptor| match first.take() {
        Some(bytes) => Ok(bytes),
        None => Ok(get(&session, &descriptor.digest.to_string(), Some(descriptor))?.1),
    })?;

    let mut writer = LayoutWriter::create(directory)?;
    let mut blobs = Vec::new();
    for node in &tree.nodes {
        writer.add_blob_from(&node.descriptor, &node.bytes[..])?;
        if let Some((config, layers)) = node.blobs.split_first() {
            if config.size > DOCUMENT_LIMIT {
                return Err(Error::TooLarge {
                    what: format!("config {}", config.digest),
                    size: config.size,
                    limit: DOCUMENT_LIMIT,
                });
            }
            blobs.push(config);
            match contents {
                Contents::Documents => {}
                Contents::Everything => blobs.extend(layers),
            }
        }
    }
    let shown: &dyn Progress = match contents {
        Contents::Documents => &Silent,
        Contents::Everything => progress,
    };
    shown.start(&Task {
        verb: "pulling",
        what: &count(blobs.len(), "blob"),
        bytes: blobs.iter().map(|blob| blob.size).sum(),
    });
    let added = blobs.iter().try_for_each(|blob| {
        let step = format!("{}, {}", blob.digest, size(blob.size));
        writer.add_blob_from(blob, Download::new(&session, blob, shown))?;
        shown.step(&step, "pulled");
        Ok::<_, Error>(())
    });
    shown.end();
    added?;
    Ok(writer.finish(top)?)
}

/// A blob download that resumes after a cut connection.
struct Download<'a> {
    session: &'a Session<'a>,
    blob: &'a Descriptor,
    position: u64,
    body: Option<Box<dyn Read>>,
    tries: Tries<'a>,
    progress: &'a dyn Progress,
}

impl<'a> Download<'a> {
    fn new(session: &'a Session<'a>, blob: &'a Descriptor, progress: &'a dyn Progress) -> Self {
        Self {
            session,
            blob,
            position: 0,
            body: None,
            tries: session.tries(),
            progress,
        }
    }

    /// Opens the blob at the current position. Source: OCI distribution-spec, "Pulling blobs".
    fn open(&self) -> std::result::Result<Box<dyn Read>, Failure> {
        let url = self.session.url(&format!("blobs/{}", self.blob.digest));
        let mut request = Request::new("GET", url);
        if self.position > 0 {
            request = request.header("Range", format!("bytes={}-", self.position));
        }
        let response = self.session.attempt(request, &[])?;
        let status = response.status().as_u16();
        if !matches!(status, 200 | 206) {
            let what = format!("blob {} of {}", self.blob.digest, self.session.repository);
            return Err(self.session.refusal(&what, response).into());
        }
        let mut body = response.into_body().into_reader();
        // Servers without range support send the blob from the start.
        if status == 200 && self.position > 0 {
            io::copy(&mut (&mut body).take(self.position), &mut io::sink())
                .map_err(|error| cut(self.session, &error))?;
        }
        Ok(Box::new(body))
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None => match self.open() {
                    Ok(body) => self.body.insert(body),
                    Err(failure) => {
                        self.tries.pause(failure)?;
                        continue;
                    }
                },
            };
            let failure = match body.read(buffer) {
                Ok(0) if self.position < self.blob.size => {
                    let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                    cut(self.session, &error)
                }
                Ok(read) => {
                    self.position += read as u64;
                    self.progress.advance(read as u64);
                    self.tries.progressed();
                    return Ok(read);
                }
                Err(error) => cut(self.session, &error),
            };
            self.body = None;
            self.tries.pause(failure)?;
        }
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.next(buffer)
            .map_err(|error| io::Error::other(error.to_string()))
    }
}
