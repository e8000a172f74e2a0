//! Tests of the command line: each command succeeds, or prints one line that says what to do.

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

const CONFIG: &str = r#"debian = "trixie"

[set.tools]
architectures = ["amd64"]
suites = ["trixie"]
packages = ["tool"]
"#;

/// A stand-in for Nix, for tests of other things. The flake that it "evaluates" has the packages of
/// slipway.lock as seeds, and its store is the file `store`.
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

/// A project with its own home directory and mirror, isolated from the settings of this machine.
struct Fixture {
    directory: TempDir,
    mirror: Mirror,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            directory: TempDir::new().unwrap(),
            mirror: Mirror::start(),
        };
        fixture.write("slipway.toml", CONFIG);
        fixture
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

    /// Adds a program in front of those in PATH.
    fn program(&self, name: &str, script: &str) {
        let name = format!("bin/{name}");
        // Nix's sandbox has no /bin/sh.
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
            .env(
                "SLIPWAY_DEBIAN_MIRROR",
                format!("{}/debian", self.mirror.url()),
            )
            .env("RUST_BACKTRACE", "1");
        command
    }

    /// `slipway lock` with the mirrors of the settings and of apt.
    fn lock_with_default_mirrors(&self) -> Command {
        let mut command = self.slipway(&["lock"]);
        command.env_remove("SLIPWAY_DEBIAN_MIRROR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.slipway(arguments).output().unwrap()
    }

    /// Runs slipway with the test's keyring.
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

/// The error line of a failed run, which must be the last line.
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
fn unknown_command_is_a_usage_error() {
    assert_eq!(Fixture::new().run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(Fixture::new().run(&["run"]).status.code(), Some(2));
}

#[test]
fn explains_a_directory_without_a_project() {
    let elsewhere = TempDir::new().unwrap();
    let output = Fixture::new().run(&["-C", elsewhere.path().to_str().unwrap(), "lock"]);
    assert!(error(&output).contains("no slipway.toml in "));
}

#[test]
fn run_rejects_a_directory_that_is_not_an_image() {
    let fixture = Fixture::new();
    assert!(error(&fixture.run(&["run", "."])).contains("is not an OCI image layout"));
}

#[test]
fn error_in_slipway_toml_names_the_line() {
    let fixture = Fixture::new();
    fixture.write("slipway.toml", &CONFIG.replace("suites", "suits"));
    assert!(error(&fixture.run(&["lock"])).contains("slipway.toml: line 5: unknown field `suits`"));
}

#[test]
fn rejects_a_tampered_lock_and_does_not_change_it() {
    let fixture = Fixture::new();
    fixture.write(
        "slipway.lock",
        "version = 1\nrelease = \"trixie\"\nextra = 1\n",
    );
    let message = error(&fixture.run(&["lock"]));
    assert!(
        message.contains("slipway.lock: line 3: unknown field `extra`"),
        "{message}"
    );
    assert!(fixture.read("slipway.lock").contains("extra"));
}

#[test]
fn explains_how_to_name_a_mirror_without_apt() {
    let fixture = Fixture::new();
    let output = fixture
        .lock_with_default_mirrors()
        .env("PATH", fixture.path("bin"))
        .output();
    let message = error(&output.unwrap());
    assert!(message.contains("this machine has no apt"), "{message}");
    for way in [
        "--mirror URL",
        "SLIPWAY_DEBIAN_MIRROR",
        "~/.config/slipway/slipway.toml",
        "the project's slipway.toml",
    ] {
        assert!(message.contains(way), "{message}");
    }
}

/// Order of precedence: environment variable, user settings, system settings, project.
#[test]
fn mirrors_can_be_set_for_a_user_a_system_or_a_project() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    let good = format!("mirrors = [\"{}/debian\"]\n", fixture.mirror.url());
    let bad = "mirrors = [\"nowhere\"]\n";
    let lock = || {
        let output = fixture
            .lock_with_default_mirrors()
            .env("SLIPWAY_KEYRING", key.keyring())
            .env("XDG_CONFIG_DIRS", fixture.path("etc/xdg"))
            .env(
                "PATH",
                format!("{}:/usr/bin", fixture.path("bin").display()),
            )
            .output()
            .unwrap();
        output.status.success()
    };
    fixture.program("apt-get", "#!/bin/sh\n");
    assert!(!lock());
    fixture.write(
        "slipway.toml",
        &(good.clone() + &fixture.read("slipway.toml")),
    );
    assert!(lock());
    fixture.write("etc/xdg/slipway/slipway.toml", bad);
    assert!(!lock());
    fixture.write("home/.config/slipway/slipway.toml", &good);
    assert!(lock());
    fixture.write("home/.config/slipway/slipway.toml", bad);
    assert!(!lock());
    assert!(fixture.run_with(&key, &["lock"]).status.success());
}

#[test]
fn error_in_settings_names_the_file_and_line() {
    let fixture = Fixture::new();
    fixture.write(
        "home/.config/slipway/slipway.toml",
        "mirrors = []\nmirror = 1\n",
    );
    let output = fixture.lock_with_default_mirrors().output();
    let message = error(&output.unwrap());
    assert!(
        message.contains("home/.config/slipway/slipway.toml: line 2: unknown field `mirror`"),
        "{message}"
    );
}

#[test]
fn rejects_apt_sources_of_another_distribution() {
    let fixture = Fixture::new();
    fixture.program(
        "apt-get",
        "#!/bin/sh\necho 'http://mirror.example/ubuntu/|noble|main|Ubuntu|Ubuntu'\n",
    );
    let message = error(&fixture.lock_with_default_mirrors().output().unwrap());
    assert!(
        message.contains("not Debian's but Ubuntu") && message.contains("--mirror URL"),
        "{message}"
    );
}

#[test]
fn uses_the_mirrors_of_apt() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    let line = format!("{}/debian/|trixie|main|Debian|Debian", fixture.mirror.url());
    fixture.program("apt-get", &format!("#!/bin/sh\necho '{line}'\n"));
    let output = fixture
        .lock_with_default_mirrors()
        .env("SLIPWAY_KEYRING", key.keyring())
        .output();
    assert!(stdout(&output.unwrap()).contains("+ tool 1\n"));
}

