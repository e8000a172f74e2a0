//! Tests of `push` and `index` with a real registry. Other programs read the images.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use end_to_end::address::free_address;
use end_to_end::certificate::{OPENSSL, certificates};
use end_to_end::command::CommandExt;

use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::registry::{Guard, READER, REGISTRY, Registry, WRITER};
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::skopeo::{SKOPEO, skopeo};
use end_to_end::slipway::slipway;
use serde_json::Value;

/// A registry, the image of all default platforms, and a home directory without credentials.
struct Fixture {
    registry: Registry,
    layout: PathBuf,
    home: tempfile::TempDir,
}

impl Fixture {
    /// Returns `None` if this machine lacks a requirement.
    fn new(guard: Guard) -> Result<Option<Self>> {
        if !met(&[REGISTRY, OPENSSL, SKOPEO])? {
            return Ok(None);
        }
        Ok(Some(Self {
            registry: Registry::start(guard)?,
            layout: nix_build(repository(), "image")?,
            home: tempfile::tempdir()?,
        }))
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    fn digest(&self) -> Result<String> {
        let index: Value = serde_json::from_slice(&fs::read(self.layout.join("index.json"))?)?;
        let digest = index["manifests"][0]["digest"].as_str();
        Ok(digest.context("no digest")?.to_owned())
    }

    /// Runs `slipway push`, with a password on standard input if `login` is given.
    fn push(&self, options: &[&str], name: &str, login: Option<(&str, &str)>) -> Result<Output> {
        let layout = self.layout.to_str().context("store path")?;
        let mut command = slipway(&[&["push", layout, name], options].concat())?;
        if let Some((username, _)) = login {
            command.args(["--username", username, "--password-stdin"]);
        }
        let mut child = self
            .at_home(&mut command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        if let Some((_, password)) = login {
            writeln!(stdin, "{password}")?;
        }
        drop(stdin);
        Ok(child.wait_with_output()?)
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for name in [
            "REGISTRY_AUTH_FILE",
            "DOCKER_AUTH_CONFIG",
            "DOCKER_CONFIG",
            "XDG_CONFIG_HOME",
            "XDG_RUNTIME_DIR",
        ] {
            command.env_remove(name);
        }
        command.env("HOME", self.home.path())
    }

    /// Checks that a push succeeds and prints its result.
    fn assert_pushes(
        &self,
        options: &[&str],
        name: &str,
        login: Option<(&str, &str)>,
    ) -> Result<()> {
        let output = self.push(options, name, login)?;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}\n{}", self.registry.log()?);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed, format!("{name}@{}\n", self.digest()?));
        Ok(())
    }

    /// Checks that a push fails with one line, and returns it.
    fn error(&self, options: &[&str], name: &str, login: Option<(&str, &str)>) -> Result<String> {
        let output = self.push(options, name, login)?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        let last = error.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("error: "), "{error}");
        if let Some((_, password)) = login {
            assert!(!error.contains(password), "{error}");
        }
        Ok(last)
    }

    /// Checks that skopeo, an independent reader, finds the same bytes.
    fn assert_others_read(&self, name: &str, options: &[&str]) -> Result<()> {
        let name = format!("docker://{name}");
        let raw = skopeo(&[&["inspect", "--raw"], options, &[&name]].concat())?;
        let index = self.digest()?;
        let file = self
            .layout
            .join("blobs/sha256")
            .join(index.trim_start_matches("sha256:"));
        assert_eq!(raw, fs::read_to_string(file)?);

        let copy = tempfile::tempdir()?;
        let to = format!("oci:{}", copy.path().join("copy").display());
        let options: Vec<String> = options
            .iter()
            .map(|it| it.replace("--", "--src-"))
            .collect();
        let mut arguments = vec!["copy", "--quiet", "--all", "--preserve-digests"];
        arguments.extend(options.iter().map(String::as_str));
        skopeo(&[&arguments[..], &[&name, &to]].concat())?;
        let blobs = |layout: &Path| -> Result<Vec<_>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(layout.join("blobs/sha256"))? {
                names.push(entry?.file_name());
            }
            names.sort();
            Ok(names)
        };
        assert_eq!(blobs(&copy.path().join("copy"))?, blobs(&self.layout)?);
        Ok(())
    }
}

#[test]
fn pushes_over_tls_with_a_password() -> Result<()> {
    let Some(fixture) = Fixture::new(Guard::Password)? else {
        return Ok(());
    };
    let name = fixture.name("team/reporter:dev");
    let authority = fixture.registry.authority();
    let authority = authority.to_str().context("TMPDIR")?;
    fixture.assert_pushes(&["--ca", authority], &name, Some(WRITER))?;
    fixture.assert_others_read(&name, &["--tls-verify=false", "--creds=ada:hunter2"])?;

    let error = fixture.error(&["--ca", authority], &name, Some(("ada", "letmein")))?;
    assert!(error.contains("refuses the login"), "{error}");
    let error = fixture.error(&["--ca", authority], &name, None)?;
    assert!(error.contains("podman login"), "{error}");
    let error = fixture.error(&[], &name, Some(WRITER))?;
    assert!(error.contains("--ca FILE"), "{error}");
    let other = tempfile::tempdir()?;
    certificates(other.path(), 2)?;
    let other = other.path().join("ca.crt");
    let error = fixture.error(
        &["--ca", other.to_str().context("TMPDIR")?],
        &name,
        Some(WRITER),
    )?;
    assert!(error.contains("certificate"), "{error}");
    Ok(())
}

