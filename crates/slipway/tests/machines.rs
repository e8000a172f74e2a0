//! Tests of `doctor`, `platforms`, `completions` and `man`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod machine;

use std::process::Output;

use machine::{Machine, error, stderr, stdout};
use serde_json::Value;

const NIX: &str = r#"
case "$*" in
  *--version*) echo "nix (Nix) 2.8.0" ;;
  *show-config*--json*) echo '{}' ;;
  *show-config*) printf 'experimental-features = flakes nix-command\nsandbox = true\n' ;;
  *"eval --json .#lib.platforms"*)
    echo '{"aarch64":{"oci":"linux/arm64","debian":"arm64","default":true,"binfmt":"qemu-none"},"x86_64":{"oci":"linux/amd64","debian":"amd64","default":true,"binfmt":"qemu-x86_64"}}' ;;
  *) echo "error: unexpected: $*" >&2; exit 1 ;;
esac
"#;

/// A machine with everything that builds need, except a reachable mirror.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.program("nix", NIX);
    for program in ["git", "cargo", "podman"] {
        machine.program(program, &format!("echo '{program} 1.0'"));
    }
    machine.write(
        "work/slipway.toml",
        "debian = \"trixie\"\n[set.tools]\narchitectures = [\"amd64\"]\nsuites = [\"trixie\"]\npackages = [\"tool\"]\n",
    );
    machine
}

fn run(machine: &Machine, arguments: &[&str]) -> Output {
    machine.slipway(arguments).output().unwrap()
}

fn doctor(machine: &Machine, arguments: &[&str]) -> Output {
    let all = [
        &["doctor", "--mirror", "http://127.0.0.1:1/debian"],
        arguments,
    ]
    .concat();
    machine.alone(&all).output().unwrap()
}

/// The state and the text of the finding on a subject.
fn finding(output: &Output, subject: &str) -> (String, String) {
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows.iter().find(|row| row["subject"] == subject);
    let row = row.unwrap_or_else(|| panic!("no {subject}: {rows:?}"));
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    (text("state"), text("text"))
}

#[test]
fn doctor_finds_installed_programs() {
    let machine = machine();
    let output = doctor(&machine, &["--format=json"]);
    assert_eq!(finding(&output, "nix"), ("ok".into(), "version 2.8".into()));
    assert_eq!(finding(&output, "flakes").1, "on");
    assert_eq!(finding(&output, "git"), ("ok".into(), "git 1.0".into()));
    assert_eq!(finding(&output, "podman").0, "ok");
    assert_eq!(finding(&output, "docker").0, "note");
    assert_eq!(finding(&output, "registries").0, "note");
    assert!(
        finding(&output, "project")
            .1
            .ends_with("for linux/arm64, linux/amd64")
    );
}

#[test]
fn doctor_fails_if_builds_lack_something() {
    let machine = machine();
    let output = doctor(&machine, &["--format=json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (state, text) = finding(&output, "mirrors");
    assert_eq!(state, "lacks");
    assert!(
        text.contains("127.0.0.1:1") && text.contains("http_proxy"),
        "{text}"
    );
    let bare = Machine::new();
    let output = doctor(&bare, &["--format=json"]);
    for (subject, next) in [
        ("nix", "apt-get install"),
        ("git", "apt-get install git"),
        ("cargo", "install Rust"),
    ] {
        let (state, text) = finding(&output, subject);
        assert_eq!(state, "lacks", "{text}");
        assert!(text.contains(next), "{text}");
    }
    let printed = stdout_unchecked(&doctor(&bare, &[]));
    assert!(
        printed.lines().any(|line| line.starts_with("lacks  nix ")),
        "{printed}"
    );
}

fn stdout_unchecked(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn doctor_prints_no_secrets() {
    let machine = machine();
    machine.write(
        "home/.docker/config.json",
        r#"{"auths": {"registry.example": {"auth": "c2VjcmV0"}}}"#,
    );
    let mut command = machine.alone(&["doctor", "--mirror", "http://me:secret@127.0.0.1:1/debian"]);
    command.env("https_proxy", "http://me:secret@proxy.example:3128");
    let output = command.output().unwrap();
    let printed = stdout_unchecked(&output) + &stderr(&output);
    assert!(
        printed.contains("credentials for registry.example"),
        "{printed}"
    );
    assert!(
        printed.contains("https_proxy=http://proxy.example:3128"),
        "{printed}"
    );
    assert!(
        !printed.contains("secret") && !printed.contains("c2VjcmV0"),
        "{printed}"
    );
}

#[test]
fn platforms_prints_every_name() {
    let machine = machine();
    let all = stdout(&run(&machine, &["platforms"]));
    assert!(all.contains("debian   arm64        amd64\n"), "{all}");
    let one = stdout(&run(&machine, &["platforms", "amd64", "--format", "json"]));
    let rows: Vec<Value> = serde_json::from_str(&one).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["name"], &rows[0]["oci"]),
        (&"x86_64".into(), &"linux/amd64".into())
    );
    let message = error(&run(&machine, &["platforms", "mips"]));
    assert!(
        message.contains("mips is not a platform that can be built"),
        "{message}"
    );
}

#[test]
fn every_command_has_completions_and_a_man_page() {
    let machine = Machine::new();
    for shell in ["bash", "fish", "zsh"] {
        let script = stdout(&run(&machine, &["completions", shell]));
        assert!(script.contains("max-layers"), "{shell}");
    }
    stdout(&run(&machine, &["man", "man1"]));
    for page in ["slipway", "slipway-build", "slipway-doctor", "slipway-pack"] {
        let page = machine.path("work/man1").join(format!("{page}.1"));
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{}", page.display());
    }
}
