//! Files are fetched from mirrors that fail in every known way.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
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
use slipway_debian::http::{AptConfiguration, Patience};
use slipway_debian::progress::Silent;
use tempfile::TempDir;

const FILE: &str = "/pool/main/x/x.deb";

struct Scene {
    mirrors: Vec<Mirror>,
    directory: TempDir,
    contents: Vec<u8>,
}

impl Scene {
    /// So many mirrors that all have the file.
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

    /// Fetching fails and leaves nothing behind; gives the message.
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
    let patience = Patience {
        connect: Duration::from_secs(5),
        stall: Duration::from_millis(300),
        rounds: 3,
        pause: Duration::from_millis(1),
    };
    Fetcher::new(patience, &AptConfiguration::default())
}

#[test]
fn a_file_is_fetched_and_not_fetched_again() {
    let scene = Scene::new(1);
    scene.assert_fetched();
    scene.assert_fetched();
    assert_eq!(scene.mirrors[0].requests(), [format!("GET {FILE}")]);
}

#[test]
fn a_file_that_went_bad_on_disk_is_fetched_again() {
    let scene = Scene::new(1);
    fs::write(scene.destination(), vec![0; scene.contents.len()]).unwrap();
    scene.assert_fetched();
}

#[test]
fn a_tampered_file_is_refused_with_both_hashes_and_deleted() {
    let scene = Scene::new(1);
    let mut tampered = scene.contents.clone();
    tampered[7] ^= 1;
    scene.mirrors[0].put(FILE, tampered.clone());
    let message = scene.assert_fails();
    assert!(
        message.contains(&Sha256::of(&scene.contents).to_string()),
        "{message}"
    );
    assert!(
        message.contains(&Sha256::of(&tampered).to_string()),
        "{message}"
    );
}

#[test]
fn a_tampered_file_on_one_mirror_is_fetched_from_the_next() {
    let scene = Scene::new(2);
    scene.mirrors[0].put(FILE, vec![0; scene.contents.len()]);
    scene.assert_fetched();
}

#[test]
fn an_error_page_with_status_200_is_recognised() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, [Fault::ErrorPage]);
    let message = scene.assert_fails();
    assert!(
        message.contains("an error page with a status of success"),
        "{message}"
    );
}

#[test]
fn an_error_page_on_one_mirror_is_passed_over_whether_it_says_its_length_or_not() {
    for fault in [Fault::ErrorPage, Fault::ErrorPageOfUnknownLength] {
        let scene = Scene::new(2);
        scene.mirrors[0].fail(FILE, vec![fault; 3]);
        scene.assert_fetched();
    }
}

#[test]
fn a_connection_that_was_cut_is_resumed_where_it_ended() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, [Fault::CutAfter(70_000), Fault::CutAfter(30_000)]);
    scene.assert_fetched();
    assert_eq!(
        scene.mirrors[0].requests(),
        [
            format!("GET {FILE}"),
            format!("GET {FILE} from 70000"),
            format!("GET {FILE} from 100000")
        ]
    );
}

#[test]
fn a_mirror_that_cuts_off_again_and_again_is_borne_while_bytes_come() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, vec![Fault::CutAfter(20_000); 9]);
    scene.assert_fetched();
}

#[test]
fn what_an_earlier_run_left_is_used() {
    let scene = Scene::new(1);
    fs::write(scene.part(), &scene.contents[..150_000]).unwrap();
    scene.assert_fetched();
    assert_eq!(
        scene.mirrors[0].requests(),
        [format!("GET {FILE} from 150000")]
    );
}

#[test]
fn what_an_earlier_run_left_is_thrown_away_when_it_is_wrong() {
    for left in [vec![9; 150_000], vec![9; 200_000], vec![9; 300_000]] {
        let scene = Scene::new(1);
        fs::write(scene.part(), left).unwrap();
        scene.assert_fetched();
    }
}

#[test]
fn a_mirror_that_knows_no_ranges_sends_the_whole_file() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, [Fault::CutAfter(70_000), Fault::IgnoreRange]);
    scene.assert_fetched();
}

#[test]
fn a_mirror_that_stalls_is_left_and_the_next_one_goes_on() {
    let scene = Scene::new(2);
    scene.mirrors[0].fail(FILE, vec![Fault::StallAfter(60_000); 3]);
    scene.assert_fetched();
    assert_eq!(
        scene.mirrors[1].requests(),
        [format!("GET {FILE} from 60000")]
    );
}

#[test]
fn a_mirror_that_is_overloaded_is_asked_again() {
    for status in [503, 500, 429] {
        let scene = Scene::new(1);
        scene.mirrors[0].fail(FILE, vec![Fault::Status(status); 2]);
        scene.assert_fetched();
    }
}

#[test]
fn a_mirror_that_stays_overloaded_is_an_error_that_names_it() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, vec![Fault::Status(503); 9]);
    let message = scene.assert_fails();
    assert!(
        message.starts_with("x 1 (amd64) could not be fetched") && message.contains("503"),
        "{message}"
    );
}

