//! What a user meets on the command line: the right outcome, or one line that says what to do.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

#[path = "../../slipway-debian/tests/mirror/mod.rs"]
mod mirror;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mirror::Mirror;
use mirror::archive::{Archive, Key, files_below};
use tempfile::TempDir;

const CONFIG: &str = r#"release = "trixie"

[set.tools]
architectures = ["amd64"]
suites = ["trixie"]
packages = ["tool"]
"#;

/// Stands in for Nix where Nix itself is not what is tested: the flake that it "evaluates" has the
/// packages of slipway.lock as seeds, and its store is the directory `store`.
const FAKE_NIX: &str = r#"#!/bin/sh
value() { sed -n "s/^$1 = \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" slipway.lock | tail -n 1; }
output=/nix/store/00000000000000000000000000000000-$(basename "$(value path)" 2>/dev/null)
case "$*" in
  *--version*) echo "nix (Nix) ${FAKE_VERSION:-2.8.0}" ;;
  *show-config*) echo '{}' ;;
  *"build --dry-run"*)
    grep -q "$(value sha256)" store 2>/dev/null || printf 'this derivation will be built:\n  %s.drv\n' "$output" >&2
    echo "[{\"drvPath\":\"$output.drv\",\"outputs\":{\"out\":\"$output\"}}]" ;;
  *show-derivation*)
    echo "{\"$output.drv\":{\"outputs\":{\"out\":{\"path\":\"$output\"}},\"env\":{
      \"purl\":\"pkg:deb/debian/$(value name)@$(sed -n '/^\[\[/,$s/^version = "\(.*\)"/\1/p' slipway.lock)?arch=amd64\",
      \"archive\":\"$(value archive)\",\"path\":\"$(value path)\",\"size\":\"$(value size)\",
      \"outputHash\":\"$(value sha256)\"}}}" ;;
  *) echo "error: unexpected: $*" >&2; exit 1 ;;
esac
"#;

const FAKE_NIX_STORE: &str = r#"#!/bin/sh
for file; do :; done
sha256sum "$file" >> store
echo "/nix/store/00000000000000000000000000000000-$(basename "$file")"
"#;