#[test]
fn reports_an_unreachable_mirror_and_writes_no_lock() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new();
    let down = Mirror::start().url().to_owned();
    let output = fixture.run_with(&key, &["lock", "--mirror", &down]);
    assert!(error(&output).contains("could not be fetched"));
    assert!(!fixture.path("slipway.lock").exists());
}

#[test]
fn lock_writes_the_resolved_packages_and_prints_changes() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new();
    let first = Archive::new("trixie")
        .with("tool", "1", "Depends: lib\n")
        .with("lib", "1", "");
    first.publish(&fixture.mirror, &key);
    assert_eq!(
        stdout(&fixture.run_with(&key, &["lock"])),
        "+ lib 1\n+ tool 1\nslipway.lock is written: 2 packages\n"
    );
    let lock = fixture.read("slipway.lock");
    assert_eq!(
        stdout(&fixture.run_with(&key, &["lock"])),
        "slipway.lock is up to date: 2 packages\n"
    );
    stdout(&fixture.run_with(&key, &["lock", "--check"]));
    Archive::new("trixie")
        .with("tool", "2", "")
        .publish(&fixture.mirror, &key);
    assert_eq!(
        stdout(&fixture.run_with(&key, &["lock"])),
        "slipway.lock is up to date: 2 packages\n"
    );
    fixture
        .mirror
        .remove("/debian/pool/main/x/tool_1_amd64.deb");
    assert!(
        error(&fixture.run_with(&key, &["lock", "--check"]))
            .contains("slipway.lock does not match")
    );
    assert_eq!(fixture.read("slipway.lock"), lock);
    assert_eq!(
        stdout(&fixture.run_with(&key, &["lock", "--upgrade"])),
        "- lib 1\n~ tool 1 → 2\nslipway.lock is written: 1 packages\n"
    );
}

#[test]
fn writes_no_lock_if_a_signature_is_bad() {
    let (Some(key), Some(other)) = (Key::make(), Key::make()) else {
        return;
    };
    let fixture = Fixture::new();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &other);
    assert!(error(&fixture.run_with(&key, &["lock"])).contains("the signature of "));
    assert!(!fixture.path("slipway.lock").exists());
    assert!(files_below(&fixture.path("home")).is_empty());
}

