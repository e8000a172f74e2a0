//! Downloads files with known hashes from any mirror that has them.
//!
//! Mirrors fail in many ways: they refuse connections, stall, cut connections, are in the middle of
//! an update, or send an error page with status 200. The hash identifies the correct file. The
//! fetcher therefore keeps partial downloads, retries, moves on to other mirrors, and finally
//! reports what went wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use crate::error::Error;
use crate::hash::{Hasher, Sha256};
use crate::http::{AptConfiguration, Client};
use slipway_http::{RetryPolicy, Tries, is_transient, retry_after, without_login};
use slipway_progress::{Progress, Task, count};

/// Number of parallel downloads. More connections are hardly faster and put load on the mirrors.
const THREADS: usize = 8;

/// Size limit in bytes for documents of unknown size, well above any `InRelease`. It guards against
/// endless responses.
const LARGEST_DOCUMENT: u64 = 16 << 20;

/// A file to download.
#[derive(Clone, Debug)]
pub struct Download {
    /// Description for messages: `libc6 2.41-12 (amd64)`.
    pub label: String,
    /// URLs to try, in this order.
    pub urls: Vec<String>,
    /// Size in bytes.
    pub size: u64,
    pub sha256: Sha256,
    /// Path of the complete file. The partial download is stored next to it with the suffix
    /// `.part`.
    pub destination: PathBuf,
}

impl Download {
    fn is_there(&self) -> bool {
        let right_size =
            fs::metadata(&self.destination).is_ok_and(|found| found.len() == self.size);
        right_size
            && File::open(&self.destination)
                .and_then(Sha256::of_reader)
                .is_ok_and(|sha256| sha256 == self.sha256)
    }
}

/// Downloads files and checks their hashes.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    retry: RetryPolicy,
}

/// Why one attempt at one URL failed.
enum Failure {
    /// The mirror does not have the file (404 or 410).
    Missing,
    /// The response is unusable, and a retry would give the same response.
    Useless(Error),
    /// A retry may succeed; the server may have requested a delay (`Retry-After`).
    Transient(String, Option<Duration>),
    /// A local failure that no other mirror can fix, such as a full disk.
    Fatal(Error),
}

impl Fetcher {
    /// Creates a fetcher that uses the proxies of apt's configuration and the environment.
    pub fn new(retry: RetryPolicy, apt: &AptConfiguration) -> Self {
        Self {
            client: Client::new(&retry, apt),
            retry,
        }
    }