/// A project in a machine of its own: nothing of the real one's settings is seen.
struct Scene {
    directory: TempDir,
    mirror: Mirror,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            directory: TempDir::new().unwrap(),
            mirror: Mirror::start(),
        };
        scene.write("slipway.toml", CONFIG);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), contents).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Puts a program before those of the machine.
    fn program(&self, name: &str, script: &str) {
        let name = format!("bin/{name}");
        // Nix's sandbox has a shell elsewhere.
        let shell = match Path::new("/bin/sh").exists() {
            true => "/bin/sh".to_owned(),
            false => std::env::var("SHELL").unwrap(),
        };
        self.write(&name, &script.replacen("/bin/sh", &shell, 1));
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn with_fake_nix(self) -> Self {
        self.program("nix", FAKE_NIX);
        self.program("nix-store", FAKE_NIX_STORE);
        self
    }

    fn slipway(&self, arguments: &[&str]) -> Command {
        let machine = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", format!("{}:{machine}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("no_proxy", "127.0.0.1")
            .env("SLIPWAY_MIRROR", format!("{}/debian", self.mirror.url()))
            .env("RUST_BACKTRACE", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.slipway(arguments).output().unwrap()
    }

    /// Runs it with the keyring of the test.
    fn run_with(&self, key: &Key, arguments: &[&str]) -> Output {
        self.slipway(arguments)
            .env("SLIPWAY_KEYRING", key.keyring())
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one line that a failed run ends with.
fn error(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let errors: Vec<&str> = stderr
        .lines()
        .skip_while(|line| !line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    errors[0].to_owned()
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    assert_eq!(Scene::new().run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(Scene::new().run(&["run"]).status.code(), Some(2));
}

#[test]
fn a_directory_without_a_project_is_said() {
    let elsewhere = TempDir::new().unwrap();
    let output = Scene::new().run(&["-C", elsewhere.path().to_str().unwrap(), "lock"]);
    assert!(error(&output).contains("no slipway.toml in "));
}

#[test]
fn what_is_no_image_is_not_run() {
    let scene = Scene::new();
    assert!(error(&scene.run(&["run", "."])).contains("is not an OCI image layout"));
}

#[test]
fn a_bad_slipway_toml_is_said_with_its_line() {
    let scene = Scene::new();
    scene.write("slipway.toml", &CONFIG.replace("suites", "suits"));
    assert!(error(&scene.run(&["lock"])).contains("slipway.toml: line 5: unknown field `suits`"));
}

#[test]
fn a_tampered_lock_is_refused_and_left_as_it_is() {
    let scene = Scene::new();
    scene.write(
        "slipway.lock",
        "version = 1\nrelease = \"trixie\"\nextra = 1\n",
    );
    let message = error(&scene.run(&["lock"]));
    assert!(
        message.contains("slipway.lock: line 3: unknown field `extra`"),
        "{message}"
    );
    assert!(scene.read("slipway.lock").contains("extra"));
}

#[test]
fn a_machine_without_apt_is_told_how_to_name_a_mirror() {
    let scene = Scene::new();
    let output = scene
        .slipway(&["lock"])
        .env_remove("SLIPWAY_MIRROR")
        .env("PATH", scene.path("bin"))
        .output();
    let message = error(&output.unwrap());
    assert!(
        message.contains("this machine has no apt") && message.contains("--mirror URL"),
        "{message}"
    );
}

#[test]
fn apt_sources_of_another_distribution_are_not_taken() {
    let scene = Scene::new();
    scene.program(
        "apt-get",
        "#!/bin/sh\necho 'http://mirror.example/ubuntu/|noble|main|Ubuntu|Ubuntu'\n",
    );
    let message = error(
        &scene
            .slipway(&["lock"])
            .env_remove("SLIPWAY_MIRROR")
            .output()
            .unwrap(),
    );
    assert!(
        message.contains("not Debian's but Ubuntu") && message.contains("--mirror URL"),
        "{message}"
    );
}

#[test]
fn the_mirrors_of_apt_are_used() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    let line = format!("{}/debian/|trixie|main|Debian|Debian", scene.mirror.url());
    scene.program("apt-get", &format!("#!/bin/sh\necho '{line}'\n"));
    let output = scene
        .slipway(&["lock"])
        .env_remove("SLIPWAY_MIRROR")
        .env("SLIPWAY_KEYRING", key.keyring())
        .output();
    assert!(stdout(&output.unwrap()).contains("+ tool 1\n"));
}

#[test]
fn a_mirror_that_is_down_is_said_and_no_lock_is_written() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new();
    let down = Mirror::start().url().to_owned();
    let output = scene.run_with(&key, &["lock", "--mirror", &down]);
    assert!(error(&output).contains("could not be fetched"));
    assert!(!scene.path("slipway.lock").exists());
}

#[test]
fn lock_writes_what_it_resolved_and_says_what_moved() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new();
    let first = Archive::new("trixie")
        .with("tool", "1", "Depends: lib\n")
        .with("lib", "1", "");
    first.publish(&scene.mirror, &key);
    assert_eq!(
        stdout(&scene.run_with(&key, &["lock"])),
        "+ lib 1\n+ tool 1\nslipway.lock is written: 2 packages\n"
    );
    let lock = scene.read("slipway.lock");
    assert_eq!(
        stdout(&scene.run_with(&key, &["lock"])),
        "slipway.lock is up to date: 2 packages\n"
    );
    stdout(&scene.run_with(&key, &["lock", "--check"]));
    Archive::new("trixie")
        .with("tool", "2", "")
        .publish(&scene.mirror, &key);
    assert_eq!(
        stdout(&scene.run_with(&key, &["lock"])),
        "slipway.lock is up to date: 2 packages\n"
    );
    scene.mirror.remove("/debian/pool/main/x/tool_1_amd64.deb");
    assert!(
        error(&scene.run_with(&key, &["lock", "--check"])).contains("slipway.lock does not match")
    );
    assert_eq!(scene.read("slipway.lock"), lock);
    assert_eq!(
        stdout(&scene.run_with(&key, &["lock", "--upgrade"])),
        "- lib 1\n~ tool 1 → 2\nslipway.lock is written: 1 packages\n"
    );
}

#[test]
fn an_index_with_a_bad_signature_writes_no_lock() {
    let (Some(key), Some(other)) = (Key::make(), Key::make()) else {
        return;
    };
    let scene = Scene::new();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &other);
    assert!(error(&scene.run_with(&key, &["lock"])).contains("the signature of "));
    assert!(!scene.path("slipway.lock").exists());
    assert!(files_below(&scene.path("home")).is_empty());
}

#[test]
fn without_nix_it_is_said_how_to_get_it() {
    let scene = Scene::new();
    let output = scene
        .slipway(&["seed"])
        .env("PATH", scene.path("bin"))
        .output()
        .unwrap();
    assert!(error(&output).contains("Nix is not installed"));
}

#[test]
fn a_nix_that_is_too_old_is_refused() {
    let scene = Scene::new().with_fake_nix();
    let output = scene
        .slipway(&["seed"])
        .env("FAKE_VERSION", "2.3.16")
        .output()
        .unwrap();
    assert!(error(&output).contains("Nix 2.3.16 is too old, Slipway needs 2.4 or newer"));
}

#[test]
fn flakes_need_not_be_enabled() {
    let scene = Scene::new();
    let script = FAKE_NIX.replacen(
        "case \"$*\" in",
        "case \"$*\" in\n  *--version*|*\"--extra-experimental-features nix-command flakes\"*) ;;\n  \
         *) echo \"error: experimental feature 'nix-command' is disabled\" >&2; exit 1 ;;\nesac\ncase \"$*\" in",
        1,
    );
    scene.program("nix", &script);
    scene.program("nix-store", FAKE_NIX_STORE);
    let Some(key) = Key::make() else { return };
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    stdout(&scene.run_with(&key, &["lock"]));
    stdout(&scene.run_with(&key, &["seed"]));
}

#[test]
fn who_is_not_root_and_has_no_daemon_is_told_what_to_do() {
    let scene = Scene::new().with_fake_nix();
    let mut command = scene.slipway(&["seed"]);
    command.env("NIX_STATE_DIR", scene.path("no-state"));
    if rustix::process::geteuid().is_root() {
        // Root may always build; so the program runs as somebody else.
        use std::os::unix::process::CommandExt;
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scene.directory.path(), open).unwrap();
        let copy = scene.path("slipway");
        fs::copy(env!("CARGO_BIN_EXE_slipway"), &copy).unwrap();
        let mut copied = Command::new(copy);
        copied
            .args(["seed"])
            .current_dir(scene.directory.path())
            .env_clear()
            .uid(65534)
            .gid(65534);
        for (name, value) in command.get_envs() {
            copied.env(name, value.unwrap());
        }
        command = copied;
    }
    let message = error(&command.output().unwrap());
    assert!(
        message.contains("not root and no Nix daemon runs"),
        "{message}"
    );
}

