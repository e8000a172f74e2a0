//! What a registry has is looked at as a layout in a directory, so that everything that knows
//! layouts knows registries too.

use std::io::{self, Read};
use std::path::Path;

use slipway_oci::layout::{DOCUMENT_LIMIT, LayoutWriter};
use slipway_oci::{Descriptor, Layout};

use crate::client::{Client, Request};
use crate::documents::Tree;
use crate::manifests::{cut, get};
use crate::patience::{Failure, Tries, Work};
use crate::progress::Silent;
use crate::session::{Action, Session};
use crate::{Error, Reference, Result};

/// How much of an image is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Indexes, manifests and configs: what an image is, without what is in it.
    Documents,
    /// The layers as well.
    Everything,
}

/// Makes the new layout `directory` of what a reference stands for; every blob is checked for its
/// size and digest. On an error nothing is left there.
///
/// Documents are kept as they are, also in Docker's own format, which means the same.
pub fn pull(
    client: &Client,
    reference: &Reference,
    contents: Contents,
    directory: &Path,
) -> Result<Layout> {
    let work = Work::new(&Silent);
    let session = Session::open(client, reference.repository(), Action::Pull, &work)?;
    let (top, bytes) = get(&session, &reference.identifier(), None)?;
    let lies = |expected| Error::OtherDigest {
        what: reference.to_string(),
        expected,
        found: top.digest.to_string(),
    };
    if let Some(expected) = reference.digest().filter(|it| *it != top.digest) {
        return Err(lies(expected));
    }
    let mut first = Some(bytes);
    let tree = Tree::walk(&top, |descriptor| match first.take() {
        Some(bytes) => Ok(bytes),
        None => Ok(get(&session, &descriptor.digest.to_string(), Some(descriptor))?.1),
    })?;

    let mut writer = LayoutWriter::create(directory)?;
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
            let layers = match contents {
                Contents::Documents => &[],
                Contents::Everything => layers,
            };
            for blob in [config].into_iter().chain(layers) {
                writer.add_blob_from(blob, Download::new(&session, blob))?;
            }
        }
    }
    Ok(writer.finish(top)?)
}

/// A blob as it comes in; it goes on from where it was when the connection is cut.
struct Download<'a> {
    session: &'a Session<'a>,
    blob: &'a Descriptor,
    position: u64,
    body: Option<Box<dyn Read>>,
    tries: Tries<'a>,
}

impl<'a> Download<'a> {
    fn new(session: &'a Session<'a>, blob: &'a Descriptor) -> Self {
        Self {
            session,
            blob,
            position: 0,
            body: None,
            tries: session.tries(),
        }
    }

    /// Source: OCI distribution-spec, "Pulling blobs".
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
        // A server without parts begins anew.
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
