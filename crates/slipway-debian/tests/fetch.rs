//! Downloads from mirrors with all known kinds of faults.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

mod mirror;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mirror::archive::files_below;
use mirror::{Fault, Mirror};
use slipway_debian::Error;
use slipway_debian::fetch::{Download, Fetcher};
use slipway_debian::hash::Sha256;
use slipway_debian::http::AptConfiguration;
use slipway_http::RetryPolicy;
use slipway_progress::Silent;
use tempfile::TempDir;

const FILE: &str = "/pool/main/x/x.deb";

struct Fixture {
    mirrors: Vec<Mirror>,
    directory: TempDir,
    contents: Vec<u8>,
}

impl Fixture {
    /// Starts `mirrors` mirrors that all have the file.
    fn new(mirrors: usize) -> Self {
        let contents: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let mirrors: Vec<Mirror> = (0..mirrors).map(|_| Mirror::start()).collect();
        for mirror in &mirrors {
            mirror.put(FILE, contents.clone());
        }
        Self {
            mirrors,
            directory: TempDir::new().unwrap(),
            contents,
        }
    }

    fn destination(&self) -> PathBuf {
        self.directory.path().join("x.deb")
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join("x.deb.part")
    }

    fn download(&self) -> Download {
        Download {
            label: "x 1 (amd64)".into(),
            urls: self
                .mirrors
                .iter()
                .map(|mirror| format!("{}{FILE}", mirror.url()))
                .collect(),
            size: self.contents.len() as u64,
            sha256: Sha256::of(&self.contents),
            destination: self.destination(),
        }
    }

    fn fetch(&self) -> Result<(), Error> {
        fetcher().fetch_all(&[self.download()], &Silent)
    }

    fn assert_fetched(&self) {
        self.fetch().unwrap();
        assert_eq!(fs::read(self.destination()).unwrap(), self.contents);
        assert_eq!(files_below(self.directory.path()), [self.destination()]);
    }

    /// Asserts that fetching fails and leaves no files behind. Returns the message.
    fn assert_fails(&self) -> String {
        let message = self.fetch().unwrap_err().to_string();
        assert_eq!(
            files_below(self.directory.path()),
            Vec::<PathBuf>::new(),
            "{message}"
        );
        message
    }
}

fn fetcher() -> Fetcher {
    let retry = RetryPolicy {
        connect: Duration::from_secs(5),
        stall: Duration::from_millis(300),
        tries: 3,
        pause: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    Fetcher::new(retry, &AptConfiguration::default())
}

#[test]
fn downloads_a_file_only_once() {
    let fixture = Fixture::new(1);
    fixture.assert_fetched();
    fixture.assert_fetched();
    assert_eq!(fixture.mirrors[0].requests(), [format!("GET {FILE}")]);
}

#[test]
fn downloads_a_corrupt_file_again() {
    let fixture = Fixture::new(1);
    fs::write(fixture.destination(), vec![0; fixture.contents.len()]).unwrap();
    fixture.assert_fetched();
}

#[test]
fn rejects_and_deletes_a_tampered_file_and_reports_both_hashes() {
    let fixture = Fixture::new(1);
    let mut tampered = fixture.contents.clone();
    tampered[7] ^= 1;
    fixture.mirrors[0].put(FILE, tampered.clone());
    let message = fixture.assert_fails();
    assert!(
        message.contains(&Sha256::of(&fixture.contents).to_string()),
        "{message}"
    );
    assert!(
        message.contains(&Sha256::of(&tampered).to_string()),
        "{message}"
    );
}

#[test]
fn tries_the_next_mirror_after_a_tampered_file() {
    let fixture = Fixture::new(2);
    fixture.mirrors[0].put(FILE, vec![0; fixture.contents.len()]);
    fixture.assert_fetched();
}

#[test]
fn reports_error_pages_with_status_200() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, [Fault::ErrorPage]);
    let message = fixture.assert_fails();
    assert!(
        message.contains("an error page with a status of success"),
        "{message}"
    );
}

