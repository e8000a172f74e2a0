//! Downloads the signed `InRelease` file of a suite and the `Packages` files that it lists.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::error::Error;
use crate::fetch::{Download, Fetcher};
use crate::mirrors::Mirrors;
use crate::package::Archive;
use crate::release::Release;
use crate::signature::Verifier;
use slipway_progress::Progress;

/// Downloads and verifies the indices of suites.
pub struct Suites<'a> {
    pub fetcher: &'a Fetcher,
    pub mirrors: &'a Mirrors,
    pub verifier: &'a Verifier,
    pub progress: &'a dyn Progress,
    /// Cache directory for downloaded indices, stored by hash.
    pub cache: PathBuf,
    /// Whether to use expired indices, with a warning.
    pub accept_expired: bool,
}

impl Suites<'_> {
    /// Returns the `Packages` files of a suite, one per architecture in the order of
    /// `architectures`.
    pub fn packages(&self, suite: &str, architectures: &[&str]) -> Result<Vec<String>, Error> {
        self.of_a_mirror(suite, |dists, release| {
            self.fetch_packages(dists, release, architectures)
        })
    }

    /// Returns the Debian names of the architectures that a suite has packages for.
    pub fn architectures(&self, suite: &str) -> Result<Vec<String>, Error> {
        self.of_a_mirror(suite, |_, release| Ok(release.architectures.clone()))
    }

    /// Tries the mirrors in order until one has an index that is validly signed, belongs to the
    /// suite and has not expired, and until `read` succeeds with it.
    pub(crate) fn of_a_mirror<T>(
        &self,
        suite: &str,
        read: impl Fn(&str, &Release) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut first_error = None;
        for base in self.mirrors.of(Archive::of_suite(suite)) {
            let dists = format!("{base}/dists/{suite}");
            let result = self
                .release(&dists, suite)
                .and_then(|release| read(&dists, &release));
            match result {
                Ok(value) => return Ok(value),
                Err(e @ Error::DiskFull(_)) => return Err(e),
                Err(e) => {
                    self.progress.note(&format!("warning: {e}"));
                    first_error.get_or_insert(e);
                }
            }
        }
        let none = || Error::NoMirror {
            reason: format!("none carries {suite}"),
        };
        Err(first_error.unwrap_or_else(none))
    }

    fn release(&self, dists: &str, suite: &str) -> Result<Release, Error> {
        let url = format!("{dists}/InRelease");
        let signed = self.fetcher.fetch_document(&url)?;
        let text = self.verifier.verified_text(&url, &signed, &self.cache)?;
        let release = Release::parse(&text).map_err(|reason| Error::BadIndex {
            what: url.clone(),
            reason,
        })?;
        if !release.is(suite) {
            return Err(Error::WrongSuite {
                url,
                asked: suite.into(),
                got: release.names(),
            });
        }
        if let Some((until, time)) = &release.valid_until {
            if SystemTime::now() > *time {
                let expired = Error::Expired {
                    url,
                    until: until.clone(),
                };
                if !self.accept_expired {
                    return Err(expired);
                }
                self.progress.note(&format!(
                    "warning: {expired}; used all the same, as apt is set up here"
                ));
            }
        }
        Ok(release)
    }

    fn fetch_packages(
        &self,
        dists: &str,
        release: &Release,
        architectures: &[&str],
    ) -> Result<Vec<String>, Error> {
        let downloads = architectures
            .iter()
            .map(|architecture| self.download(dists, release, architecture))
            .collect::<Result<Vec<_>, _>>()?;
        self.fetch_indices(&downloads)?;
        downloads.iter().map(unpack).collect()
    }

    pub(crate) fn fetch_indices(&self, downloads: &[Download]) -> Result<(), Error> {
        let fetched = self.fetcher.fetch_all(downloads, self.progress);
        fetched.map_err(|e| match e {
            // The signed index lists the file, so the mirror is broken or in the middle of an
            // update. This does not mean that a pin is gone.
            Error::Gone(labels) => Error::Fetch {
                what: labels.join(", "),
                reason: "the mirror does not have it".into(),
            },
            e => e,
        })
    }

    fn download(
        &self,
        dists: &str,
        release: &Release,
        architecture: &str,
    ) -> Result<Download, Error> {
        let directory = format!("main/binary-{architecture}");
        for extension in ["xz", "gz"] {
            let name = format!("Packages.{extension}");
            if let Some(download) = self.listed(dists, release, &directory, &name) {
                return Ok(download);
            }
        }
        Err(Error::BadIndex {
            what: format!("{dists}/InRelease"),
            reason: format!("it has no packages for the architecture {architecture}"),
        })
    }

    /// Returns the download for an index file if the release lists it.
    pub(crate) fn listed(
        &self,
        dists: &str,
        release: &Release,
        directory: &str,
        name: &str,
    ) -> Option<Download> {
        let path = format!("{directory}/{name}");
        let (sha256, size) = release.file(&path)?;
        let (_, extension) = name.rsplit_once('.')?;
        let mut urls = vec![format!("{dists}/{path}")];
        if release.by_hash {
            urls.insert(0, format!("{dists}/{directory}/by-hash/SHA256/{sha256}"));
        }
        Some(Download {
            label: format!("{dists}/{path}"),
            urls,
            size,
            sha256,
            destination: self.cache.join(format!("{sha256}.{extension}")),
        })
    }
}

fn unpack(download: &Download) -> Result<String, Error> {
    let path = &download.destination;
    let file = BufReader::new(File::open(path).map_err(Error::at(path))?);
    let mut text = String::new();
    let result = match path.extension().is_some_and(|extension| extension == "xz") {
        true => lzma_rust2::XzReader::new(file, true).read_to_string(&mut text),
        false => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text),
    };
    result.map_err(|e| {
        // The cached file matched its hash when it was downloaded and has been damaged since.
        let _ = fs::remove_file(path);
        Error::BadIndex {
            what: download.label.clone(),
            reason: e.to_string(),
        }
    })?;
    Ok(text)
}
