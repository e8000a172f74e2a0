//! Runs the packer like Nix does, as a builder with an empty environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../slipway-oci/tests/fixture/mod.rs"]
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

    /// Packs the whole closure as the image `name`.
    fn image(&self, name: &str, platform: &str, more: &[&str]) -> String {
        self.graph();
        self.config(
            "config.json",
            &format!(
                r#"{{"platform":"{platform}","entrypoint":["/bin/app"],"cmd":["-v"],
                "env":{{"B":"2","A":"1"}},"user":"65532:65532","workdir":"/","level":3,
                "volumes":["/data"],"stopSignal":"SIGINT","shell":["/bin/sh","-c"],
                "healthcheck":{{"test":["CMD","/bin/app"],"interval":"10s"}},
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

    /// The layer_origins of the layers of the image `name`, by its history: names of store paths.
    fn layer_origins(&self, name: &str) -> Vec<String> {
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
fn packs_a_layer_for_each_path_dependencies_first() {
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
            r#""WorkingDir":"/","Labels":{{"org.opencontainers.image.version":"1","private":"x"}},"#,
            r#""Volumes":{{"/data":{{}}}},"StopSignal":"SIGINT","Healthcheck":{{"Test":["CMD","/bin/app"],"#,
            r#""Interval":10000000000}},"Shell":["/bin/sh","-c"]}},"#,
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
fn packing_twice_gives_identical_images() {
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
fn uses_ready_made_layers_if_the_closure_contains_them() {
    let store = Store::new();
    store.add("other", &[("x", "x", 0o444)]);
    write(&store.root.path().join("tree/etc/passwd"), "root", 0o644);
    let (libc, other) = (store.path("libc"), store.path("other"));
    store.succeed(&["layer", "--out", "libc", "--level", "1", libc.as_str()]);
    store.succeed(&["layer", "--out", "other", other.as_str()]);
    store.succeed(&["layer", "--out", "root", "--root", "tree"]);

    let ready = ["--layer", "libc", "--layer", "other", "--layer", "root"];
    store.image("out", "linux/amd64", &ready);
    assert_eq!(
        store.layer_origins("out"),
        ["files at /", "libc", "ssl", "app"]
    );
    let created = fs::read(store.root.path().join("libc/blob")).unwrap();
    let image = store.layout("out").images().unwrap().remove(0);
    let (layer, _) = image.layers().nth(1).unwrap();
    let used = fs::read(store.layout("out").blob_path(layer)).unwrap();
    assert_eq!(created, used);
}

#[test]
fn files_at_the_root_add_their_references_but_not_their_own_path() {
    let store = Store::new();
    store.add("data", &[("share/zoneinfo/UTC", "UTC", 0o444)]);
    store.add("files", &[("usr/share/note", "note", 0o444)]);
    let (data, files) = (store.path("data"), store.path("files"));
    let graph = format!("{files}\n\n1\n{data}\n{data}\n\n0\n");
    fs::write(store.root.path().join("files-graph"), graph).unwrap();

    let more = ["--graph", "files-graph", "--root", files.as_str()];
    store.image("out", "linux/arm64", &more);
    assert_eq!(
        store.layer_origins("out"),
        ["files at /", "data", "libc", "ssl", "app"]
    );

    fs::remove_dir_all(files.as_path().join("usr")).unwrap();
    store.image("nothing", "linux/arm64", &more);
    assert_eq!(
        store.layer_origins("nothing"),
        ["data", "libc", "ssl", "app"]
    );
}

#[test]
fn files_are_the_last_layer_and_what_they_refer_to_is_packed() {
    let store = Store::new();
    store.add("page", &[("index.html", "hello", 0o444)]);
    store.add("font", &[("font.ttf", "font", 0o444)]);
    let (page, font, list) = (
        store.path("page"),
        store.path("font"),
        store.path("contents"),
    );
    let json = format!(
        r#"{{"user":"5:6","contents":{{"/srv":{{"source":"{page}"}}}},"writable":{{"/var/app":{{}}}}}}"#
    );
    write(list.as_path(), &json, 0o444);
    let graph = format!("{list}\n\n1\n{page}\n{page}\n\n1\n{font}\n{font}\n\n0\n");
    fs::write(store.root.path().join("contents-graph"), graph).unwrap();
    store.succeed(&["layer", "--out", "contents", "--contents", list.as_str()]);

    let more = |list| {
        [
            "--graph",
            "contents-graph",
            "--contents",
            list,
            "--contents-layer",
            "contents",
        ]
    };
    store.image("out", "linux/arm64", &more(list.as_str()));
    assert_eq!(
        store.layer_origins("out"),
        ["font", "libc", "ssl", "app", "files at /"]
    );
    store.succeed(&["unpack", "--platform", "linux/arm64", "out", "root"]);
    let root = store.root.path().join("root");
    assert_eq!(
        fs::read_to_string(root.join("srv/index.html")).unwrap(),
        "hello"
    );
    assert!(root.join("var/app").is_dir());

    // A link at the path would lose what it links to.
    let files = store.path("files");
    fs::create_dir_all(files.as_path()).unwrap();
    std::os::unix::fs::symlink(font.as_path(), files.as_path().join("srv")).unwrap();
    let graph = format!("{files}\n\n1\n{font}\n{font}\n\n0\n");
    fs::write(store.root.path().join("files-graph"), graph).unwrap();
    write(list.as_path(), &json.replace("/srv", "/srv/www"), 0o444);
    let mut arguments = vec![
        "image",
        "--out",
        "bad",
        "--config",
        "config.json",
        "--graph",
        "graph",
    ];
    arguments.extend(["--graph", "files-graph", "--root", files.as_str()]);
    arguments.extend(more(list.as_str()));
    let message = store.fail(&arguments);
    let expected = format!("/srv comes from {font} and from {page}; leave one of them out");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn an_image_on_a_base_has_the_layers_of_the_base_and_its_own() {
    let store = Store::new();
    let (libc, ssl) = (store.path("libc"), store.path("ssl"));
    let graph = format!("{libc}\n\n0\n{ssl}\n\n1\n{libc}\n");
    store.config("base-graph", &graph);
    store.config(
        "base.json",
        r#"{"platform":"linux/arm64","compression":"gzip","user":"0","workdir":"/root",
        "entrypoint":["/bin/base"],"cmd":["x"],"env":{"A":"0","C":"3"},"expose":["80"],
        "volumes":["/base"],"stopSignal":"SIGQUIT",
        "labels":{"org.opencontainers.image.title":"base","vendor":"x","private":"base"}}"#,
    );
    let arguments = ["image", "--out", "base", "--config", "base.json"];
    store.succeed(&[&arguments[..], &["--graph", "base-graph"]].concat());
    store.image("out", "linux/arm64", &["--base", "base"]);

    assert_eq!(store.layer_origins("out"), ["libc", "ssl", "app"]);
    let image = |name| store.layout(name).images().unwrap().remove(0);
    let (base, out) = (image("base"), image("out"));
    let layers: Vec<_> = out.layers().collect();
    assert_eq!(layers[..2], base.layers().collect::<Vec<_>>());
    assert_eq!(layers[2].0.media_type, MediaType::LayerZstd);
    let config = serde_json::to_value(&out.config().value().config).unwrap();
    assert_eq!(
        config,
        serde_json::json!({
            "User": "65532:65532",
            "Env": ["A=1", "B=2", "C=3"],
            "Entrypoint": ["/bin/app"],
            "Cmd": ["-v"],
            "WorkingDir": "/",
            "Labels": {"org.opencontainers.image.version": "1", "private": "x", "vendor": "x"},
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/base": {}, "/data": {}},
            "StopSignal": "SIGINT",
            "Healthcheck": {"Test": ["CMD", "/bin/app"], "Interval": 10_000_000_000_u64},
            "Shell": ["/bin/sh", "-c"],
        })
    );

    store.succeed(&["unpack", "--platform", "linux/arm64", "out", "root"]);
    let arguments = ["image", "--out", "bad", "--config", "config.json"];
    let arguments = [&arguments[..], &["--graph", "graph", "--base", "base"]].concat();
    let message = store.fail(&[&arguments[..], &["--max-layers", "2"]].concat());
    assert!(message.contains("raise the limit"), "{message}");
    store.config("config.json", r#"{"platform":"linux/riscv64"}"#);
    let message = store.fail(&arguments);
    assert!(
        message.contains("linux/riscv64") && message.contains("linux/arm64"),
        "{message}"
    );
}

#[test]
fn system_layers_have_users_and_certificates() {
    let store = Store::new();
    write(
        &store.root.path().join("ca.pem"),
        "-----BEGIN CERTIFICATE-----",
        0o644,
    );
    let layer = |out, account| {
        let system = [
            "layer",
            "--system",
            "--certificates",
            "ca.pem",
            "--account",
            account,
        ];
        store.succeed(&[&system[..], &["--out", out]].concat())
    };
    assert_eq!(layer("one", "app=1000"), layer("two", "app=1000:1000:/"));
    assert_ne!(layer("three", "app=1000"), layer("four", "app=1001"));
}

#[test]
fn paths_nearest_to_the_program_share_the_last_layer() {
    let store = Store::new();
    store.image("out", "linux/amd64", &["--max-layers", "2"]);
    assert_eq!(store.layer_origins("out"), ["libc", "app ssl"]);
}

#[test]
fn merges_two_platforms_into_an_index_and_unpacks_them() {
    let store = Store::new();
    store.image("arm", "linux/arm64", &[]);
    store.image("amd", "linux/amd64", &["--max-layers", "1"]);
    store.succeed(&["index", "--out", "index", "arm", "amd"]);
    let layout = store.layout("index");
    assert_eq!(layout.images().unwrap().len(), 2);
    // What all images say, the index says, too.
    let index = layout.read_index(layout.top().unwrap()).unwrap();
    let annotations: Vec<_> = index.value().annotations.iter().collect();
    assert_eq!(annotations.len(), 2, "{annotations:?}");

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
fn rejects_misspelled_or_missing_config_fields() {
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
        (
            r#"{"platform":"linux/arm64","volumes":["data"]}"#,
            "absolute",
        ),
        (
            r#"{"platform":"linux/arm64","stopSignal":"TERM"}"#,
            "SIGINT",
        ),
        (
            r#"{"platform":"linux/arm64","healthcheck":{"test":"x","timeout":"soon"}}"#,
            "is not a time",
        ),
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
fn rejects_ready_made_layers_with_another_compression_or_an_altered_blob() {
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
    assert!(
        !has_hidden_entries(store.root.path()),
        "a temporary directory is left"
    );
}

#[test]
fn wrong_arguments_give_a_one_line_error_and_exit_code_2() {
    let store = Store::new();
    let app = store.path("app");
    for arguments in [
        &[][..],
        &["pack"],
        &["layer", app.as_str()],
        &["layer", "--out", "x"],
        &["layer", "--out", "x", "--root", "tree", app.as_str()],
        &["layer", "--out", "x", "/etc"],
        &["layer", "--out", "x", "--contents", "y", "--system"],
        &["layer", "--out", "x", "--system", "--account", "app"],
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

fn has_hidden_entries(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    })
}