    /// Downloads all files in parallel, except those that are already present.
    ///
    /// Continues with the other files when one fails, except when the disk is full. Returns
    /// [`Error::Gone`], which names the files that no mirror has, only if there was no other error.
    pub fn fetch_all(&self, downloads: &[Download], progress: &dyn Progress) -> Result<(), Error> {
        let missing: Vec<&Download> = downloads.iter().filter(|d| !d.is_there()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        progress.start(&Task {
            verb: "fetching",
            what: &count(missing.len(), "file"),
            bytes: missing.iter().map(|d| d.size).sum(),
        });
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let failed = Mutex::new((Vec::new(), None::<Error>));
        thread::scope(|scope| {
            for _ in 0..THREADS.min(missing.len()) {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let Some(download) = missing.get(next.fetch_add(1, Ordering::Relaxed))
                        else {
                            break;
                        };
                        let Err(e) = self.fetch(download, progress) else {
                            continue;
                        };
                        if matches!(e, Error::DiskFull(_)) {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let mut failed = failed
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner);
                        match e {
                            Error::Gone(labels) => failed.0.extend(labels),
                            e if failed.1.is_none() || matches!(e, Error::DiskFull(_)) => {
                                failed.1 = Some(e)
                            }
                            _ => {}
                        }
                    }
                });
            }
        });
        progress.end();
        match failed
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            (_, Some(e)) => Err(e),
            (gone, None) if gone.is_empty() => Ok(()),
            (mut gone, None) => {
                gone.sort();
                Err(Error::Gone(gone))
            }
        }
    }

    /// Downloads a small file of unknown hash: an `InRelease` file, which its signature
    /// authenticates.
    pub fn fetch_document(&self, url: &str) -> Result<Vec<u8>, Error> {
        let failed = |reason: String| Error::Fetch {
            what: without_login(url),
            reason,
        };
        let mut tries = Tries::new(&self.retry);
        loop {
            let (reason, asked) = match self.try_document(url) {
                Ok(bytes) => return Ok(bytes),
                Err(Failure::Transient(reason, asked)) => (reason, asked),
                Err(Failure::Missing) => {
                    return Err(failed("the mirror does not have it (404)".into()));
                }
                Err(Failure::Useless(e) | Failure::Fatal(e)) => return Err(e),
            };
            if !pause(&mut tries, asked) {
                return Err(failed(reason));
            }
        }
    }

    fn try_document(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let failed = |reason: String| Failure::Transient(reason, None);
        let mut response = self.client.get(url, 0).map_err(failed)?;
        check_status(&response, &without_login(url))?;
        let announced = length_of(&response);
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(LARGEST_DOCUMENT);
        body.read_to_end(&mut bytes)
            .map_err(|e| failed(format!("{}: {e}", without_login(url))))?;
        match announced {
            Some(length) if length != bytes.len() as u64 => {
                Err(failed(format!("{} was cut off", without_login(url))))
            }
            _ => Ok(bytes),
        }
    }

    /// Reports whether any of the URLs exists. Returns an error if no mirror has the file and at
    /// least one could not answer.
    pub fn exists(&self, urls: &[String]) -> Result<bool, Error> {
        let mut tries = Tries::new(&self.retry);
        loop {
            let mut unclear = None;
            for url in urls {
                match self.client.head(url) {
                    Ok(200..=299) => return Ok(true),
                    Ok(404 | 410) => {}
                    Ok(status) => unclear = Some((url, format!("status {status}"))),
                    Err(reason) => unclear = Some((url, reason)),
                }
            }
            let Some((url, reason)) = unclear else {
                return Ok(false);
            };
            if !pause(&mut tries, None) {
                return Err(Error::Fetch {
                    what: without_login(url),
                    reason,
                });
            }
        }
    }

    fn fetch(&self, download: &Download, progress: &dyn Progress) -> Result<(), Error> {
        let mut part = Part::open(download, progress)?;
        if download.is_there() {
            // Another process completed the download while this one waited for the lock.
            return Ok(());
        }
        let mut candidates: Vec<&str> = download.urls.iter().map(String::as_str).collect();
        let mut useless = None;
        let mut transient = None;
        let mut furthest = part.length;
        let mut tries = Tries::new(&self.retry);
        loop {
            let mut remaining = Vec::new();
            let mut requested_delay = None;
            for url in candidates {
                match self.try_url(url, &mut part) {
                    Ok(()) => return part.finish(),
                    Err(Failure::Missing) => {}
                    Err(Failure::Fatal(e)) => {
                        part.remove();
                        return Err(e);
                    }
                    Err(Failure::Useless(e)) => {
                        progress.note(&format!("warning: {e}"));
                        useless = Some(e);
                    }
                    Err(Failure::Transient(reason, after)) => {
                        transient = Some(reason);
                        requested_delay = requested_delay.max(after);
                        remaining.push(url);
                    }
                }
            }
            candidates = remaining;
            if part.length > furthest {
                furthest = part.length;
                tries.progressed();
            }
            if candidates.is_empty() || !pause(&mut tries, requested_delay) {
                break;
            }
        }
        match (useless, transient) {
            (Some(e), _) => Err(e),
            (None, Some(reason)) => Err(Error::Fetch {
                what: download.label.clone(),
                reason,
            }),
            (None, None) => Err(Error::Gone(vec![download.label.clone()])),
        }
    }

    fn try_url(&self, url: &str, part: &mut Part) -> Result<(), Failure> {
        let resumed = part.length > 0;
        match self.try_from_part(url, part) {
            // The earlier partial download may have been corrupt: start over once.
            Err(Failure::Useless(Error::Tampered { .. })) if resumed => {
                self.try_from_part(url, part)
            }
            result => result,
        }
    }

    fn try_from_part(&self, url: &str, part: &mut Part) -> Result<(), Failure> {
        let shown = without_login(url);
        let failed = |reason: String| Failure::Transient(reason, None);
        let wanted = part.download.size;
        if part.length < wanted || wanted == 0 {
            let mut response = self
                .client
                .get(url, part.length)
                .map_err(|e| failed(format!("{shown}: {e}")))?;
            if response.status().as_u16() == 416 {
                part.restart().map_err(Failure::Fatal)?;
                return Err(failed(format!("{shown} could not be resumed")));
            }
            check_status(&response, &shown)?;
            if response.status().as_u16() != 206 {
                part.restart().map_err(Failure::Fatal)?;
            }
            if let Some(length) = length_of(&response) {
                let expected = wanted - part.length;
                if length != expected {
                    return Err(Failure::Useless(wrong_size(
                        &part.download.label,
                        &shown,
                        &response,
                        expected,
                        length,
                    )));
                }
            }
            part.append(&shown, &mut response.body_mut().as_reader())?;
        }
        part.check()
    }
}

/// Waits before the next attempt, for the delay that the server requested if any. Returns false if
/// no attempts are left.
fn pause(tries: &mut Tries, requested: Option<Duration>) -> bool {
    let pause = tries.next_pause(requested);
    pause.inspect(|pause| thread::sleep(*pause)).is_some()
}