#[test]
fn tries_the_next_mirror_after_an_error_page_with_or_without_length() {
    for fault in [Fault::ErrorPage, Fault::ErrorPageOfUnknownLength] {
        let fixture = Fixture::new(2);
        fixture.mirrors[0].fail(FILE, vec![fault; 3]);
        fixture.assert_fetched();
    }
}

#[test]
fn resumes_after_a_cut_connection() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, [Fault::CutAfter(70_000), Fault::CutAfter(30_000)]);
    fixture.assert_fetched();
    assert_eq!(
        fixture.mirrors[0].requests(),
        [
            format!("GET {FILE}"),
            format!("GET {FILE} from 70000"),
            format!("GET {FILE} from 100000")
        ]
    );
}

#[test]
fn retries_cut_connections_while_there_is_progress() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, vec![Fault::CutAfter(20_000); 9]);
    fixture.assert_fetched();
}

#[test]
fn resumes_partial_downloads_of_earlier_runs() {
    let fixture = Fixture::new(1);
    fs::write(fixture.part(), &fixture.contents[..150_000]).unwrap();
    fixture.assert_fetched();
    assert_eq!(
        fixture.mirrors[0].requests(),
        [format!("GET {FILE} from 150000")]
    );
}

#[test]
fn discards_wrong_partial_downloads() {
    for left in [vec![9; 150_000], vec![9; 200_000], vec![9; 300_000]] {
        let fixture = Fixture::new(1);
        fs::write(fixture.part(), left).unwrap();
        fixture.assert_fetched();
    }
}

#[test]
fn restarts_when_a_mirror_ignores_ranges() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, [Fault::CutAfter(70_000), Fault::IgnoreRange]);
    fixture.assert_fetched();
}

#[test]
fn resumes_from_the_next_mirror_after_a_stall() {
    let fixture = Fixture::new(2);
    fixture.mirrors[0].fail(FILE, vec![Fault::StallAfter(60_000); 3]);
    fixture.assert_fetched();
    assert_eq!(
        fixture.mirrors[1].requests(),
        [format!("GET {FILE} from 60000")]
    );
}

#[test]
fn retries_overloaded_mirrors() {
    for status in [503, 500, 429] {
        let fixture = Fixture::new(1);
        fixture.mirrors[0].fail(FILE, vec![Fault::Status(status); 2]);
        fixture.assert_fetched();
    }
}

#[test]
fn reports_mirrors_that_stay_overloaded() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, vec![Fault::Status(503); 9]);
    let message = fixture.assert_fails();
    assert!(
        message.starts_with("x 1 (amd64) could not be fetched") && message.contains("503"),
        "{message}"
    );
}

#[test]
fn skips_unreachable_mirrors() {
    let mut fixture = Fixture::new(1);
    fixture.assert_fetched();
    fs::remove_file(fixture.destination()).unwrap();
    let mut download = fixture.download();
    // The mirror is dropped at once, so nothing listens on its port.
    let down = Mirror::start().url().to_owned();
    download.urls.insert(0, format!("{down}{FILE}"));
    fetcher().fetch_all(&[download], &Silent).unwrap();
    fixture.mirrors.clear();
    fs::remove_file(fixture.destination()).unwrap();
    let download = Download {
        urls: vec![format!("{down}{FILE}")],
        ..fixture.download()
    };
    let error = fetcher().fetch_all(&[download], &Silent).unwrap_err();
    assert!(matches!(&error, Error::Fetch { .. }), "{error}");
    assert!(files_below(fixture.directory.path()).is_empty());
}

#[test]
fn reports_packages_missing_from_every_mirror() {
    let fixture = Fixture::new(2);
    fixture.mirrors[0].remove(FILE);
    fixture.mirrors[1].fail(FILE, [Fault::Status(410)]);
    let error = fixture.fetch().unwrap_err();
    assert!(
        matches!(&error, Error::Gone(labels) if *labels == ["x 1 (amd64)"]),
        "{error}"
    );
    assert!(files_below(fixture.directory.path()).is_empty());
}

#[test]
fn does_not_report_packages_as_gone_while_a_mirror_is_failing() {
    let fixture = Fixture::new(2);
    fixture.mirrors[0].remove(FILE);
    fixture.mirrors[1].fail(FILE, vec![Fault::Status(503); 9]);
    assert!(matches!(fixture.fetch().unwrap_err(), Error::Fetch { .. }));
}