#[test]
fn seed_puts_what_is_missing_into_the_store_and_then_nothing_is_missing() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    stdout(&scene.run_with(&key, &["lock"]));
    let said = stdout(&scene.run_with(&key, &["seed"]));
    assert!(said.starts_with("1 seed, 0.0 MB, "), "{said}");
    assert_eq!(
        stdout(&scene.run_with(&key, &["seed"])),
        "nothing is missing\n"
    );
    assert!(files_below(&scene.path("home/.cache/slipway/debs")).is_empty());
}

#[test]
fn verbose_shows_the_calls_of_nix() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    stdout(&scene.run_with(&key, &["lock"]));
    let output = scene.run_with(&key, &["-v", "seed"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("build --dry-run --json '.#image'\n"),
        "{stderr}"
    );
    assert!(
        stderr.contains("$ nix-store --add-fixed sha256 "),
        "{stderr}"
    );
}

fn with_a_gone_pin(key: &Key) -> Scene {
    let scene = Scene::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, key);
    stdout(&scene.run_with(key, &["lock"]));
    Archive::new("trixie")
        .with("tool", "2", "")
        .publish(&scene.mirror, key);
    scene.mirror.remove("/debian/pool/main/x/tool_1_amd64.deb");
    scene
}

#[test]
fn a_pin_that_is_gone_moves_loudly_and_seeding_goes_on() {
    let Some(key) = Key::make() else { return };
    let scene = with_a_gone_pin(&key);
    let output = scene.run_with(&key, &["seed"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr
            .contains("warning: no mirror carries these pinned packages any more: tool 1 (amd64)"),
        "{stderr}"
    );
    assert!(stderr.contains("warning: ~ tool 1 → 2"), "{stderr}");
    assert!(stdout(&output).starts_with("1 seed"));
    assert!(scene.read("slipway.lock").contains("version = \"2\""));
}

#[test]
fn with_locked_a_pin_that_is_gone_is_an_error_and_nothing_moves() {
    let Some(key) = Key::make() else { return };
    let scene = with_a_gone_pin(&key);
    let before = scene.read("slipway.lock");
    let message = error(&scene.run_with(&key, &["seed", "--locked"]));
    assert!(
        message.contains("no mirror carries tool 1 (amd64) any more"),
        "{message}"
    );
    assert!(
        message.contains("slipway lock") && message.contains("--mirror"),
        "{message}"
    );
    assert_eq!(scene.read("slipway.lock"), before);
}

#[test]
fn a_package_that_the_index_lists_and_the_mirror_lacks_does_not_loop() {
    let Some(key) = Key::make() else { return };
    let scene = with_a_gone_pin(&key);
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    scene.mirror.remove("/debian/pool/main/x/tool_1_amd64.deb");
    assert!(
        error(&scene.run_with(&key, &["seed"]))
            .contains("no mirror carries tool 1 (amd64) any more")
    );
}

#[test]
fn a_tampered_seed_does_not_reach_the_store() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&scene.mirror, &key);
    stdout(&scene.run_with(&key, &["lock"]));
    scene
        .mirror
        .put("/debian/pool/main/x/tool_1_amd64.deb", "CONTENTS of tool 1");
    assert!(
        error(&scene.run_with(&key, &["seed"])).contains("tool 1 (amd64) is not what was pinned")
    );
    assert!(!scene.path("store").exists());
    assert!(files_below(&scene.path("home/.cache/slipway/debs")).is_empty());
}