#[test]
fn finds_credentials_and_authorities_in_podmans_directories() -> Result<()> {
    let Some(fixture) = Fixture::new(Guard::Password)? else {
        return Ok(());
    };
    let certificates = fixture
        .home
        .path()
        .join(".config/containers/certs.d")
        .join(fixture.registry.host());
    fs::create_dir_all(&certificates)?;
    fs::copy(fixture.registry.authority(), certificates.join("ca.crt"))?;
    let (username, password) = WRITER;
    let mut login = Command::new("skopeo");
    login.args(["login", "--username", username, "--password", password]);
    login.args([
        "--authfile",
        ".config/containers/auth.json",
        fixture.registry.host(),
    ]);
    login.arg("--cert-dir").arg(&certificates);
    fixture
        .at_home(login.current_dir(fixture.home.path()))
        .text()?;
    fixture.assert_pushes(&[], &fixture.name("reporter:dev"), None)
}

#[test]
fn pushes_with_a_token_if_the_user_may_push() -> Result<()> {
    let Some(fixture) = Fixture::new(Guard::Token)? else {
        return Ok(());
    };
    let name = fixture.name("team/reporter:dev");
    let error = fixture.error(&[], &name, Some(READER))?;
    assert!(error.contains("no right to push to"), "{error}");
    let error = fixture.error(&[], &name, Some(("ada", "letmein")))?;
    assert!(error.contains("refuses the login"), "{error}");
    assert!(error.contains("incorrect username or password"), "{error}");

    fixture.assert_pushes(&[], &name, Some(WRITER))?;
    fixture.assert_others_read(&name, &["--tls-verify=false", "--creds=bob:swordfish"])?;
    let other = fixture.name("other/reporter:dev");
    let from = fixture.name("team/reporter");
    fixture.assert_pushes(&["--mount-from", &from], &other, Some(WRITER))?;
    // A user that may only pull can check that the image is up to date.
    fixture.assert_pushes(&[], &name, Some(READER))
}

#[test]
fn prints_each_error_on_one_line() -> Result<()> {
    let Some(fixture) = Fixture::new(Guard::Open)? else {
        return Ok(());
    };
    let nobody = format!("{}/reporter:dev", free_address()?);
    let error = fixture.error(&[], &nobody, None)?;
    assert!(error.contains("cannot be reached"), "{error}");
    let error = fixture.error(&[], "registry.invalid/reporter:dev", None)?;
    assert!(
        error.contains("registry.invalid cannot be reached"),
        "{error}"
    );
    let output = fixture.push(&[], "localhost/Reporter", None)?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("upper-case"), "{error}");
    Ok(())
}

#[test]
fn podman_pulls_and_runs_the_foreign_image_of_a_pushed_index() -> Result<()> {
    let platform = Platform::foreign()?;
    if !met(&[Requirement::Podman, Requirement::Runs(&platform)])? {
        return Ok(());
    }
    let Some(fixture) = Fixture::new(Guard::Open)? else {
        return Ok(());
    };
    let name = fixture.name("reporter:dev");
    fixture.assert_pushes(&[], &name, None)?;
    fixture.assert_others_read(&name, &["--tls-verify=false"])?;
    let podman = Podman::new()?;
    let pull = [
        "pull",
        "--quiet",
        "--tls-verify=false",
        "--arch",
        platform.architecture(),
        &name,
    ];
    let image = podman.command(&pull).text()?;
    let arguments = ["--embedded-broker", "--count", "1", "--interval", "0.1s"];
    let messages = podman.run(&["--rm"], image.trim(), &arguments).text()?;
    assert!(messages.starts_with("info [0] @ 0: Time: "), "{messages}");
    Ok(())
}

#[test]
fn joins_separate_images_into_one_index_without_moving_layers() -> Result<()> {
    let Some(fixture) = Fixture::new(Guard::Open)? else {
        return Ok(());
    };
    let run = |arguments: &[&str]| -> Result<Command> {
        let mut command = slipway(arguments)?;
        fixture.at_home(&mut command);
        Ok(command)
    };
    let image =
        |name: &str| -> Result<String> { Ok(nix_build(repository(), name)?.display().to_string()) };
    let (amd64, arm64) = (image("image-x86_64")?, image("image-aarch64")?);
    let (one, other) = (
        fixture.name("app:amd64"),
        fixture.name("elsewhere/app:arm64"),
    );
    run(&["push", &amd64, &one])?.text()?;
    run(&["push", &arm64, &other])?.text()?;

    let index = fixture.name("app:1.0");
    let made = run(&["index", "create", &index, &other, &one])?.output()?;
    let (made, how) = (
        String::from_utf8(made.stdout)?,
        String::from_utf8(made.stderr)?,
    );
    // The index is the same as if the images had been built together.
    assert_eq!(made, format!("{index}@{}\n", fixture.digest()?), "{how}");
    assert!(
        how.contains("mounted sha256:") && !how.contains("pushed sha256:"),
        "{how}"
    );
    fixture.assert_others_read(&index, &["--tls-verify=false"])?;

    let error = run(&["index", "append", &index, &one])?.failure()?;
    assert!(
        error.contains(&format!(
            "linux/amd64 is in {index} and again in {one}; name each platform once"
        )),
        "{error}"
    );
    let replace = [
        "index",
        "append",
        "--replace",
        "--annotation",
        "a=b",
        &index,
        &amd64,
    ];
    run(&replace)?.text()?;
    let raw = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        &format!("docker://{index}"),
    ])?;
    assert!(raw.contains(r#""annotations":{"a":"b","#), "{raw}");

    // The same with an index on disk.
    let place = tempfile::tempdir()?;
    let file = place.path().join("index.tar").display().to_string();
    run(&["index", "create", &file, &amd64])?.text()?;
    let made = run(&["index", "append", "--format", "json", &file, &other])?.text()?;
    let made: Value = serde_json::from_str(&made)?;
    assert_eq!(made["digest"], fixture.digest()?);
    Ok(())
}
