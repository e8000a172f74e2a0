//! Snapshot of the errors of common mistakes. To update it: UPDATE_SNAPSHOTS=1 cargo test -p slipway
//! --test errors

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Files of the directories that the commands run in.
const FILES: [(&str, &str); 3] = [
    ("typo/slipway.toml", "debian = \"trixie\"\npackage = []\n"),
    ("broken/slipway.toml", "debian = \n"),
    ("text", "no image"),
];

const COMMANDS: [&str; 16] = [
    "build",
    "biuld",
    "build --platform amd64",
    "build --platform linux/amd64 .#image",
    "build --label version",
    "-C missing build",
    "-C typo lock",
    "-C broken lock",
    "add",
    "inspect text",
    "inspect ./missing-file",
    "verify text",
    "push text",
    "push text registry.example/UPPER",
    "index create",
    "pack result -o image",
];

#[test]
fn errors_of_common_mistakes_match_their_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    for (file, contents) in FILES {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, contents).unwrap();
    }
    let mut text = String::new();
    for command in COMMANDS {
        let output = Command::new(env!("CARGO_BIN_EXE_slipway"))
            .args(command.split(' '))
            .current_dir(&root)
            .env_clear()
            .env("HOME", &root)
            // without Nix and any other program
            .env("PATH", &root)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{command}");
        let errors = String::from_utf8(output.stderr).unwrap();
        let errors = errors.replace(root.to_str().unwrap(), "DIRECTORY");
        text += &format!("$ slipway {command}\n{}\n\n", errors.trim_end());
    }
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors.txt");
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &text).unwrap();
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    assert_eq!(text, expected, "{}", snapshot.display());
}
