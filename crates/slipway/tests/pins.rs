//! `slipway add` and `slipway update`: what they write, and what they refuse and then leave alone.

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
release = "trixie"

[set.libraries]
architectures = ["amd64", "arm64"]
suites = ["trixie", "trixie-security"]
packages = ["libc6"] # the least
"#;

/// A project whose libc6 is pinned, and a mirror.
struct Scene {
    machine: Machine,
    mirror: Mirror,
    key: Key,
}

impl Scene {
    /// None where nothing can sign an index.
    fn new() -> Option<Self> {
        let scene = Self {
            machine: Machine::new(),
            mirror: Mirror::start(),
            key: Key::make()?,
        };
        scene.machine.write("work/slipway.toml", CONFIG);
        scene.publish(archive(), security());
        stdout(&scene.run(&["lock"]));
        Some(scene)
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
            .env("SLIPWAY_MIRROR", mirror("debian"))
            .env("SLIPWAY_SECURITY_MIRROR", mirror("debian-security"))
            .output()
            .unwrap()
    }

    fn files(&self) -> [String; 2] {
        ["slipway.toml", "slipway.lock"]
            .map(|name| fs::read_to_string(self.machine.path("work").join(name)).unwrap())
    }

    /// The error of a command, which must have left both files as they were.
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
fn add_names_the_package_and_pins_it_with_what_it_depends_on() {
    let Some(scene) = Scene::new() else { return };
    assert_eq!(
        stdout(&scene.run(&["add", "libpq-dev"])),
        "+ libpq-dev 1\n+ libpq5 1\nslipway.toml and slipway.lock are written: 3 packages\n"
    );
    let [config, lock] = scene.files();
    assert_eq!(
        config,
        CONFIG.replace("[\"libc6\"]", "[\"libc6\", \"libpq-dev\"]")
    );
    assert!(lock.contains("name = \"libpq5\""), "{lock}");
}

#[test]
fn add_of_what_is_there_changes_nothing() {
    let Some(scene) = Scene::new() else { return };
    let before = scene.files();
    assert_eq!(
        stdout(&scene.run(&["add", "libc6"])),
        "libc6 was there already\n"
    );
    assert_eq!(scene.files(), before);
}

#[test]
fn a_package_that_does_not_exist_is_refused_with_what_may_be_meant() {
    let Some(scene) = Scene::new() else { return };
    let error = scene.refused(&["add", "libpq"]);
    assert!(
        error.ends_with("package libpq is in none of its suites; libpq-dev is"),
        "{error}"
    );
    let error = scene.refused(&["add", "libpq-dev", "libnothing-dev"]);
    assert!(
        error.contains("package libnothing-dev is in none of its suites, nor for another"),
        "{error}"
    );
    let error = scene.refused(&["add", "libqp-dev"]);
    assert!(
        error.ends_with("package libqp-dev is in none of its suites; libpq-dev is"),
        "{error}"
    );
    let error = scene.refused(&["add", "Lib Pq"]);
    assert!(
        error.contains("\"Lib Pq\" is not a package name"),
        "{error}"
    );
}

#[test]
fn a_package_that_is_not_for_an_architecture_is_refused_with_those_that_it_is_for() {
    let Some(scene) = Scene::new() else { return };
    for (package, lacking, there) in [
        ("libintel-dev", "arm64", "amd64"),
        ("libmainframe-dev", "amd64", "s390x"),
    ] {
        let error = scene.refused(&["add", package]);
        let expected = format!(
            "set libraries ({lacking}): package {package} is in none of its suites; it is there for {there}"
        );
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn packages_in_conflict_are_refused() {
    let Some(scene) = Scene::new() else { return };
    let error = scene.refused(&["add", "libtls-a-dev", "libtls-b-dev"]);
    assert!(
        error.contains("libtls-a-dev 1 (amd64) conflicts with libtls-b-dev 1 (amd64)"),
        "{error}"
    );
    stdout(&scene.run(&["add", "libtls-a-dev"]));
    scene.refused(&["add", "libtls-b-dev"]);
}

#[test]
fn update_says_what_moved_with_security_fixes_first() {
    let Some(scene) = Scene::new() else { return };
    stdout(&scene.run(&["add", "libpq-dev"]));
    scene.publish(
        both(archive(), "libc6", "2", ""),
        both(security(), "libpq5", "1+deb13u1", ""),
    );
    let before = scene.files();
    let moved = "~ libpq5 1 → 1+deb13u1 (security)\n~ libc6 1 → 2\n";
    assert_eq!(
        stdout(&scene.run(&["update", "--dry-run"])),
        format!("{moved}2 packages would change, 1 of them for security\n")
    );
    assert_eq!(scene.files(), before);
    assert_eq!(
        stdout(&scene.run(&["update"])),
        format!("{moved}slipway.lock is written: 2 packages changed, 1 of them for security\n")
    );
    assert_eq!(
        stdout(&scene.run(&["update"])),
        "slipway.lock has the newest versions: nothing changed\n"
    );
}

#[test]
fn update_tells_programs_what_moved() {
    let Some(scene) = Scene::new() else { return };
    scene.publish(both(archive(), "libc6", "2", ""), security());
    let moved: serde_json::Value =
        serde_json::from_str(&stdout(&scene.run(&["update", "--format", "json"]))).unwrap();
    assert_eq!(
        moved,
        serde_json::json!([{"name": "libc6", "old": ["1"], "new": ["2"], "security": false}])
    );
}
