//! Comparison of images with closures: `slipway-verify --closure`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "these tests need only some of the fixtures")]
mod fixture;

use std::fs;
use std::process::{Command, Output};

use fixture::{Entry, file, image};

const APP: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-app";
const LIBC: &str = "/nix/store/11bgd045z0d4icpbc2yyz4gx48ak44la-libc";
const FILES: &str = "/nix/store/22bgd045z0d4icpbc2yyz4gx48ak44la-image-files";

fn app_and_libc() -> Vec<Entry> {
    vec![
        file("nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-app/bin/app", ""),
        file(
            "nix/store/11bgd045z0d4icpbc2yyz4gx48ak44la-libc/libc.so",
            "",
        ),
    ]
}

/// Compares an image of these entries with the closures of `graphs`: paths and their references.
fn compare(entries: Vec<Entry>, graphs: &[&[(&str, &[&str])]]) -> Output {
    let (layout, place) = image(vec![entries]).layout();
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway-verify"));
    for (number, graph) in graphs.iter().enumerate() {
        let mut text = String::new();
        for (path, references) in *graph {
            text += &format!("{path}\n\n{}\n", references.len());
            for reference in *references {
                text += &format!("{reference}\n");
            }
        }
        let file = place.path().join(number.to_string());
        fs::write(&file, text).unwrap();
        command.arg("--closure").arg(file);
    }
    command.arg(layout.directory()).output().unwrap()
}

/// The lines that an image with differences gets.
fn differences(entries: Vec<Entry>, graph: &[(&str, &[&str])]) -> Vec<String> {
    let output = compare(entries, &[graph]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn accepts_an_image_with_exactly_the_closure() {
    let closure: &[(&str, &[&str])] = &[(APP, &[LIBC, APP]), (LIBC, &[])];
    let output = compare(app_and_libc(), &[closure]);
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn accepts_the_union_of_closures_without_the_root_files_themselves() {
    let files: &[(&str, &[&str])] = &[(FILES, &[LIBC]), (LIBC, &[])];
    let output = compare(app_and_libc(), &[&[(APP, &[])], files]);
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn copied_files_may_be_in_the_store_and_need_not_be() {
    let copied = "/nix/store/44bgd045z0d4icpbc2yyz4gx48ak44la-www";
    let list: &[(&str, &[&str])] = &[
        (
            "/nix/store/55bgd045z0d4icpbc2yyz4gx48ak44la-image-contents",
            &[copied, LIBC],
        ),
        (copied, &[]),
        (LIBC, &[]),
    ];
    let mut entries = app_and_libc();
    entries.push(file("srv/www/zlib.h", ""));
    let output = compare(entries, &[&[(APP, &[])], list]);
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn reports_missing_and_unexpected_paths() {
    let lines = differences(app_and_libc(), &[(APP, &[])]);
    let unexpected = format!("linux/amd64: {LIBC}: is in the image, not in the closure");
    assert_eq!(lines, [unexpected]);

    let mut entries = app_and_libc();
    entries.pop();
    let lines = differences(entries, &[(APP, &[LIBC]), (LIBC, &[])]);
    let missing = format!("linux/amd64: {LIBC}: is in the closure, not in the image");
    assert_eq!(lines, [missing]);
}

#[test]
fn reports_the_toolchain_and_files_of_builds_even_in_the_closure() {
    let compiler = "/nix/store/33bgd045z0d4icpbc2yyz4gx48ak44la-cc-x86_64";
    let entries = vec![
        file(
            "nix/store/33bgd045z0d4icpbc2yyz4gx48ak44la-cc-x86_64/bin/cc",
            "",
        ),
        file("usr/include/zlib.h", ""),
    ];
    let lines = differences(entries, &[(compiler, &[])]);
    assert_eq!(
        lines,
        [
            format!("linux/amd64: {compiler}: belongs to the toolchain"),
            "linux/amd64: /usr/include/zlib.h: is a file that only builds read".to_owned(),
        ]
    );
}

#[test]
fn reports_an_invalid_closure_with_its_file_and_line() {
    let output = compare(app_and_libc(), &[&[("hello", &[])]]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("/0: reference graph, line 1"), "{message}");
}

#[test]
fn rejects_a_layout_without_images() {
    let (layout, place) = image(vec![app_and_libc()]).layout();
    let index = layout.directory().join("index.json");
    fs::write(index, r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    let graph = place.path().join("graph");
    fs::write(&graph, format!("{APP}\n\n0\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_slipway-verify"))
        .arg("--closure")
        .arg(graph)
        .arg(layout.directory())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.ends_with("layout has no images\n"), "{message}");
}