#[test]
fn a_mirror_that_is_down_is_passed_over() {
    let mut scene = Scene::new(1);
    scene.assert_fetched();
    fs::remove_file(scene.destination()).unwrap();
    let mut download = scene.download();
    // Nothing listens on the port that was just free.
    let down = Mirror::start().url().to_owned();
    download.urls.insert(0, format!("{down}{FILE}"));
    fetcher().fetch_all(&[download], &Silent).unwrap();
    scene.mirrors.clear();
    fs::remove_file(scene.destination()).unwrap();
    let download = Download {
        urls: vec![format!("{down}{FILE}")],
        ..scene.download()
    };
    let error = fetcher().fetch_all(&[download], &Silent).unwrap_err();
    assert!(matches!(&error, Error::Fetch { .. }), "{error}");
    assert!(files_below(scene.directory.path()).is_empty());
}

#[test]
fn what_no_mirror_has_is_gone() {
    let scene = Scene::new(2);
    scene.mirrors[0].remove(FILE);
    scene.mirrors[1].fail(FILE, [Fault::Status(410)]);
    let error = scene.fetch().unwrap_err();
    assert!(
        matches!(&error, Error::Gone(labels) if *labels == ["x 1 (amd64)"]),
        "{error}"
    );
    assert!(files_below(scene.directory.path()).is_empty());
}

#[test]
fn what_one_mirror_lacks_and_another_cannot_send_is_not_gone() {
    let scene = Scene::new(2);
    scene.mirrors[0].remove(FILE);
    scene.mirrors[1].fail(FILE, vec![Fault::Status(503); 9]);
    assert!(matches!(scene.fetch().unwrap_err(), Error::Fetch { .. }));
}

#[test]
fn all_that_is_gone_is_named_though_the_rest_is_fetched() {
    let scene = Scene::new(1);
    let gone = |name: &str| Download {
        label: format!("{name} 1 (amd64)"),
        urls: vec![format!("{}/pool/{name}.deb", scene.mirrors[0].url())],
        destination: scene.directory.path().join(format!("{name}.deb")),
        ..scene.download()
    };
    let error = fetcher()
        .fetch_all(&[gone("b"), scene.download(), gone("a")], &Silent)
        .unwrap_err();
    assert!(
        matches!(&error, Error::Gone(labels) if *labels == ["a 1 (amd64)", "b 1 (amd64)"]),
        "{error}"
    );
    assert_eq!(files_below(scene.directory.path()), [scene.destination()]);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let scene = Scene::new(1);
    // The kernel's own full disk stands where the bytes would go.
    std::os::unix::fs::symlink("/dev/full", scene.part()).unwrap();
    let message = scene.assert_fails();
    assert!(message.starts_with("the disk is full"), "{message}");
}

#[test]
fn many_files_are_fetched_at_once() {
    let scene = Scene::new(1);
    let downloads: Vec<Download> = (0..40)
        .map(|i| {
            let contents = format!("file {i}").repeat(i);
            scene.mirrors[0].put(&format!("/{i}"), contents.clone());
            Download {
                label: i.to_string(),
                urls: vec![format!("{}/{i}", scene.mirrors[0].url())],
                size: contents.len() as u64,
                sha256: Sha256::of(contents.as_bytes()),
                destination: scene.directory.path().join(i.to_string()),
            }
        })
        .collect();
    fetcher().fetch_all(&downloads, &Silent).unwrap();
    assert_eq!(files_below(scene.directory.path()).len(), 40);
}

#[test]
fn whether_a_mirror_still_has_a_file_is_found_out_without_fetching_it() {
    let scene = Scene::new(2);
    let urls = scene.download().urls;
    scene.mirrors[0].remove(FILE);
    assert!(fetcher().exists(&urls).unwrap());
    scene.mirrors[1].remove(FILE);
    assert!(!fetcher().exists(&urls).unwrap());
    scene.mirrors[1].fail(FILE, vec![Fault::Status(503); 9]);
    assert!(fetcher().exists(&urls).is_err());
    assert!(
        scene.mirrors[0]
            .requests()
            .iter()
            .all(|request| request.starts_with("HEAD"))
    );
}

#[test]
fn a_redirect_is_followed() {
    let scene = Scene::new(2);
    scene.mirrors[0].remove(FILE);
    let elsewhere = format!("{}{FILE}", scene.mirrors[1].url());
    scene.mirrors[0].fail(FILE, [Fault::Redirect(elsewhere)]);
    let download = Download {
        urls: vec![scene.download().urls[0].clone()],
        ..scene.download()
    };
    fetcher().fetch_all(&[download], &Silent).unwrap();
}

#[test]
fn mirrors_that_send_each_other_round_are_an_error() {
    let scene = Scene::new(1);
    scene.mirrors[0].fail(FILE, vec![Fault::Redirect(FILE.into()); 99]);
    assert!(scene.assert_fails().contains("redirected too often"));
}

#[test]
fn a_proxy_of_apts_configuration_is_asked_for_the_whole_address() {
    let scene = Scene::new(1);
    let address = "http://mirror.example/pool/main/x/x.deb";
    scene.mirrors[0].put(address, scene.contents.clone());
    let apt = AptConfiguration {
        http_proxy: Some(scene.mirrors[0].url().into()),
        ..AptConfiguration::default()
    };
    let download = Download {
        urls: vec![address.into()],
        ..scene.download()
    };
    Fetcher::new(Patience::default(), &apt)
        .fetch_all(&[download], &Silent)
        .unwrap();
    assert_eq!(scene.mirrors[0].requests(), [format!("GET {address}")]);
}