/// Nix with a store of its own in the directory, so that the real one is not touched.
fn with_own_store<'a>(command: &'a mut Command, directory: &Path) -> &'a mut Command {
    for (variable, place) in [
        ("NIX_STORE_DIR", "nix/store"),
        ("NIX_STATE_DIR", "nix/var"),
        ("NIX_LOG_DIR", "nix/log"),
        ("NIX_CONF_DIR", "nix/etc"),
    ] {
        command.env(variable, directory.join(place));
    }
    command
}

#[test]
#[ignore = "needs nix"]
fn a_seed_satisfies_the_derivation_that_stands_for_it() {
    let Some(key) = Key::make() else { return };
    let scene = Scene::new();
    Archive::new("trixie")
        .with("tool", "1~1", "")
        .publish(&scene.mirror, &key);
    stdout(&scene.run_with(&key, &["lock"]));
    scene.write(
        "flake.nix",
        r#"{ outputs = { self }: let
          pin = builtins.head (builtins.fromTOML (builtins.readFile ./slipway.lock)).package;
        in {
          packages.x86_64-linux.image = derivation {
            inherit (pin) archive path;
            builder = "builtin:fetchurl";
            name = builtins.replaceStrings [ "~" ] [ "-" ] (baseNameOf pin.path);
            outputHash = pin.sha256;
            outputHashAlgo = "sha256";
            outputHashMode = "flat";
            purl = "pkg:deb/debian/${pin.name}@${pin.version}?arch=${pin.architecture}";
            size = toString pin.size;
            system = "x86_64-linux";
            url = "seed ${pin.name} is not in the store";
          };
        }; }"#,
    );
    let own_store = |arguments: &[&str]| {
        let mut command = scene.slipway(arguments);
        with_own_store(&mut command, scene.directory.path())
            .output()
            .unwrap()
    };
    assert!(
        error(&own_store(&[
            "build",
            "--locked",
            "--mirror",
            "http://127.0.0.1:1",
            ".#image"
        ]))
        .contains("tool")
    );
    assert!(stdout(&own_store(&["seed"])).starts_with("1 seed"));
    let built = stdout(&own_store(&["build", ".#image"]));
    assert!(built.contains("tool_1-1_amd64.deb (0.0 s)"), "{built}");
    assert_eq!(scene.read("result"), "contents of tool 1~1");
    // The store makes its directories read-only.
    let _ = Command::new("chmod")
        .args(["-R", "u+w"])
        .arg(scene.path("nix"))
        .status();
}
