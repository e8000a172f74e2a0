//! Tests of the output and exit codes of `inspect` and `verify`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

#[path = "../../slipway-verify/tests/fixture/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::process::{Command, Output};

use fixture::{PackConfig, dynamic, file, hard_link, image, program, static_program, symlink};
use serde_json::{Value, json};
use slipway_oci::Layout;
use slipway_oci::healthcheck::Healthcheck;

fn slipway(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    command.args(arguments).output().unwrap()
}

fn on(layout: &Layout, arguments: &[&str]) -> Output {
    let directory = layout.directory().to_str().unwrap();
    slipway(&[&arguments[..1], &[directory], &arguments[1..]].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sound() -> PackConfig {
    let mut recipe = image(vec![vec![program("bin/app", static_program())], vec![]]);
    let runtime = &mut recipe.runtime;
    runtime.cmd = vec!["a b".to_owned(), "c".to_owned()];
    runtime.env = vec!["A=b".to_owned()];
    runtime.exposed_ports = slipway_oci::config::ports(&["80".to_owned()]).unwrap();
    runtime.volumes = slipway_oci::config::volumes(&["/data".to_owned()]);
    runtime.stop_signal = Some("SIGINT".to_owned());
    runtime.healthcheck = Some(Healthcheck {
        test: vec!["CMD".to_owned(), "/bin/app".to_owned()],
        retries: 2,
        ..Healthcheck::default()
    });
    runtime.shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
    runtime.labels = [
        ("evil", "\u{1b}[2J\nx"),
        ("org.opencontainers.image.title", "app"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    recipe
}

#[test]
fn inspect_prints_the_configuration_and_the_layers() {
    let (layout, _place) = sound().layout();
    let image = layout.images().unwrap().remove(0);
    let layers: Vec<String> = image
        .layers()
        .map(|(layer, _)| layer.digest.hex()[..12].to_owned())
        .collect();
    let output = on(&layout, &["inspect"]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout),
        format!(
            r"linux/amd64
  manifest    {}
  config      {}
  created     1970-01-01T00:00:01Z
  entrypoint  /bin/app
  cmd         {} c
  env         A=b
  ports       80/tcp
  volumes     /data
  stop signal SIGINT
  healthcheck CMD /bin/app
  shell       /bin/sh -c
  labels      evil=\u{{1b}}[2J\nx
              org.opencontainers.image.title=app
  layers      2, 0.00 MB
      0.00 MB  {}          files at /
      0.00 MB  {}          files at /
",
            image.manifest().descriptor().digest,
            image.config().descriptor().digest,
            "\"a b\"",
            layers[0],
            layers[1],
        )
    );
}

#[test]
fn inspect_prints_the_same_as_json() {
    let (layout, _place) = sound().layout();
    let output = on(&layout, &["inspect", "--format", "json"]);
    let mut found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let digest = layout.top().unwrap().digest.to_string();
    assert_eq!(found["digest"], digest);
    let image = found["images"][0].as_object_mut().unwrap();
    assert_eq!(image["layers"].as_array().unwrap().len(), 2);
    assert_eq!(image["layers"][0]["step"], "files at /");
    assert_eq!(image["layers"][0]["shared"], false);
    for variable in ["config", "layers", "size"] {
        image.remove(variable);
    }
    assert_eq!(
        json!(image),
        json!({
            "platform": "linux/amd64",
            "digest": digest,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "created": "1970-01-01T00:00:01Z",
            "entrypoint": ["/bin/app"],
            "cmd": ["a b", "c"],
            "env": ["A=b"],
            "user": null,
            "workdir": null,
            "ports": ["80/tcp"],
            "volumes": ["/data"],
            "stopSignal": "SIGINT",
            "healthcheck": {"Test": ["CMD", "/bin/app"], "Retries": 2},
            "shell": ["/bin/sh", "-c"],
            "go": null,
            "labels": {"evil": "\u{1b}[2J\nx", "org.opencontainers.image.title": "app"},
            "annotations": {"org.opencontainers.image.title": "app"},
        })
    );
}

const STORE_PATH: &str = "nix/store/jlx0g5lkyl8ch666dy143gs5sq5f8ccj-libc6_2.41-12+deb13u4_amd64";

/// An image with a package in a layer, and files at / in another.
fn with_files() -> PackConfig {
    let at = |name: &str| -> &'static str { format!("{STORE_PATH}/{name}").leak() };
    image(vec![
        vec![
            file("./etc/passwd", "app\n"),
            file("evil\u{1b}[2J", ""),
            symlink("bin", "usr/bin"),
        ],
        vec![
            file(at("lib/libc.so.6"), "a library"),
            file(at("lib/libm.so.6"), "another library"),
            hard_link(at("lib/libm.so"), at("lib/libm.so.6")),
        ],
    ])
}

#[test]
fn inspect_says_what_the_bytes_of_layers_are_for() {
    let (layout, _place) = with_files().layout();
    let image = layout.images().unwrap().remove(0);
    let layers: Vec<_> = image.layers().map(|(layer, _)| layer.clone()).collect();
    let output = on(&layout, &["inspect", "--files"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let (_, printed) = printed.split_once("  layers      ").unwrap();
    let expected = format!(
        r"2, 0.01 MB; 0.00 MB in 6 files
  {}
    files at /
    {:>10}  compressed
             4  in 3 files
             4    files outside of the store, 3 files
             4      /etc/passwd
             0      /bin -> usr/bin
             0      /evil\u{{1b}}[2J
  {}
    files at /
    {:>10}  compressed
            24  in 3 files
            24    libc6 2.41-12+deb13u4 (amd64), 3 files
            15      lib/libm.so.6
             9      lib/libc.so.6
             0      lib/libm.so -> /{STORE_PATH}/lib/libm.so.6
",
        layers[0].digest, layers[0].size, layers[1].digest, layers[1].size,
    );
    assert_eq!(printed, expected);

    let output = on(&layout, &["inspect", "--layers"]);
    let printed = text(&output.stdout);
    let (_, printed) = printed.split_once("  layers      ").unwrap();
    let is_file = |line: &&str| line.contains("      lib/") || line.contains("      /");
    let without_files: Vec<&str> = expected.lines().filter(|it| !is_file(it)).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), without_files);
}

#[test]
fn inspect_prints_files_as_json() {
    let (layout, _place) = with_files().layout();
    let contents = |option: &str| -> Value {
        let output = on(&layout, &["inspect", option, "--format", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["images"][0]["unpacked"], 28);
        let layer = &found["images"][0]["layers"][1];
        assert_eq!(layer["unpacked"], 24);
        layer["contents"].clone()
    };
    let package = json!({
        "name": "libc6",
        "version": "2.41-12+deb13u4",
        "architecture": "amd64",
        "storePath": format!("/{STORE_PATH}"),
    });
    let mut expected = json!([{
        "storePath": format!("/{STORE_PATH}"),
        "package": package,
        "size": 24,
        "count": 3,
        "files": null,
    }]);
    assert_eq!(contents("--layers"), expected);
    let path = |name: &str| format!("/{STORE_PATH}/lib/{name}");
    expected[0]["files"] = json!([
        {"path": path("libm.so.6"), "kind": "file", "size": 15, "target": null},
        {"path": path("libc.so.6"), "kind": "file", "size": 9, "target": null},
        {"path": path("libm.so"), "kind": "hardlink", "size": 0, "target": path("libm.so.6")},
    ]);
    assert_eq!(contents("--files"), expected);
}

#[test]
fn verify_prints_what_it_checked() {
    let (layout, _place) = sound().layout();
    let output = on(&layout, &["verify"]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout),
        "linux/amd64: ok: 2 layers, 1 file, 1 ELF program, 0 libraries; runs /bin/app\n"
    );
}

#[test]
fn verify_prints_each_fault_and_fails() {
    let entries = vec![program("bin/app", dynamic(&["liba.so"]))];
    let (layout, _place) = image(vec![entries]).layout();
    let output = on(&layout, &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "linux/amd64: /bin/app: wants the interpreter /lib64/ld-linux-x86-64.so.2, which is not in the image\n\
         linux/amd64: /bin/app: needs liba.so, which the loader does not find\n\
         linux/amd64: 2 faults: 1 layer, 1 file, 1 ELF program, 0 libraries; runs /bin/app\n"
    );

    let output = on(&layout, &["verify", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["ok"], false);
    assert_eq!(
        found["images"][0]["findings"][1],
        json!({
            "fault": "missing-library",
            "subject": "/bin/app",
            "message": "needs liba.so, which the loader does not find",
            "warning": false,
        })
    );
}

#[test]
fn rejects_a_missing_image_in_one_line() {
    let (layout, place) = sound().layout();
    for command in ["inspect", "verify"] {
        for (arguments, message) in [
            (
                vec!["/no/such/image"],
                "there is no file or directory /no/such/image",
            ),
            (
                vec![place.path().to_str().unwrap()],
                "is not an OCI image layout: it has no oci-layout",
            ),
            (
                vec![
                    layout.directory().to_str().unwrap(),
                    "--platform",
                    "linux/s390x",
                ],
                "has no image for linux/s390x; it has linux/amd64",
            ),
        ] {
            let output = slipway(&[&[command], &arguments[..]].concat());
            assert_eq!(output.status.code(), Some(1));
            let error = text(&output.stderr);
            assert!(
                error.starts_with("error: ") && error.contains(message),
                "{error}"
            );
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
