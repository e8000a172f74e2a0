//! Tests of `pack`, with a stand-in for Nix that knows the test's store.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod machine;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use machine::{Machine, error, stderr, stdout};
use serde_json::{Value, json};
use slipway_oci::{Image, Layout};

const NIX: &str = r#"
case "$*" in
  *--version*) echo "nix (Nix) 2.8.0" ;;
  *show-config*) echo '{}' ;;
  *path-info*) cat "$CLOSURE" ;;
  *) echo "error: unexpected: $*" >&2; exit 1 ;;
esac
"#;

/// ELF headers of a program for arm64 and of one for s390x.
const ARM64: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0";
const S390X: &[u8] = b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x16";

/// A machine with a store.
struct Store {
    machine: Machine,
    closure: Vec<Value>,
}

impl Store {
    fn new() -> Self {
        let machine = Machine::new();
        machine.program("nix", NIX);
        Self {
            machine,
            closure: Vec::new(),
        }
    }

    /// A library, and an arm64 program that references it.
    fn with_hello() -> (Self, PathBuf) {
        let mut store = Self::new();
        let libc = store.add("libc-2.41", 'c', &[], |path| {
            fs::create_dir_all(path.join("lib")).unwrap();
            fs::write(path.join("lib/libc.so"), ARM64).unwrap();
        });
        let hello = store.add("hello-2.12", 'h', &[&libc], |path| {
            program(&path.join("bin/hello"), ARM64);
        });
        (store, hello)
    }

    /// Adds a store path with the content that `fill` creates.
    fn add(
        &mut self,
        name: &str,
        hash: char,
        references: &[&Path],
        fill: impl Fn(&Path),
    ) -> PathBuf {
        let path = self.path(name, hash);
        fill(&path);
        self.closure.push(json!({
            "path": path,
            "references": references,
            "narHash": format!("sha256-{hash}"),
            "narSize": 1000,
        }));
        let closure = serde_json::to_vec(&self.closure).unwrap();
        self.machine.write("closure.json", closure);
        path
    }

    fn path(&self, name: &str, hash: char) -> PathBuf {
        let hash = hash.to_string().repeat(32);
        self.machine.path("store").join(format!("{hash}-{name}"))
    }

    fn pack(&self, path: &Path, arguments: &[&str]) -> Output {
        let mut command = self.machine.slipway(&["pack"]);
        command.arg(path).args(arguments);
        command.env("CLOSURE", self.machine.path("closure.json"));
        command.output().unwrap()
    }

    /// Packs to `image`, and reads the result.
    fn image(&self, path: &Path, arguments: &[&str]) -> (Image, Output) {
        let place = self.machine.path("work/image");
        let _ = fs::remove_dir_all(&place);
        let output = self.pack(path, &[&["--output", "image"], arguments].concat());
        stdout(&output);
        let layout = Layout::open(&place).unwrap();
        layout.verify().unwrap();
        (layout.images().unwrap().remove(0), output)
    }

