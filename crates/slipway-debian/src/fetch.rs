//! Fetches files whose hash is known, from whichever mirror has them.
//!
//! Mirrors fail in every way there is: they are down, stall, cut off, are in the middle of an
//! update, or answer with an error page and status 200. The hash tells a good file from all that,
//! so what is left to do is to keep what has come, try again elsewhere, and say at the end what was
//! wrong with each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use ureq::Body;
use ureq::http::Response;

use crate::error::Error;
use crate::hash::{Hasher, Sha256};
use crate::http::{AptConfiguration, Client, Patience};
use crate::progress::Progress;

/// Mirrors bear this many connections, and more are hardly faster.
const THREADS: usize = 8;

/// Far above any `InRelease`; a guard against a server that never ends.
const LARGEST_DOCUMENT: u64 = 16 << 20;

/// A file to fetch.
#[derive(Clone, Debug)]
pub struct Download {
    /// What it is, for messages: `libc6 2.41-12 (amd64)`.
    pub label: String,
    /// Where it may be; tried in this order.
    pub urls: Vec<String>,
    /// In bytes.
    pub size: u64,
    pub sha256: Sha256,
    /// Where it goes. What has come so far waits beside it, under the same name and `.part`.
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

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    patience: Patience,
}

/// Why one try at one address did not give the file.
enum Failure {
    /// The mirror does not have it.
    Missing,
    /// It is there but useless; asking again would give the same.
    Useless(Error),
    /// It may well work the next time.
    Passing(String),
    /// No mirror can help.
    Fatal(Error),
}

impl Fetcher {
    /// A fetcher with the proxies of the machine.
    pub fn new(patience: Patience, apt: &AptConfiguration) -> Self {
        Self {
            client: Client::new(&patience, apt),
            patience,
        }
    }

    /// Fetches all files in parallel, but for those that are there already.
    ///
    /// All are tried even if some fail, but for a full disk. [`Error::Gone`] names the files that
    /// no mirror has, and is given only when nothing else is wrong.
    pub fn fetch_all(&self, downloads: &[Download], progress: &dyn Progress) -> Result<(), Error> {
        let missing: Vec<&Download> = downloads.iter().filter(|d| !d.is_there()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        progress.start(missing.len(), missing.iter().map(|d| d.size).sum());
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

    /// Fetches a small file whose hash is not known: an `InRelease`, whose signature stands in for
    /// it.
    pub fn fetch_document(&self, url: &str) -> Result<Vec<u8>, Error> {
        let failed = |reason: String| Error::Fetch {
            what: url.into(),
            reason,
        };
        let mut last = String::new();
        for round in 0..self.patience.rounds {
            self.pause_before(round);
            match self.try_document(url) {
                Ok(bytes) => return Ok(bytes),
                Err(Failure::Passing(reason)) => last = reason,
                Err(Failure::Missing) => {
                    return Err(failed("the mirror does not have it (404)".into()));
                }
                Err(Failure::Useless(e) | Failure::Fatal(e)) => return Err(e),
            }
        }
        Err(failed(last))
    }

    fn try_document(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let mut response = self.client.get(url, 0).map_err(Failure::Passing)?;
        check_status(&response, url)?;
        let announced = length_of(&response);
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(LARGEST_DOCUMENT);
        body.read_to_end(&mut bytes)
            .map_err(|e| Failure::Passing(format!("{url}: {e}")))?;
        match announced {
            Some(length) if length != bytes.len() as u64 => {
                Err(Failure::Passing(format!("{url} was cut off")))
            }
            _ => Ok(bytes),
        }
    }

    /// Whether any of the addresses has something. An error means that not even this could be found
    /// out.
    pub fn exists(&self, urls: &[String]) -> Result<bool, Error> {
        let mut unclear = None;
        for round in 0..self.patience.rounds {
            self.pause_before(round);
            unclear = None;
            for url in urls {
                match self.client.head(url) {
                    Ok(200..=299) => return Ok(true),
                    Ok(404 | 410) => {}
                    Ok(status) => unclear = Some((url, format!("status {status}"))),
                    Err(reason) => unclear = Some((url, reason)),
                }
            }
            if unclear.is_none() {
                break;
            }
        }
        match unclear {
            None => Ok(false),
            Some((url, reason)) => Err(Error::Fetch {
                what: url.clone(),
                reason,
            }),
        }
    }

    fn fetch(&self, download: &Download, progress: &dyn Progress) -> Result<(), Error> {
        let mut part = Part::open(download, progress)?;
        if download.is_there() {
            // Another process fetched it while this one waited for the part file.
            return Ok(());
        }
        let mut candidates: Vec<&str> = download.urls.iter().map(String::as_str).collect();
        let mut useless = None;
        let mut passing = None;
        let mut most = part.length;
        let mut round = 0;
        while !candidates.is_empty() && round < self.patience.rounds {
            self.pause_before(round);
            let mut left = Vec::new();
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
                    Err(Failure::Passing(reason)) => {
                        passing = Some(reason);
                        left.push(url);
                    }
                }
            }
            candidates = left;
            round += 1;
            if part.length > most {
                most = part.length;
                round = round.min(1);
            }
        }
        match (useless, passing) {
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
            // What was there before may have been the wrong half.
            Err(Failure::Useless(Error::Tampered { .. })) if resumed => {
                self.try_from_part(url, part)
            }
            result => result,
        }
    }

