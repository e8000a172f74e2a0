//! Tests of `add` and `update`: what they write, and that they change nothing if they fail.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod machine;
#[path = "../../slipway-debian/tests/mirror/mod.rs"]
mod mirror;

use std::fs;
use std::process::Output;

use machine::{Machine, error, stdout};
use mirror::Mirror;
use mirror::archive::{Archive, Key};

const CONFIG: &str = r#"# ours
debian = "trixie"

[set.libraries]
architectures = ["amd64", "arm64"]
suites = ["trixie", "trixie-security"]
packages = ["libc6"] # the least
"#;

/// A project with a pinned libc6, and a mirror.
struct Fixture {
    machine: Machine,
    mirror: Mirror,
    key: Key,
}

impl Fixture {
    /// Returns `None` if this machine cannot sign an index.
    fn new() -> Option<Self> {
        let fixture = Self {
            machine: Machine::new(),
            mirror: Mirror::start(),
            key: Key::make()?,
        };
        fixture.machine.write("work/slipway.toml", CONFIG);
        fixture.publish(archive(), security());
        stdout(&fixture.run(&["lock"]));
        Some(fixture)
    }

    fn publish(&self, main: Archive, security: Archive) {
        main.publish(&self.mirror, &self.key);
        security.publish_as(
            "debian-security",
            "trixie-security",
            &self.mirror,
            &self.key,
        );
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mirror = |directory: &str| format!("{}/{directory}", self.mirror.url());
        self.machine
            .slipway(arguments)
            .env("no_proxy", "127.0.0.1")
            .env("SLIPWAY_KEYRING", self.key.keyring())
            .env("SLIPWAY_DEBIAN_MIRROR", mirror("debian"))
            .env("SLIPWAY_DEBIAN_SECURITY_MIRROR", mirror("debian-security"))
            .output()
            .unwrap()
    }

    fn files(&self) -> [String; 2] {
        ["slipway.toml", "slipway.lock"]
            .map(|name| fs::read_to_string(self.machine.path("work").join(name)).unwrap())
    }

    /// The error of a command, which must not have changed the files.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let error = error(&self.run(arguments));
        assert_eq!(self.files(), before);
        error
    }
}

fn both(archive: Archive, name: &str, version: &str, fields: &str) -> Archive {
    archive
        .with_for("amd64", name, version, fields)
        .with_for("arm64", name, version, fields)
}

fn security() -> Archive {
    both(Archive::new("trixie-security"), "other", "1", "")
}

fn archive() -> Archive {
    let archive = both(Archive::new("trixie"), "libc6", "1", "");
    let archive = both(archive, "libpq-dev", "1", "Depends: libpq5\n");
    let archive = both(archive, "libpq5", "1", "");
    let archive = both(archive, "libtls-a-dev", "1", "Conflicts: libtls-b-dev\n");
    let archive = both(archive, "libtls-b-dev", "1", "");
    archive.with_for("amd64", "libintel-dev", "1", "").with_for(
        "s390x",
        "libmainframe-dev",
        "1",
        "",
    )
}

#[test]
fn add_pins_a_package_and_its_dependencies() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    assert_eq!(
        stdout(&fixture.run(&["add", "libpq-dev"])),
        "+ libpq-dev 1\n+ libpq5 1\nslipway.toml and slipway.lock are written: 3 packages\n"
    );
    let [config, lock] = fixture.files();
    assert_eq!(
        config,
        CONFIG.replace("[\"libc6\"]", "[\"libc6\", \"libpq-dev\"]")
    );
    assert!(lock.contains("name = \"libpq5\""), "{lock}");
}

const CONTENTS: &str = "Contents-amd64.gz";
const LIBPQ_FILES: &str = "usr/include/postgresql/libpq-fe.h          libdevel/libpq-dev\n\
                           usr/lib/x86_64-linux-gnu/libpq.so          libdevel/libpq-dev\n\
                           usr/lib/x86_64-linux-gnu/pkgconfig/tls.pc  libdevel/libtls-a-dev,libdevel/libtls-b-dev\n";

#[test]
fn add_finds_the_package_that_contains_a_file() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let contents = archive().with_contents(CONTENTS, LIBPQ_FILES);
    fixture.publish(contents, security());
    assert_eq!(
        stdout(&fixture.run(&["add", "lib:pq", "header:libpq-fe.h"])),
        "lib:pq is in libpq-dev\nheader:libpq-fe.h is in libpq-dev\n\
         + libpq-dev 1\n+ libpq5 1\nslipway.toml and slipway.lock are written: 3 packages\n"
    );
    let [config, _] = fixture.files();
    assert_eq!(
        config,
        CONFIG.replace("[\"libc6\"]", "[\"libc6\", \"libpq-dev\"]")
    );
}

