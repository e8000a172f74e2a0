//! The packer as Nix runs it: a builder with no environment, from a closure to an index and back
//! to files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use fixture::{Store, write};
use slipway_oci::{Layout, MediaType, StorePath};

impl Store {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slipway-pack"))
            .args(arguments)
            .env_clear()
            .current_dir(self.root.path())
            .output()
            .unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert!(output.status.success(), "{}", text(output.stderr));
        text(output.stdout)
    }

    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    }

    fn config(&self, name: &str, json: &str) {
        fs::write(self.root.path().join(name), json).unwrap();
    }

    /// An image `name`, of the whole closure.
    fn image(&self, name: &str, platform: &str, more: &[&str]) -> String {
        self.graph();
        self.config(
            "config.json",
            &format!(
                r#"{{"platform":"{platform}","entrypoint":["/bin/app"],"cmd":["-v"],
                "env":{{"B":"2","A":"1"}},"user":"65532:65532","workdir":"/","level":3,
                "labels":{{"org.opencontainers.image.version":"1","private":"x"}},
                "annotations":{{"org.example.note":"y"}}}}"#
            ),
        );
        let arguments = [
            "image",
            "--out",
            name,
            "--config",
            "config.json",
            "--graph",
            "graph",
        ];
        self.succeed(&[&arguments, more].concat())
    }

    fn layout(&self, name: &str) -> Layout {
        let layout = Layout::open(&self.root.path().join(name)).unwrap();
        layout.verify().unwrap();
        layout
    }

    /// Where the image `name` says that its layers come from: the names of store paths.
    fn origins(&self, name: &str) -> Vec<String> {
        let image = self.layout(name).images().unwrap().remove(0);
        let history = &image.config().value().history;
        let origin = |line: &slipway_oci::config::History| {
            let by = line.created_by.clone().unwrap();
            let from = by.strip_prefix("slipway-pack: ").unwrap();
            let name = |path: &str| path.parse().map(|path: StorePath| path.name().to_owned());
            match from {
                "files at /" => from.to_owned(),
                paths => paths
                    .split(' ')
                    .flat_map(name)
                    .collect::<Vec<_>>()
                    .join(" "),
            }
        };
        history.iter().map(origin).collect()
    }
}

#[test]
fn a_closure_becomes_an_image_with_a_layer_for_each_path_dependencies_first() {
    let store = Store::new();
    let printed = store.image("out", "linux/arm64", &[]);
    let layout = store.layout("out");
    let image = layout.image(&"linux/arm64".parse().unwrap()).unwrap();
    let digest = image.manifest().descriptor().digest.to_string();
    assert!(printed.starts_with(&digest), "{printed}");

    let path = |name| store.path(name);
    let config = format!(
        concat!(
            r#"{{"created":"1970-01-01T00:00:01Z","architecture":"arm64","os":"linux","config":{{"#,
            r#""User":"65532:65532","Env":["A=1","B=2"],"Entrypoint":["/bin/app"],"Cmd":["-v"],"#,
            r#""WorkingDir":"/","Labels":{{"org.opencontainers.image.version":"1","private":"x"}}}},"#,
            r#""rootfs":{{"type":"layers","diff_ids":["{0}","{1}","{2}"]}},"history":["#,
            r#"{{"created":"1970-01-01T00:00:01Z","created_by":"slipway-pack: {3}"}},"#,
            r#"{{"created":"1970-01-01T00:00:01Z","created_by":"slipway-pack: {4}"}},"#,
            r#"{{"created":"1970-01-01T00:00:01Z","created_by":"slipway-pack: {5}"}}]}}"#
        ),
        image.layers().next().unwrap().1,
        image.layers().nth(1).unwrap().1,
        image.layers().nth(2).unwrap().1,
        path("libc"),
        path("ssl"),
        path("app"),
    );
    assert_eq!(String::from_utf8_lossy(image.config().bytes()), config);

    let manifest = image.manifest().value();
    let annotations: Vec<_> = manifest.annotations.keys().collect();
    assert_eq!(
        annotations,
        ["org.example.note", "org.opencontainers.image.version"]
    );
    assert!(
        manifest
            .layers
            .iter()
            .all(|layer| layer.media_type == MediaType::LayerZstd)
    );
}

#[test]
fn an_image_made_twice_is_the_same_to_the_byte() {
    let store = Store::new();
    assert_eq!(
        store.image("one", "linux/arm64", &[]),
        store.image("two", "linux/arm64", &[])
    );
    let one = fs::read(store.root.path().join("one/index.json")).unwrap();
    let two = fs::read(store.root.path().join("two/index.json")).unwrap();
    assert_eq!(one, two);
}

