//! Verification of signed indices, and locks built from them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

mod mirror;

use std::collections::BTreeSet;
use std::time::Duration;

use mirror::archive::{Archive, Key, files_below};
use mirror::{Fault, Mirror};
use slipway_debian::Error;
use slipway_debian::config::Config;
use slipway_debian::fetch::Fetcher;
use slipway_debian::http::AptConfiguration;
use slipway_debian::lock::Lock;
use slipway_debian::lock_builder::LockBuilder;
use slipway_debian::lock_diff::Change;
use slipway_debian::mirrors::{Mirrors, Wanted};
use slipway_debian::signature::Verifier;
use slipway_debian::suites::Suites;
use slipway_http::RetryPolicy;
use slipway_progress::Silent;
use tempfile::TempDir;

const IN_RELEASE: &str = "/debian/dists/trixie/InRelease";
const PACKAGES: &str = "/debian/dists/trixie/main/binary-amd64/Packages.gz";

struct Fixture {
    mirrors: Vec<Mirror>,
    key: Key,
    cache: TempDir,
    accept_expired: bool,
}

impl Fixture {
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
        let retry = RetryPolicy {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(5),
            tries: 2,
            pause: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        let main = self
            .mirrors
            .iter()
            .map(|mirror| format!("{}/debian", mirror.url()))
            .collect();
        use_them(&Suites {
            fetcher: &Fetcher::new(retry, &AptConfiguration::default()),
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

    /// Asserts that reading the index fails and leaves no files behind. Returns the error.
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
            LockBuilder {
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
fn reads_a_signed_index() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(&Archive::new("trixie").with("tool", "1", ""));
    assert!(fixture.packages().unwrap().contains("Package: tool"));
}

#[test]
fn rejects_an_index_modified_after_signing() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let archive = Archive::new("trixie").with("tool", "1", "");
    fixture.publish(&archive);
    let signed = String::from_utf8(fixture.key.sign(&archive.release())).unwrap();
    fixture.mirrors[0].put(IN_RELEASE, signed.replace("Suite: stable", "Suite: stabIe"));
    assert!(matches!(fixture.error(), Error::BadSignature { .. }));
}

#[test]
fn rejects_content_before_or_after_the_signed_text() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let archive = Archive::new("trixie").with("tool", "1", "");
    let signed = String::from_utf8(fixture.key.sign(&archive.release())).unwrap();
    for changed in [
        format!("Suite: other\n\n{signed}"),
        format!("{signed}\nSuite: other\n"),
    ] {
        fixture.mirrors[0].put(IN_RELEASE, changed);
        assert!(matches!(fixture.error(), Error::BadSignature { .. }));
    }
}

#[test]
fn rejects_an_index_signed_with_an_unknown_key() {
    let (Some(fixture), Some(other)) = (Fixture::new(1), Key::make()) else {
        return;
    };
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirrors[0], &other);
    assert!(matches!(fixture.error(), Error::BadSignature { .. }));
}

#[test]
fn rejects_an_unsigned_index() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.mirrors[0].put(
        IN_RELEASE,
        Archive::new("trixie").with("tool", "1", "").release(),
    );
    assert!(matches!(fixture.error(), Error::BadSignature { .. }));
}

#[test]
fn rejects_packages_files_that_do_not_match_the_signed_hash() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let archive = Archive::new("trixie").with("tool", "1", "");
    fixture.publish(&archive);
    let mut packages = archive.packages_file();
    let middle = packages.len() / 2;
    packages[middle] ^= 1;
    fixture.mirrors[0].put(PACKAGES, packages);
    assert!(matches!(fixture.error(), Error::Tampered { .. }));
}

#[test]
fn rejects_the_index_of_another_suite() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(&Archive::new("forky").with("tool", "1", ""));
    assert!(matches!(fixture.error(), Error::WrongSuite { .. }));
}