    fn cached(&self) -> BTreeSet<PathBuf> {
        let layers = self.machine.path("home/.cache/slipway/layers");
        let entries = fs::read_dir(layers).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn program(path: &Path, contents: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn packs_a_package_with_its_program_and_platform() {
    let (store, hello) = Store::with_hello();
    let (image, output) = store.image(&hello, &[]);
    let program = hello.join("bin/hello");
    let runtime = &image.config().value().config;
    assert_eq!(runtime.entrypoint, [program.to_str().unwrap()]);
    assert_eq!(image.platform().to_string(), "linux/arm64");
    assert_eq!(image.layers().count(), 2);
    let printed = stderr(&output);
    assert!(printed.contains(&format!("entrypoint: {}\n", program.display())));
    assert!(printed.contains("platform: linux/arm64, which the programs are for\n"));
    assert!(printed.contains("packing 2 layers, 0.00 MB\n"), "{printed}");
    let shown = stdout(&output);
    assert!(shown.starts_with("platform"), "{shown}");
    let digest = image.descriptor().digest.to_string();
    assert!(shown.contains(&digest), "{shown}");
}

#[test]
fn image_has_the_requested_configuration() {
    let (store, hello) = Store::with_hello();
    let (image, _) = store.image(
        &hello,
        &[
            "--entrypoint=bin/hello",
            "--entrypoint=--greeting",
            "--cmd=[\"good\", \"day\"]",
            "--env=B=2",
            "--env=A=x=1",
            "--user=65532:65532",
            "--workdir=/srv",
            "--expose=8080",
            "--expose=53/udp",
            "--label=org.opencontainers.image.title=hello",
            "--label=team=a",
            "--annotation=note=x",
            "--created=0",
            "--compression=gzip:1",
            "--platform=linux/arm64",
        ],
    );
    let config = image.config().value();
    let runtime = &config.config;
    let program = hello.join("bin/hello");
    assert_eq!(
        runtime.entrypoint,
        [program.to_str().unwrap(), "--greeting"]
    );
    assert_eq!(runtime.cmd, ["good", "day"]);
    assert_eq!(runtime.env, ["A=x=1", "B=2"]);
    assert_eq!(runtime.user.as_deref(), Some("65532:65532"));
    assert_eq!(runtime.working_dir.as_deref(), Some("/srv"));
    let ports: Vec<&str> = runtime.exposed_ports.keys().map(String::as_str).collect();
    assert_eq!(ports, ["53/udp", "8080/tcp"]);
    assert_eq!(runtime.labels["team"], "a");
    assert_eq!(config.created.as_deref(), Some("1970-01-01T00:00:00Z"));
    let manifest = image.manifest().value();
    assert_eq!(
        manifest.annotations["org.opencontainers.image.title"],
        "hello"
    );
    assert_eq!(manifest.annotations["note"], "x");
    assert!(
        manifest
            .layers
            .iter()
            .all(|layer| layer.media_type.to_string().ends_with("gzip"))
    );
}

#[test]
fn image_has_volumes_signal_shell_and_health_check() {
    let (store, hello) = Store::with_hello();
    let (image, _) = store.image(
        &hello,
        &[
            "--volume=/var/lib/app",
            "--stop-signal=SIGINT",
            "--shell=/bin/sh",
            "--shell=-c",
            r#"--healthcheck={"test":"hello --check","interval":"30s","retries":2}"#,
        ],
    );
    let runtime = &image.config().value().config;
    assert!(runtime.volumes.contains_key("/var/lib/app"));
    assert_eq!(runtime.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(runtime.shell, ["/bin/sh", "-c"]);
    let check = runtime.healthcheck.as_ref().unwrap();
    assert_eq!(check.test, ["CMD-SHELL", "hello --check"]);
    assert_eq!((check.interval, check.retries), (30_000_000_000, 2));
}

#[test]
fn creation_time_comes_from_source_date_epoch() {
    let (store, hello) = Store::with_hello();
    let mut command = store.machine.slipway(&["pack"]);
    command.arg(&hello).args(["--output", "image"]);
    command.env("CLOSURE", store.machine.path("closure.json"));
    command.env("SOURCE_DATE_EPOCH", "86400");
    stdout(&command.output().unwrap());
    let layout = Layout::open(&store.machine.path("work/image")).unwrap();
    let image = layout.images().unwrap().remove(0);
    let time = "1970-01-02T00:00:00Z";
    assert_eq!(image.config().value().created.as_deref(), Some(time));
    let annotations = &image.manifest().value().annotations;
    assert_eq!(annotations["org.opencontainers.image.created"], time);
}

#[test]
fn image_has_files_directories_users_and_certificates() {
    let (store, hello) = Store::with_hello();
    store.machine.write("work/app.conf", "port = 80");
    store.machine.write("work/www/index.html", "hello");
    store
        .machine
        .write("work/own.pem", "-----BEGIN CERTIFICATE-----\n");
    let (image, _) = store.image(
        &hello,
        &[
            "--contents=/etc/app.conf=app.conf,mode=0640,owner=app",
            "--contents=/srv/www=www",
            "--writable=/var/lib/app",
            "--account=app=1000:1001:/var/lib/app",
            "--certificates=own.pem",
            "--user=app",
            "--max-layers=3",
        ],
    );
    // System, packages, files.
    assert_eq!(image.layers().count(), 3);
    let layout = Layout::open(&store.machine.path("work/image")).unwrap();
    let mut found = Vec::new();
    for (blob, diff_id) in image.layers() {
        layout
            .read_layer(blob, diff_id, u64::MAX, |entry| {
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                let owner = entry.owner;
                found.push(format!(
                    "{name} {:04o} {}:{}",
                    entry.mode, owner.uid, owner.gid
                ));
                Ok(())
            })
            .unwrap();
    }
    for line in [
        "etc/passwd 0644 0:0",
        "etc/ssl/certs/ca-certificates.crt 0644 0:0",
        "tmp/ 1777 0:0",
        "etc/app.conf 0640 1000:1001",
        "srv/www/index.html 0644 0:0",
        "var/lib/app/ 0755 1000:1001",
    ] {
        assert!(found.iter().any(|it| it == line), "{line}: {found:#?}");
    }
    let last = found.last().unwrap();
    assert_eq!(last, "var/lib/app/ 0755 1000:1001");
}

#[test]
fn prints_progress_as_json() {
    let (store, hello) = Store::with_hello();
    let (_, output) = store.image(&hello, &["--progress", "json"]);
    let printed = stderr(&output);
    let line = printed.lines().find(|line| line.starts_with('{'));
    let event: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(event["event"], "start");
    assert_eq!(event["what"], "2 layers");
}

#[test]
fn a_changed_path_repacks_one_layer() {
    let (mut store, hello) = Store::with_hello();
    store.image(&hello, &[]);
    let before = store.cached();
    assert_eq!(before.len(), 2);
    store.closure.pop();
    let libc = store.path("libc-2.41", 'c');
    let changed = store.add("hello-2.13", 'i', &[&libc], |path| {
        program(&path.join("bin/hello"), ARM64);
    });
    let (_, output) = store.image(&changed, &[]);
    assert!(stderr(&output).contains("packing 1 layer (1 more from the cache), 0.00 MB\n"));
    assert_eq!(store.cached().difference(&before).count(), 1);
}

#[test]
fn digest_does_not_depend_on_the_cache() {
    let (store, hello) = Store::with_hello();
    let digest = || store.image(&hello, &[]).0.descriptor().digest;
    let first = digest();
    assert_eq!(digest(), first);
    fs::remove_dir_all(store.machine.path("home/.cache")).unwrap();
    assert_eq!(digest(), first);
}

#[test]
fn repacks_a_changed_layer_of_the_cache() {
    let (store, hello) = Store::with_hello();
    let (first, _) = store.image(&hello, &[]);
    for entry in store.cached() {
        let blob = entry.join("blob");
        let mut bytes = fs::read(&blob).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&blob, bytes).unwrap();
    }
    let (second, output) = store.image(&hello, &[]);
    assert_eq!(second.descriptor(), first.descriptor());
    assert!(stderr(&output).contains("packing 1 layer"));
}

#[test]
fn image_lies_on_a_base() {
    let (mut store, hello) = Store::with_hello();
    let (base, _) = store.image(&hello, &["--env=A=1", "--user=7", "--label=vendor=x"]);
    let archive = store.machine.path("work/base.tar");
    stdout(&store.pack(
        &hello,
        &["--output=type=oci,dest=base.tar", "--label=vendor=x"],
    ));
    let app = store.add("app", '5', &[&hello], |path| {
        program(&path.join("bin/app"), ARM64);
    });
    fs::rename(
        store.machine.path("work/image"),
        store.machine.path("work/base"),
    )
    .unwrap();
    let (image, _) = store.image(&app, &["--base=base"]);
    let layers: Vec<_> = image.layers().collect();
    let lower: Vec<_> = base.layers().collect();
    assert_eq!(layers.len(), lower.len() + 1);
    assert_eq!(layers[..lower.len()], lower);
    let runtime = &image.config().value().config;
    assert_eq!(runtime.entrypoint, [app.join("bin/app").to_str().unwrap()]);
    assert_eq!(
        (&runtime.env[..], &runtime.user),
        (&["A=1".to_owned()][..], &None)
    );
    let (of_archive, _) = store.image(&app, &[&format!("--base={}", archive.display())]);
    assert_eq!(of_archive.layers().count(), layers.len());

    let message = error(&store.pack(
        &app,
        &["--output=other", "--base=base", "--platform=linux/s390x"],
    ));
    assert!(message.contains("base image base: "), "{message}");
    assert!(
        message.contains("linux/s390x") && message.contains("linux/arm64"),
        "{message}"
    );
}

#[test]
fn max_layers_limits_the_number_of_layers() {
    let (store, hello) = Store::with_hello();
    let (image, _) = store.image(&hello, &["--max-layers=1"]);
    assert_eq!(image.layers().count(), 1);
}

#[test]
fn accepts_a_link_to_a_store_path() {
    let (store, hello) = Store::with_hello();
    let link = store.machine.path("work/result");
    symlink(&hello, &link).unwrap();
    let (image, _) = store.image(Path::new("result"), &[]);
    assert_eq!(image.config().value().config.entrypoint.len(), 1);
    let within = error(&store.pack(&link.join("bin/hello"), &["-o", "other"]));
    assert!(
        within.contains("is within a store path") && within.contains("--entrypoint"),
        "{within}"
    );
}

#[test]
fn uses_this_machines_platform_if_programs_differ() {
    let mut store = Store::new();
    let both = store.add("both", 'b', &[], |path| {
        program(&path.join("bin/one"), ARM64);
        program(&path.join("bin/other"), S390X);
    });
    let (image, output) = store.image(&both, &[]);
    let printed = stderr(&output);
    assert!(
        printed.contains(", as this machine, since the programs name none or several"),
        "{printed}"
    );
    assert!(printed.contains("entrypoint: none"), "{printed}");
    assert!(image.config().value().config.entrypoint.is_empty());
    let (image, _) = store.image(&both, &["--platform=linux/s390x", "--entrypoint=other"]);
    assert_eq!(image.platform().to_string(), "linux/s390x");
    assert!(image.config().value().config.entrypoint[0].ends_with("/bin/other"));
}

#[test]
fn prints_the_row_as_json() {
    let (store, hello) = Store::with_hello();
    let (image, output) = store.image(&hello, &["--format=json"]);
    let row: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(row["platform"], "linux/arm64");
    assert_eq!(row["digest"], image.descriptor().digest.to_string());
    assert_eq!(row["layers"], 2);
}

#[test]
fn rejects_arguments_that_are_not_store_paths() {
    let (mut store, _) = Store::with_hello();
    let refused = |path: &Path| error(&store.pack(path, &["-o", "image"]));
    assert!(refused(Path::new("/nowhere")).contains("/nowhere: No such file"));
    assert!(
        refused(&store.machine.path("work")).contains("is neither a store path nor a link to one")
    );
    assert!(refused(&store.machine.path("store/short")).contains("is not a store path"));
    let derivation = store.path("hello.drv", 'd');
    assert!(refused(&derivation).contains("is a derivation; build it"));

    store.machine.write("closure.json", "[]");
    let script = NIX.replace(
        "cat \"$CLOSURE\"",
        "echo \"error: path '/nix/store/x' is not valid\" >&2; exit 1",
    );
    store.machine.program("nix", &script);
    store.closure.clear();
    let missing = store.path("missing", 'm');
    let message = error(&store.pack(&missing, &["-o", "image"]));
    assert!(
        message.contains("is not in the Nix store; build it first"),
        "{message}"
    );
    assert!(!store.machine.path("work/image").exists());
}

#[test]
fn rejects_a_socket_and_leaves_no_files() {
    let mut store = Store::new();
    let path = store.add("odd", 'd', &[], |path| {
        fs::create_dir_all(path).unwrap();
        UnixListener::bind(path.join("s")).unwrap();
    });
    let message = error(&store.pack(&path, &["-o", "image"]));
    assert!(
        message.contains("is a socket, which a layer cannot hold"),
        "{message}"
    );
    assert!(store.cached().is_empty());
    assert_eq!(fs::read_dir(store.machine.path("work")).unwrap().count(), 0);
}

#[test]
fn rejects_bad_options_before_packing() {
    let (store, hello) = Store::with_hello();
    for (arguments, reason) in [
        (["--expose", "80-90"], "80-90: is not a port"),
        (["--workdir", "srv"], "must be an absolute path"),
        (
            ["--entrypoint", "nothing"],
            "no path that is packed has a program bin/nothing",
        ),
        (
            ["--entrypoint", "/bin/sh"],
            "is in none of the paths that are packed",
        ),
        (["--volume", "data"], "must be an absolute path"),
        (["--stop-signal", "TERM"], "TERM: is not a signal"),
        (["--writable", "/x,owner=app"], "owner \"app\": is neither"),
        (["--contents", "/x=none"], "/x comes from"),
        (["--contents", "etc/x=."], "must begin with /"),
        (["--contents", "/a/../x=."], "must not have .. in it"),
        (["--writable", "/nix/store/x"], "choose another path"),
        (["--certificates", "none"], "cannot read"),
    ] {
        let message = error(&store.pack(&hello, &[&["-o", "image"], &arguments[..]].concat()));
        assert!(message.contains(reason), "{message}");
    }
    let library = store.path("libc-2.41", 'c').join("lib/libc.so");
    let library = ["-o", "image", "--entrypoint", library.to_str().unwrap()];
    assert!(error(&store.pack(&hello, &library)).contains("is not an executable file"));
    for usage in [
        &["--env", "A"][..],
        &["--env", "=1"],
        &["--label", "x"],
        &["--compression", "xz"],
        &["--compression", "gzip:10"],
        &["--max-layers", "0"],
        &["--max-layers", "128"],
        &["--platform", "arm64"],
        &["--created", "yesterday"],
        &["--cmd", "[1]"],
        &["--healthcheck", "{}"],
        &["--account", "app"],
        &["--contents", "/x"],
        &["--writable", "/x,mode"],
        &["--output", "type=local,dest=x"],
    ] {
        let output = store.pack(&hello, &[&["-o", "image"], usage].concat());
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
    }
    assert_eq!(store.pack(&hello, &[]).status.code(), Some(2));
    assert!(!store.machine.path("home/.cache").exists());
}

#[test]
fn does_not_overwrite_existing_output() {
    let (store, hello) = Store::with_hello();
    store.machine.write("work/image/file", "mine");
    let message = error(&store.pack(&hello, &["-o", "image"]));
    assert!(message.contains("image exists already"), "{message}");
    let no_parent = error(&store.pack(&hello, &["-o", "no/such/image"]));
    assert!(
        no_parent.contains("no/such is not a directory"),
        "{no_parent}"
    );
    assert!(!store.machine.path("home/.cache").exists());
}