#[test]
fn reports_all_missing_files_and_downloads_the_rest() {
    let fixture = Fixture::new(1);
    let gone = |name: &str| Download {
        label: format!("{name} 1 (amd64)"),
        urls: vec![format!("{}/pool/{name}.deb", fixture.mirrors[0].url())],
        destination: fixture.directory.path().join(format!("{name}.deb")),
        ..fixture.download()
    };
    let error = fetcher()
        .fetch_all(&[gone("b"), fixture.download(), gone("a")], &Silent)
        .unwrap_err();
    assert!(
        matches!(&error, Error::Gone(labels) if *labels == ["a 1 (amd64)", "b 1 (amd64)"]),
        "{error}"
    );
    assert_eq!(
        files_below(fixture.directory.path()),
        [fixture.destination()]
    );
}

#[test]
fn reports_a_full_disk_and_leaves_no_files() {
    let fixture = Fixture::new(1);
    // Writes to /dev/full fail with ENOSPC.
    std::os::unix::fs::symlink("/dev/full", fixture.part()).unwrap();
    let message = fixture.assert_fails();
    assert!(message.starts_with("the disk is full"), "{message}");
}

#[test]
fn downloads_many_files_in_parallel() {
    let fixture = Fixture::new(1);
    let downloads: Vec<Download> = (0..40)
        .map(|i| {
            let contents = format!("file {i}").repeat(i);
            fixture.mirrors[0].put(&format!("/{i}"), contents.clone());
            Download {
                label: i.to_string(),
                urls: vec![format!("{}/{i}", fixture.mirrors[0].url())],
                size: contents.len() as u64,
                sha256: Sha256::of(contents.as_bytes()),
                destination: fixture.directory.path().join(i.to_string()),
            }
        })
        .collect();
    fetcher().fetch_all(&downloads, &Silent).unwrap();
    assert_eq!(files_below(fixture.directory.path()).len(), 40);
}

#[test]
fn checks_for_existence_with_head_requests() {
    let fixture = Fixture::new(2);
    let urls = fixture.download().urls;
    fixture.mirrors[0].remove(FILE);
    assert!(fetcher().exists(&urls).unwrap());
    fixture.mirrors[1].remove(FILE);
    assert!(!fetcher().exists(&urls).unwrap());
    fixture.mirrors[1].fail(FILE, vec![Fault::Status(503); 9]);
    assert!(fetcher().exists(&urls).is_err());
    assert!(
        fixture.mirrors[0]
            .requests()
            .iter()
            .all(|request| request.starts_with("HEAD"))
    );
}

#[test]
fn follows_redirects() {
    let fixture = Fixture::new(2);
    fixture.mirrors[0].remove(FILE);
    let elsewhere = format!("{}{FILE}", fixture.mirrors[1].url());
    fixture.mirrors[0].fail(FILE, [Fault::Redirect(elsewhere)]);
    let download = Download {
        urls: vec![fixture.download().urls[0].clone()],
        ..fixture.download()
    };
    fetcher().fetch_all(&[download], &Silent).unwrap();
}

#[test]
fn reports_redirect_loops() {
    let fixture = Fixture::new(1);
    fixture.mirrors[0].fail(FILE, vec![Fault::Redirect(FILE.into()); 99]);
    assert!(fixture.assert_fails().contains("redirected too often"));
}

#[test]
fn sends_absolute_urls_to_the_proxy_of_apt() {
    let fixture = Fixture::new(1);
    let address = "http://mirror.example/pool/main/x/x.deb";
    fixture.mirrors[0].put(address, fixture.contents.clone());
    let apt = AptConfiguration {
        http_proxy: Some(fixture.mirrors[0].url().into()),
        ..AptConfiguration::default()
    };
    let download = Download {
        urls: vec![address.into()],
        ..fixture.download()
    };
    Fetcher::new(RetryPolicy::default(), &apt)
        .fetch_all(&[download], &Silent)
        .unwrap();
    assert_eq!(fixture.mirrors[0].requests(), [format!("GET {address}")]);
}