#[test]
fn add_rejects_a_file_in_no_package_or_in_several() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let contents = archive().with_contents(CONTENTS, LIBPQ_FILES);
    fixture.publish(contents, security());
    for (file, expected) in [
        (
            "lib:nothing",
            "no package of trixie, trixie-security (amd64) has lib:nothing",
        ),
        (
            "pkg-config:tls",
            "several packages have pkg-config:tls; name one of them: libtls-a-dev, libtls-b-dev",
        ),
        (
            "so:pq",
            "\"so:pq\" is not pkg-config:NAME, lib:NAME, header:PATH or program:NAME",
        ),
    ] {
        let error = fixture.refused(&["add", "libpq-dev", file]);
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn add_rejects_a_contents_index_that_is_not_the_signed_one() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let contents = archive().with_contents(CONTENTS, LIBPQ_FILES);
    fixture.publish(contents, security());
    let other = archive().with_contents(CONTENTS, &LIBPQ_FILES.replace("libpq-dev", "libqp-dev"));
    let path = format!("/debian/dists/trixie/main/{CONTENTS}");
    fixture.mirror.put(&path, other.contents(CONTENTS));
    let error = fixture.refused(&["add", "header:libpq-fe.h"]);
    assert!(error.contains(CONTENTS), "{error}");
}

#[test]
fn add_changes_nothing_for_a_package_that_is_already_pinned() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let before = fixture.files();
    assert_eq!(
        stdout(&fixture.run(&["add", "libc6"])),
        "libc6 was there already\n"
    );
    assert_eq!(fixture.files(), before);
}

#[test]
fn add_suggests_similar_names_for_an_unknown_package() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let error = fixture.refused(&["add", "libpq"]);
    assert!(
        error.ends_with("package libpq is in none of its suites; libpq-dev is"),
        "{error}"
    );
    let error = fixture.refused(&["add", "libpq-dev", "libnothing-dev"]);
    assert!(
        error.contains("package libnothing-dev is in none of its suites, nor for another"),
        "{error}"
    );
    let error = fixture.refused(&["add", "libqp-dev"]);
    assert!(
        error.ends_with("package libqp-dev is in none of its suites; libpq-dev is"),
        "{error}"
    );
    let error = fixture.refused(&["add", "Lib Pq"]);
    assert!(
        error.contains("\"Lib Pq\" is not a package name"),
        "{error}"
    );
}

#[test]
fn add_names_the_architectures_of_a_package_that_lacks_one() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    for (package, lacking, there) in [
        ("libintel-dev", "arm64", "amd64"),
        ("libmainframe-dev", "amd64", "s390x"),
    ] {
        let error = fixture.refused(&["add", package]);
        let expected = format!(
            "set libraries ({lacking}): package {package} is in none of its suites; it is there for {there}"
        );
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn add_rejects_conflicting_packages() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let error = fixture.refused(&["add", "libtls-a-dev", "libtls-b-dev"]);
    assert!(
        error.contains("libtls-a-dev 1 (amd64) conflicts with libtls-b-dev 1 (amd64)"),
        "{error}"
    );
    stdout(&fixture.run(&["add", "libtls-a-dev"]));
    fixture.refused(&["add", "libtls-b-dev"]);
}

#[test]
fn update_lists_changes_with_security_fixes_first() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    stdout(&fixture.run(&["add", "libpq-dev"]));
    fixture.publish(
        both(archive(), "libc6", "2", ""),
        both(security(), "libpq5", "1+deb13u1", ""),
    );
    let before = fixture.files();
    let moved = "~ libpq5 1 → 1+deb13u1 (security)\n~ libc6 1 → 2\n";
    assert_eq!(
        stdout(&fixture.run(&["update", "--dry-run"])),
        format!("{moved}2 packages would change, 1 of them for security\n")
    );
    assert_eq!(fixture.files(), before);
    assert_eq!(
        stdout(&fixture.run(&["update"])),
        format!("{moved}slipway.lock is written: 2 packages changed, 1 of them for security\n")
    );
    assert_eq!(
        stdout(&fixture.run(&["update"])),
        "slipway.lock has the newest versions: nothing changed\n"
    );
}

#[test]
fn update_prints_changes_as_json() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    fixture.publish(both(archive(), "libc6", "2", ""), security());
    let moved: serde_json::Value =
        serde_json::from_str(&stdout(&fixture.run(&["update", "--format", "json"]))).unwrap();
    assert_eq!(
        moved,
        serde_json::json!([{"name": "libc6", "old": ["1"], "new": ["2"], "security": false}])
    );
}