#[test]
fn rejects_expired_indices_unless_accepted() {
    let Some(mut fixture) = Fixture::new(1) else {
        return;
    };
    let mut archive = Archive::new("trixie").with("tool", "1", "");
    archive.more = "Valid-Until: Sat, 01 Feb 2020 00:00:00 UTC\n".into();
    fixture.publish(&archive);
    assert!(matches!(fixture.error(), Error::Expired { .. }));
    fixture.accept_expired = true;
    assert!(fixture.packages().is_ok());
}

#[test]
fn tries_the_next_mirror_when_verification_fails() {
    let Some(fixture) = Fixture::new(2) else {
        return;
    };
    fixture.publish(&Archive::new("trixie").with("tool", "1", ""));
    fixture.mirrors[0].put(IN_RELEASE, "<html>We are being repaired</html>");
    assert!(fixture.packages().unwrap().contains("Package: tool"));
}

#[test]
fn retries_truncated_indices() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(&Archive::new("trixie").with("tool", "1", ""));
    fixture.mirrors[0].fail(IN_RELEASE, [Fault::CutAfter(100)]);
    assert!(fixture.packages().is_ok());
}

#[test]
fn locks_packages_with_their_dependencies() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(
        &Archive::new("trixie")
            .with("tool", "1", "Depends: lib (>= 1)\n")
            .with("lib", "2", ""),
    );
    let lock = fixture.relock(None, "\"tool\"").unwrap();
    let rows: Vec<_> = lock
        .packages
        .iter()
        .map(|row| (row.name.as_str(), row.depends.len()))
        .collect();
    assert_eq!(rows, [("lib", 0), ("tool", 1)]);
}

#[test]
fn keeps_available_pins_and_updates_unavailable_ones() {
    let Some(fixture) = Fixture::new(2) else {
        return;
    };
    fixture.publish(
        &Archive::new("trixie")
            .with("kept", "1", "")
            .with("gone", "1", ""),
    );
    let old = fixture.relock(None, "\"kept\", \"gone\"").unwrap();
    fixture.publish(
        &Archive::new("trixie")
            .with("kept", "2", "")
            .with("gone", "2", ""),
    );
    assert_eq!(
        moved(
            &old,
            &fixture.relock(Some(&old), "\"kept\", \"gone\"").unwrap()
        ),
        Vec::<String>::new()
    );
    // `kept` remains on the second mirror; `gone` is on neither.
    fixture.mirrors[0].remove("/debian/pool/main/x/kept_1_amd64.deb");
    for mirror in &fixture.mirrors {
        mirror.remove("/debian/pool/main/x/gone_1_amd64.deb");
    }
    let new = fixture.relock(Some(&old), "\"kept\", \"gone\"").unwrap();
    assert_eq!(moved(&old, &new), ["~ gone 1 → 2"]);
    let upgraded = fixture.relock(None, "\"kept\", \"gone\"").unwrap();
    assert_eq!(moved(&old, &upgraded), ["~ gone 1 → 2", "~ kept 1 → 2"]);
}

#[test]
fn new_sets_reuse_pins_of_other_sets() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(&Archive::new("trixie").with("lib", "1", ""));
    let old = fixture.relock(None, "\"lib\"").unwrap();
    fixture.publish(
        &Archive::new("trixie")
            .with("tool", "1", "Depends: lib\n")
            .with("picky", "1", "Depends: lib (>= 2)\n")
            .with("lib", "2", ""),
    );
    let x = ("x", "\"lib\"");
    let with = |set| fixture.relock_sets(Some(&old), &[("w", set), x]).unwrap();
    assert_eq!(moved(&old, &with("\"tool\"")), ["+ tool 1"]);
    assert_eq!(moved(&old, &with("\"picky\"")), ["+ lib 2", "+ picky 1"]);
}

#[test]
fn fails_when_availability_of_a_pin_is_unknown() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    fixture.publish(&Archive::new("trixie").with("tool", "1", ""));
    let old = fixture.relock(None, "\"tool\"").unwrap();
    fixture.publish(&Archive::new("trixie").with("tool", "2", ""));
    fixture.mirrors[0].fail(
        "/debian/pool/main/x/tool_1_amd64.deb",
        vec![Fault::Status(503); 9],
    );
    assert!(fixture.relock(Some(&old), "\"tool\"").is_err());
}