#[test]
fn ready_made_layers_are_used_if_the_closure_holds_them() {
    let store = Store::new();
    store.add("other", &[("x", "x", 0o444)]);
    write(&store.root.path().join("tree/etc/passwd"), "root", 0o644);
    let (libc, other) = (store.path("libc"), store.path("other"));
    store.succeed(&["layer", "--out", "libc", "--level", "1", libc.as_str()]);
    store.succeed(&["layer", "--out", "other", other.as_str()]);
    store.succeed(&["layer", "--out", "root", "--root", "tree"]);

    let ready = ["--layer", "libc", "--layer", "other", "--layer", "root"];
    store.image("out", "linux/amd64", &ready);
    assert_eq!(store.origins("out"), ["files at /", "libc", "ssl", "app"]);
    let made = fs::read(store.root.path().join("libc/blob")).unwrap();
    let image = store.layout("out").images().unwrap().remove(0);
    let (layer, _) = image.layers().nth(1).unwrap();
    let used = fs::read(store.layout("out").blob_path(layer)).unwrap();
    assert_eq!(made, used);
}

#[test]
fn the_paths_nearest_to_the_program_share_the_last_layer() {
    let store = Store::new();
    store.image("out", "linux/amd64", &["--max-layers", "2"]);
    assert_eq!(store.origins("out"), ["libc", "app ssl"]);
}

#[test]
fn images_of_two_platforms_become_an_index_and_unpack_again() {
    let store = Store::new();
    store.image("arm", "linux/arm64", &[]);
    store.image("amd", "linux/amd64", &["--max-layers", "1"]);
    store.succeed(&["index", "--out", "index", "arm", "amd"]);
    assert_eq!(store.layout("index").images().unwrap().len(), 2);

    for platform in ["linux/arm64", "linux/amd64"] {
        let root = platform.replace('/', "-");
        store.succeed(&["unpack", "--platform", platform, "index", &root]);
        let app = store.path("app");
        let file = store
            .root
            .path()
            .join(root)
            .join(&app.as_str()[1..])
            .join("bin/app");
        assert_eq!(fs::read_to_string(&file).unwrap(), "app");
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
    let message = store.fail(&["unpack", "--platform", "linux/s390x", "index", "none"]);
    assert!(
        message.contains("it has linux/amd64, linux/arm64"),
        "{message}"
    );
}

#[test]
fn a_misspelled_or_missing_field_of_the_config_is_refused() {
    let store = Store::new();
    store.graph();
    for (json, reason) in [
        (
            r#"{"platform":"linux/arm64","entrypiont":[]}"#,
            "entrypiont",
        ),
        (r#"{"entrypoint":[]}"#, "platform"),
        (r#"{"platform":"arm64"}"#, "arm64"),
        (
            r#"{"platform":"linux/arm64","compression":"lzma"}"#,
            "zstd or gzip",
        ),
        (r#"{"platform":"linux/arm64","level":23}"#, "1 to 22"),
        (r#"{"platform":"linux/arm64","workdir":"here"}"#, "absolute"),
        (r#"{"platform":"linux/arm64","env":{"A=B":""}}"#, "A=B"),
    ] {
        store.config("config.json", json);
        let arguments = [
            "image",
            "--out",
            "out",
            "--config",
            "config.json",
            "--graph",
            "graph",
        ];
        let message = store.fail(&arguments);
        assert!(message.contains(reason), "{message}");
        assert!(!store.root.path().join("out").exists());
    }
}

#[test]
fn a_ready_made_layer_of_another_compression_or_with_an_altered_blob_is_refused() {
    let store = Store::new();
    store.graph();
    let libc = store.path("libc");
    store.config(
        "config.json",
        r#"{"platform":"linux/arm64","compression":"gzip"}"#,
    );
    let arguments = |layer| {
        [
            "image",
            "--out",
            "out",
            "--config",
            "config.json",
            "--graph",
            "graph",
            "--layer",
            layer,
        ]
    };
    store.succeed(&["layer", "--out", "zstd", libc.as_str()]);
    let message = store.fail(&arguments("zstd"));
    assert!(message.contains("tar+zstd, the image wants"), "{message}");

    store.succeed(&[
        "layer",
        "--out",
        "gzip",
        "--compression",
        "gzip",
        libc.as_str(),
    ]);
    let blob = store.root.path().join("gzip/blob");
    let mut bytes = fs::read(&blob).unwrap();
    bytes[20] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let message = store.fail(&arguments("gzip"));
    assert!(message.contains("it was altered"), "{message}");
    assert!(!hidden(store.root.path()), "a temporary directory is left");
}

#[test]
fn wrong_arguments_are_one_line_and_exit_code_2() {
    let store = Store::new();
    let app = store.path("app");
    for arguments in [
        &[][..],
        &["pack"],
        &["layer", app.as_str()],
        &["layer", "--out", "x"],
        &["layer", "--out", "x", "--root", "tree", app.as_str()],
        &["layer", "--out", "x", "/etc"],
        &["layer", "--out", "x", "--level", "high", app.as_str()],
        &[
            "layer",
            "--out",
            "x",
            "--level",
            "20",
            "--compression",
            "gzip",
            app.as_str(),
        ],
        &["image", "--out", "x"],
        &["index", "--out", "x"],
        &["unpack", "x", "y"],
        &["unpack", "--platform", "linux/arm64", "x"],
    ] {
        assert_eq!(store.run(arguments).status.code(), Some(2), "{arguments:?}");
        assert!(store.fail(arguments).contains("--help"));
    }
    assert!(store.succeed(&["--help"]).contains("slipway-pack index"));
}

fn hidden(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    })
}