#[test]
fn explains_how_to_install_nix() {
    let fixture = Fixture::new();
    let output = fixture
        .slipway(&["seed"])
        .env("PATH", fixture.path("bin"))
        .output()
        .unwrap();
    assert!(error(&output).contains("Nix is not installed"));
}

#[test]
fn rejects_a_nix_that_is_too_old() {
    let fixture = Fixture::new().with_fake_nix();
    let output = fixture
        .slipway(&["seed"])
        .env("FAKE_VERSION", "2.3.16")
        .output()
        .unwrap();
    assert!(error(&output).contains("Nix 2.3.16 is too old, Slipway needs 2.4 or newer"));
}

#[test]
fn works_without_flakes_in_nix_conf() {
    let fixture = Fixture::new();
    let script = FAKE_NIX.replacen(
        "case \"$*\" in",
        "case \"$*\" in\n  *--version*|*\"--extra-experimental-features nix-command flakes\"*) ;;\n  \
         *) echo \"error: experimental feature 'nix-command' is disabled\" >&2; exit 1 ;;\nesac\ncase \"$*\" in",
        1,
    );
    fixture.program("nix", &script);
    fixture.program("nix-store", FAKE_NIX_STORE);
    let Some(key) = Key::make() else { return };
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    stdout(&fixture.run_with(&key, &["lock"]));
    stdout(&fixture.run_with(&key, &["seed"]));
}

#[test]
fn explains_what_to_do_without_root_or_a_daemon() {
    let fixture = Fixture::new().with_fake_nix();
    let mut command = fixture.slipway(&["seed"]);
    command.env("NIX_STATE_DIR", fixture.path("no-state"));
    if rustix::process::geteuid().is_root() {
        // Root can always build, so run as another user.
        use std::os::unix::process::CommandExt;
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(fixture.directory.path(), open).unwrap();
        let copy = fixture.path("slipway");
        // A process that another test starts meanwhile would inherit a file that is open for writing,
        // and the copy could not be run.
        let mut cp = Command::new("cp");
        cp.arg(env!("CARGO_BIN_EXE_slipway")).arg(&copy);
        assert!(cp.status().unwrap().success());
        let mut copied = Command::new(copy);
        copied
            .args(["seed"])
            .current_dir(fixture.directory.path())
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
fn seed_adds_missing_packages_to_the_store() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    stdout(&fixture.run_with(&key, &["lock"]));
    let printed = stdout(&fixture.run_with(&key, &["seed"]));
    assert!(printed.starts_with("1 seed, 0.00 MB, "), "{printed}");
    assert_eq!(
        stdout(&fixture.run_with(&key, &["seed"])),
        "nothing is missing\n"
    );
    assert!(files_below(&fixture.path("home/.cache/slipway/debs")).is_empty());
}

#[test]
fn verbose_prints_nix_commands() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    stdout(&fixture.run_with(&key, &["lock"]));
    let output = fixture.run_with(&key, &["-v", "seed"]);
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

fn with_missing_pin(key: &Key) -> Fixture {
    let fixture = Fixture::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, key);
    stdout(&fixture.run_with(key, &["lock"]));
    Archive::new("trixie")
        .with("tool", "2", "")
        .publish(&fixture.mirror, key);
    fixture
        .mirror
        .remove("/debian/pool/main/x/tool_1_amd64.deb");
    fixture
}