fn package_with(suites: &Suites, file: &str) -> Result<String, Error> {
    let files = [file.parse().unwrap()];
    let found = suites.packages_with(&files, &["trixie".to_owned()], "amd64");
    found.and_then(|mut found| found.remove(0))
}

#[test]
fn finds_packages_by_file_in_contents_indices() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let archive = Archive::new("trixie")
        .with(
            "libblas-dev",
            "1",
            "Depends: libblas-fast-dev | libblas-small-dev\n",
        )
        .with_contents(
            "Contents-amd64.gz",
            "usr/include/zlib.h                      libdevel/zlib1g-dev\n\
             usr/lib/x86_64-linux-gnu/libz.so        libdevel/zlib1g-dev\n\
             usr/lib/x86_64-linux-gnu/fast/libblas.so  libdevel/libblas-fast-dev\n\
             usr/lib/x86_64-linux-gnu/small/libblas.so libdevel/libblas-small-dev\n\
             usr/include/png.h                       libdevel/libpng-dev,libdevel/libpng-old-dev\n\
             usr/include/other/zlib.h                libdevel/other-dev\n\
             usr/lib/x86_64-linux-gnu/libplugin.so   libs/app\n",
        )
        .with_contents(
            "Contents-all.gz",
            "usr/share/pkgconfig/xproto.pc  devel/x11proto-dev\nusr/share/a b/c  misc/odd\n",
        );
    fixture.publish(&archive);
    fixture.with_suites(|suites| {
        for (file, package) in [
            ("header:zlib.h", "zlib1g-dev"),
            ("lib:z", "zlib1g-dev"),
            ("lib:blas", "libblas-dev"),
            ("header:png.h", "libpng-dev"),
            ("header:other/zlib.h", "other-dev"),
            ("pkg-config:xproto", "x11proto-dev"),
            ("lib:plugin", "app"),
        ] {
            assert_eq!(package_with(suites, file).unwrap(), package, "{file}");
        }
        let error = package_with(suites, "lib:none").unwrap_err().to_string();
        assert_eq!(error, "no package of trixie (amd64) has lib:none");
    });
    let contents = "/debian/dists/trixie/main/Contents-amd64.gz";
    let fetched = fixture.mirrors[0].requests();
    let fetched = fetched.iter().filter(|it| it.contains(contents)).count();
    assert_eq!(fetched, 1, "it is fetched once");
}

#[test]
fn lists_ambiguous_packages() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let lines = "usr/include/mpi.h libdevel/mpich-dev,libdevel/openmpi-dev\n";
    fixture.publish(&Archive::new("trixie").with_contents("Contents-amd64.gz", lines));
    let error = fixture.with_suites(|suites| package_with(suites, "header:mpi.h").unwrap_err());
    assert_eq!(
        error.to_string(),
        "several packages have header:mpi.h; name one of them: mpich-dev, openmpi-dev"
    );
}

#[test]
fn rejects_tampered_and_missing_contents_indices() {
    let Some(fixture) = Fixture::new(1) else {
        return;
    };
    let index = |lines| Archive::new("trixie").with_contents("Contents-amd64.gz", lines);
    fixture.publish(&index("usr/include/a.h libdevel/a-dev\n"));
    let other = index("usr/include/a.h libdevel/b-dev\n");
    let bytes = other.contents("Contents-amd64.gz");
    fixture.mirrors[0].put("/debian/dists/trixie/main/Contents-amd64.gz", bytes);
    let error = fixture.with_suites(|suites| package_with(suites, "header:a.h").unwrap_err());
    assert!(matches!(error, Error::Tampered { .. }), "{error}");
    assert!(files_below(fixture.cache.path()).is_empty());

    fixture.publish(&Archive::new("trixie"));
    let error = fixture.with_suites(|suites| package_with(suites, "header:a.h").unwrap_err());
    assert!(error.to_string().contains("no index of files"), "{error}");
}
