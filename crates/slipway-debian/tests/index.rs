//! A mirror's index is believed only as far as its signature goes; and the lock that is made from
//! it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod mirror;

use std::collections::BTreeSet;
use std::time::Duration;

use mirror::archive::{Archive, Key, files_below};
use mirror::{Fault, Mirror};
use slipway_debian::Error;
use slipway_debian::changes::Change;
use slipway_debian::config::Config;
use slipway_debian::fetch::Fetcher;
use slipway_debian::http::{AptConfiguration, Patience};
use slipway_debian::lock::Lock;
use slipway_debian::mirrors::{Mirrors, Wanted};
use slipway_debian::progress::Silent;
use slipway_debian::relock::Relock;
use slipway_debian::signature::Verifier;
use slipway_debian::suites::Suites;
use tempfile::TempDir;

const IN_RELEASE: &str = "/debian/dists/trixie/InRelease";
const PACKAGES: &str = "/debian/dists/trixie/main/binary-amd64/Packages.gz";

struct Scene {
    mirrors: Vec<Mirror>,
    key: Key,
    cache: TempDir,
    accept_expired: bool,
}

impl Scene {
    fn new(mirrors: usize) -> Option<Self> {
        let key = Key::make()?;
        let mirrors = (0..mirrors).map(|_| Mirror::start()).collect();
        Some(Self {
            mirrors,
            key,
            cache: TempDir::new().unwrap(),
            accept_expired: false,
        })
    }

    fn publish(&self, archive: &Archive) {
        for mirror in &self.mirrors {
            archive.publish(mirror, &self.key);
        }
    }

    fn with_suites<T>(&self, use_them: impl FnOnce(&Suites) -> T) -> T {
        let patience = Patience {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(5),
            rounds: 2,
            pause: Duration::from_millis(1),
        };
        let main = self
            .mirrors
            .iter()
            .map(|mirror| format!("{}/debian", mirror.url()))
            .collect();
        use_them(&Suites {
            fetcher: &Fetcher::new(patience, &AptConfiguration::default()),
            mirrors: &Mirrors::find(&Wanted {
                main,
                security: vec![],
            })
            .unwrap(),
            verifier: &Verifier::find(Some(&self.key.keyring())).unwrap(),
            progress: &Silent,
            cache: self.cache.path().to_owned(),
            accept_expired: self.accept_expired,
        })
    }

    fn packages(&self) -> Result<String, Error> {
        let result = self.with_suites(|suites| suites.packages("trixie", &["amd64"]));
        result.map(|mut texts| texts.remove(0))
    }

    /// Reading the index fails and leaves nothing behind.
    fn error(&self) -> Error {
        let error = self.packages().unwrap_err();
        assert!(files_below(self.cache.path()).is_empty(), "{error}");
        error
    }

    fn relock(&self, old: Option<&Lock>, packages: &str) -> Result<Lock, Error> {
        self.relock_sets(old, &[("x", packages)])
    }

    fn relock_sets(&self, old: Option<&Lock>, sets: &[(&str, &str)]) -> Result<Lock, Error> {
        let mut config = String::from("release = \"trixie\"\n");
        for (name, packages) in sets {
            config += &format!(
                "[set.{name}]\narchitectures = [\"amd64\"]\nsuites = [\"trixie\"]\npackages = [{packages}]\n"
            );
        }
        let config = Config::parse(&config);
        self.with_suites(|suites| {
            let gone = BTreeSet::new();
            let cache = self.cache.path().to_owned();
            Relock {
                config: &config.unwrap(),
                old,
                gone: &gone,
                suites,
                cache,
            }
            .run()
        })
    }
}

fn moved(old: &Lock, new: &Lock) -> Vec<String> {
    Change::between(Some(old), new)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_signed_index_is_read() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(&Archive::new("trixie").with("tool", "1", ""));
    assert!(scene.packages().unwrap().contains("Package: tool"));
}

#[test]
fn an_index_that_was_changed_after_it_was_signed_is_refused() {
    let Some(scene) = Scene::new(1) else { return };
    let archive = Archive::new("trixie").with("tool", "1", "");
    scene.publish(&archive);
    let signed = String::from_utf8(scene.key.sign(&archive.release())).unwrap();
    scene.mirrors[0].put(IN_RELEASE, signed.replace("Suite: stable", "Suite: stabIe"));
    assert!(matches!(scene.error(), Error::BadSignature { .. }));
}

#[test]
fn an_index_with_something_before_or_after_the_signed_text_is_refused() {
    let Some(scene) = Scene::new(1) else { return };
    let archive = Archive::new("trixie").with("tool", "1", "");
    let signed = String::from_utf8(scene.key.sign(&archive.release())).unwrap();
    for changed in [
        format!("Suite: other\n\n{signed}"),
        format!("{signed}\nSuite: other\n"),
    ] {
        scene.mirrors[0].put(IN_RELEASE, changed);
        assert!(matches!(scene.error(), Error::BadSignature { .. }));
    }
}

#[test]
fn an_index_signed_with_another_key_is_refused() {
    let (Some(scene), Some(other)) = (Scene::new(1), Key::make()) else {
        return;
    };
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirrors[0], &other);
    assert!(matches!(scene.error(), Error::BadSignature { .. }));
}