fn check_status(response: &Response<Body>, url: &str) -> Result<(), Failure> {
    match response.status().as_u16() {
        200 | 206 => Ok(()),
        404 | 410 => Err(Failure::Missing),
        status if is_transient(status) => Err(Failure::Transient(
            format!("{url} answered with status {status}"),
            retry_after(response.headers()),
        )),
        status => Err(Failure::Useless(Error::Fetch {
            what: url.into(),
            reason: format!("the mirror answered with status {status}"),
        })),
    }
}

fn length_of(response: &Response<Body>) -> Option<u64> {
    response
        .headers()
        .get("content-length")?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn wrong_size(label: &str, url: &str, response: &Response<Body>, expected: u64, got: u64) -> Error {
    let kind = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let page = if kind.starts_with("text/html") {
        ": an error page with a status of success"
    } else {
        ""
    };
    Error::Fetch {
        what: label.into(),
        reason: format!("{url} sent {got} bytes in place of {expected}{page}"),
    }
}

/// A partial download, locked by one process at a time.
struct Part<'a> {
    download: &'a Download,
    progress: &'a dyn Progress,
    path: PathBuf,
    file: File,
    /// Number of bytes in the file.
    length: u64,
    /// Hash state over these bytes.
    hasher: Hasher,
}

impl<'a> Part<'a> {
    /// Opens the partial download, including data from an earlier run.
    fn open(download: &'a Download, progress: &'a dyn Progress) -> Result<Self, Error> {
        let mut name = download
            .destination
            .file_name()
            .unwrap_or_default()
            .to_owned();
        name.push(".part");
        let path = download.destination.with_file_name(name);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(Error::at(directory))?;
        }
        let file = open_locked(&path).map_err(Error::at(&path))?;
        let mut part = Self {
            download,
            progress,
            path,
            file,
            length: 0,
            hasher: Hasher::default(),
        };
        part.hash_existing().map_err(|e| Error::at(&part.path)(e))?;
        Ok(part)
    }

    fn hash_existing(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length > self.download.size {
            return self.file.set_len(0);
        }
        let mut reader = BufReader::new(&self.file);
        let mut buffer = vec![0; 64 * 1024];
        while self.length < length {
            let n = reader.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            self.hasher.update(&buffer[..n]);
            self.length += n as u64;
        }
        self.progress.advance(self.length);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Error> {
        if self.length > 0 {
            self.progress.rewind(self.length);
            self.length = 0;
            self.hasher = Hasher::default();
            self.file
                .set_len(0)
                .and_then(|()| self.file.rewind())
                .map_err(Error::at(&self.path))?;
        }
        Ok(())
    }

    fn append(&mut self, url: &str, body: &mut dyn Read) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Err(Failure::Transient(format!("{url}: {e}"), None)),
            };
            if self.length + n as u64 > self.download.size {
                let (label, size) = (&self.download.label, self.download.size);
                self.restart().map_err(Failure::Fatal)?;
                return Err(Failure::Useless(Error::Fetch {
                    what: label.clone(),
                    reason: format!("{url} sent more than the {size} bytes that were pinned"),
                }));
            }
            self.file
                .write_all(&buffer[..n])
                .map_err(|e| Failure::Fatal(Error::at(&self.path)(e)))?;
            self.hasher.update(&buffer[..n]);
            self.length += n as u64;
            self.progress.advance(n as u64);
        }
        if self.length < self.download.size {
            let (have, size) = (self.length, self.download.size);
            return Err(Failure::Transient(
                format!("{url} was cut off after {have} of {size} bytes"),
                None,
            ));
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Failure> {
        let got = self.hasher.clone().finish();
        if got == self.download.sha256 {
            return Ok(());
        }
        self.restart().map_err(Failure::Fatal)?;
        Err(Failure::Useless(Error::Tampered {
            what: self.download.label.clone(),
            expected: self.download.sha256,
            got,
        }))
    }

    fn finish(self) -> Result<(), Error> {
        let destination: &Path = &self.download.destination;
        let done = self
            .file
            .sync_data()
            .and_then(|()| fs::rename(&self.path, destination));
        done.map_err(Error::at(destination))
    }

    fn remove(&mut self) {
        // Ignore failures: the caller reports the original error.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the file and waits for an exclusive lock. The previous holder may have renamed or removed
/// the file in the meantime; then it is opened again.
fn open_locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        let held = file.metadata()?;
        if fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino()))
        {
            return Ok(file);
        }
    }
}

impl Drop for Part<'_> {
    /// Removes the partial download if it is empty.
    fn drop(&mut self) {
        if self.length == 0 {
            self.remove();
        }
    }
}