#[test]
fn seed_replaces_a_missing_pin_with_a_warning() {
    let Some(key) = Key::make() else { return };
    let fixture = with_missing_pin(&key);
    let output = fixture.run_with(&key, &["seed"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr
            .contains("warning: no mirror carries these pinned packages any more: tool 1 (amd64)"),
        "{stderr}"
    );
    assert!(stderr.contains("warning: ~ tool 1 → 2"), "{stderr}");
    assert!(stdout(&output).starts_with("1 seed"));
    assert!(fixture.read("slipway.lock").contains("version = \"2\""));
}

#[test]
fn locked_seed_fails_on_a_missing_pin_and_changes_nothing() {
    let Some(key) = Key::make() else { return };
    let fixture = with_missing_pin(&key);
    let before = fixture.read("slipway.lock");
    let message = error(&fixture.run_with(&key, &["seed", "--locked"]));
    assert!(
        message.contains("no mirror carries tool 1 (amd64) any more"),
        "{message}"
    );
    assert!(
        message.contains("slipway lock") && message.contains("--mirror"),
        "{message}"
    );
    assert_eq!(fixture.read("slipway.lock"), before);
}

#[test]
fn seed_does_not_loop_if_the_mirror_lacks_a_listed_package() {
    let Some(key) = Key::make() else { return };
    let fixture = with_missing_pin(&key);
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    fixture
        .mirror
        .remove("/debian/pool/main/x/tool_1_amd64.deb");
    assert!(
        error(&fixture.run_with(&key, &["seed"]))
            .contains("no mirror carries tool 1 (amd64) any more")
    );
}

#[test]
fn tampered_seed_does_not_reach_the_store() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new().with_fake_nix();
    Archive::new("trixie")
        .with("tool", "1", "")
        .publish(&fixture.mirror, &key);
    stdout(&fixture.run_with(&key, &["lock"]));
    fixture
        .mirror
        .put("/debian/pool/main/x/tool_1_amd64.deb", "CONTENTS of tool 1");
    assert!(
        error(&fixture.run_with(&key, &["seed"])).contains("tool 1 (amd64) is not what was pinned")
    );
    assert!(!fixture.path("store").exists());
    assert!(files_below(&fixture.path("home/.cache/slipway/debs")).is_empty());
}

/// Runs Nix with a store in this directory, so that the real store is not touched.
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
fn seed_satisfies_its_fixed_output_derivation() {
    let Some(key) = Key::make() else { return };
    let fixture = Fixture::new();
    Archive::new("trixie")
        .with("tool", "1~1", "")
        .publish(&fixture.mirror, &key);
    stdout(&fixture.run_with(&key, &["lock"]));
    fixture.write(
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
        let mut command = fixture.slipway(arguments);
        with_own_store(&mut command, fixture.directory.path())
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
    assert_eq!(fixture.read("result"), "contents of tool 1~1");
    make_writable(&fixture.path("nix"));
}

/// A flake whose output is a link to its file `source`, made without a shell.
const LINK_FLAKE: &str = r#"{ outputs = { self }: {
  packages.x86_64-linux.image = derivation {
    name = "link";
    builder = "builtin:buildenv";
    derivations = "";
    manifest = ./source;
    system = "x86_64-linux";
  };
}; }"#;

/// A `nix` that changes the file `source` before it builds.
const NIX_WITH_AN_EDITOR: &str = r#"#!/bin/sh
case $* in *--no-link*) echo changed >source ;; esac
PATH=${PATH#*:}
exec nix "$@"
"#;

#[test]
#[ignore = "needs nix"]
fn builds_the_sources_as_they_were_at_the_start() {
    let fixture = Fixture::new();
    fixture.write("flake.nix", LINK_FLAKE);
    fixture.write("source", "original");
    fixture.program("nix", NIX_WITH_AN_EDITOR);
    for arguments in [&["init", "--quiet"][..], &["add", "flake.nix", "source"]] {
        let mut git = Command::new("git");
        git.current_dir(fixture.directory.path()).args(arguments);
        assert!(git.status().unwrap().success());
    }
    let mut build = fixture.slipway(&["build", ".#image"]);
    let output = with_own_store(&mut build, fixture.directory.path()).output();
    assert!(stdout(&output.unwrap()).starts_with(".#image → "));
    assert_eq!(fixture.read("result/manifest.nix"), "original");
    assert_eq!(fixture.read("source"), "changed\n");
    make_writable(&fixture.path("nix"));
}

/// Makes a store removable: directories in it are read-only.
fn make_writable(store: &Path) {
    let mut chmod = Command::new("chmod");
    assert!(
        chmod
            .args(["-R", "u+w"])
            .arg(store)
            .status()
            .unwrap()
            .success()
    );
}