#[test]
fn an_index_without_a_signature_is_refused() {
    let Some(scene) = Scene::new(1) else { return };
    scene.mirrors[0].put(
        IN_RELEASE,
        Archive::new("trixie").with("tool", "1", "").release(),
    );
    assert!(matches!(scene.error(), Error::BadSignature { .. }));
}

#[test]
fn packages_that_do_not_match_the_signed_index_are_refused() {
    let Some(scene) = Scene::new(1) else { return };
    let archive = Archive::new("trixie").with("tool", "1", "");
    scene.publish(&archive);
    let mut packages = archive.packages_file();
    let middle = packages.len() / 2;
    packages[middle] ^= 1;
    scene.mirrors[0].put(PACKAGES, packages);
    assert!(matches!(scene.error(), Error::Tampered { .. }));
}

#[test]
fn the_index_of_another_suite_is_refused() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(&Archive::new("forky").with("tool", "1", ""));
    assert!(matches!(scene.error(), Error::WrongSuite { .. }));
}

#[test]
fn an_expired_index_is_refused_unless_apt_accepts_it_here() {
    let Some(mut scene) = Scene::new(1) else {
        return;
    };
    let mut archive = Archive::new("trixie").with("tool", "1", "");
    archive.more = "Valid-Until: Sat, 01 Feb 2020 00:00:00 UTC\n".into();
    scene.publish(&archive);
    assert!(matches!(scene.error(), Error::Expired { .. }));
    scene.accept_expired = true;
    assert!(scene.packages().is_ok());
}

#[test]
fn the_next_mirror_is_asked_when_one_cannot_be_believed() {
    let Some(scene) = Scene::new(2) else { return };
    scene.publish(&Archive::new("trixie").with("tool", "1", ""));
    scene.mirrors[0].put(IN_RELEASE, "<html>We are being repaired</html>");
    assert!(scene.packages().unwrap().contains("Package: tool"));
}

#[test]
fn an_index_that_is_cut_off_is_fetched_again() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(&Archive::new("trixie").with("tool", "1", ""));
    scene.mirrors[0].fail(IN_RELEASE, [Fault::CutAfter(100)]);
    assert!(scene.packages().is_ok());
}

#[test]
fn a_lock_holds_what_is_wanted_and_what_it_depends_on() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(
        &Archive::new("trixie")
            .with("tool", "1", "Depends: lib (>= 1)\n")
            .with("lib", "2", ""),
    );
    let lock = scene.relock(None, "\"tool\"").unwrap();
    let rows: Vec<_> = lock
        .packages
        .iter()
        .map(|row| (row.name.as_str(), row.depends.len()))
        .collect();
    assert_eq!(rows, [("lib", 0), ("tool", 1)]);
}

#[test]
fn pins_stay_while_any_mirror_has_them_and_move_when_they_are_gone() {
    let Some(scene) = Scene::new(2) else { return };
    scene.publish(
        &Archive::new("trixie")
            .with("kept", "1", "")
            .with("gone", "1", ""),
    );
    let old = scene.relock(None, "\"kept\", \"gone\"").unwrap();
    scene.publish(
        &Archive::new("trixie")
            .with("kept", "2", "")
            .with("gone", "2", ""),
    );
    assert_eq!(
        moved(
            &old,
            &scene.relock(Some(&old), "\"kept\", \"gone\"").unwrap()
        ),
        Vec::<String>::new()
    );
    // One mirror still has the file of the one, none that of the other.
    scene.mirrors[0].remove("/debian/pool/main/x/kept_1_amd64.deb");
    for mirror in &scene.mirrors {
        mirror.remove("/debian/pool/main/x/gone_1_amd64.deb");
    }
    let new = scene.relock(Some(&old), "\"kept\", \"gone\"").unwrap();
    assert_eq!(moved(&old, &new), ["~ gone 1 → 2"]);
    let upgraded = scene.relock(None, "\"kept\", \"gone\"").unwrap();
    assert_eq!(moved(&old, &upgraded), ["~ gone 1 → 2", "~ kept 1 → 2"]);
}

#[test]
fn a_new_set_takes_what_another_has_pinned() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(&Archive::new("trixie").with("lib", "1", ""));
    let old = scene.relock(None, "\"lib\"").unwrap();
    scene.publish(
        &Archive::new("trixie")
            .with("tool", "1", "Depends: lib\n")
            .with("picky", "1", "Depends: lib (>= 2)\n")
            .with("lib", "2", ""),
    );
    let x = ("x", "\"lib\"");
    let with = |set| scene.relock_sets(Some(&old), &[("w", set), x]).unwrap();
    assert_eq!(moved(&old, &with("\"tool\"")), ["+ tool 1"]);
    assert_eq!(moved(&old, &with("\"picky\"")), ["+ lib 2", "+ picky 1"]);
}

#[test]
fn nothing_moves_when_it_cannot_be_found_out_whether_a_pin_is_gone() {
    let Some(scene) = Scene::new(1) else { return };
    scene.publish(&Archive::new("trixie").with("tool", "1", ""));
    let old = scene.relock(None, "\"tool\"").unwrap();
    scene.publish(&Archive::new("trixie").with("tool", "2", ""));
    scene.mirrors[0].fail(
        "/debian/pool/main/x/tool_1_amd64.deb",
        vec![Fault::Status(503); 9],
    );
    assert!(scene.relock(Some(&old), "\"tool\"").is_err());
}