    fn try_from_part(&self, url: &str, part: &mut Part) -> Result<(), Failure> {
        let wanted = part.download.size;
        if part.length < wanted || wanted == 0 {
            let mut response = self
                .client
                .get(url, part.length)
                .map_err(|e| Failure::Passing(format!("{url}: {e}")))?;
            if response.status().as_u16() == 416 {
                part.restart().map_err(Failure::Fatal)?;
                return Err(Failure::Passing(format!("{url} could not be resumed")));
            }
            check_status(&response, url)?;
            if response.status().as_u16() != 206 {
                part.restart().map_err(Failure::Fatal)?;
            }
            if let Some(length) = length_of(&response) {
                let expected = wanted - part.length;
                if length != expected {
                    return Err(Failure::Useless(wrong_size(
                        &part.download.label,
                        url,
                        &response,
                        expected,
                        length,
                    )));
                }
            }
            part.append(url, &mut response.body_mut().as_reader())?;
        }
        part.check()
    }

    fn pause_before(&self, round: u32) {
        if round > 0 {
            thread::sleep(self.patience.pause * 2_u32.saturating_pow(round - 1));
        }
    }
}

fn check_status(response: &Response<Body>, url: &str) -> Result<(), Failure> {
    match response.status().as_u16() {
        200 | 206 => Ok(()),
        404 | 410 => Err(Failure::Missing),
        status @ (408 | 429 | 500..=599) => Err(Failure::Passing(format!(
            "{url} answered with status {status}"
        ))),
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

/// A file on its way, held by one process at a time.
struct Part<'a> {
    download: &'a Download,
    progress: &'a dyn Progress,
    path: PathBuf,
    file: File,
    /// Bytes that are in the file.
    length: u64,
    /// Of these bytes.
    hasher: Hasher,
}

impl<'a> Part<'a> {
    /// Opens the part file, with what an earlier run left in it.
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
        part.take_stock().map_err(|e| Error::at(&part.path)(e))?;
        Ok(part)
    }

    fn take_stock(&mut self) -> io::Result<()> {
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
                Err(e) => return Err(Failure::Passing(format!("{url}: {e}"))),
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
            return Err(Failure::Passing(format!(
                "{url} was cut off after {have} of {size} bytes"
            )));
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
        // The error that led here is the one to report.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the file when no other process has it open. One that had it may have renamed or removed it
/// meanwhile; then it is opened anew.
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
    /// An empty part is of no use to the next run.
    fn drop(&mut self) {
        if self.length == 0 {
            self.remove();
        }
    }
}
