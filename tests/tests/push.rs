//! Images in a real registry: pushed by Slipway, read by others.

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

/// A registry, the image of all platforms, and a home without anybody's logins.
struct Scene {
    registry: Registry,
    layout: PathBuf,
    home: tempfile::TempDir,
}

impl Scene {
    /// None if this machine lacks something.
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

    /// `slipway push` with a password on its standard input, if there is one.
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

    /// Pushed, and it says so.
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

    /// Not pushed, with one line that says why.
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

    /// skopeo, an independent reader, finds the same bytes.
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
fn an_image_is_pushed_over_tls_with_a_password() -> Result<()> {
    let Some(scene) = Scene::new(Guard::Password)? else {
        return Ok(());
    };
    let name = scene.name("team/reporter:dev");
    let authority = scene.registry.authority();
    let authority = authority.to_str().context("TMPDIR")?;
    scene.assert_pushes(&["--ca", authority], &name, Some(WRITER))?;
    scene.assert_others_read(&name, &["--tls-verify=false", "--creds=ada:hunter2"])?;

    let error = scene.error(&["--ca", authority], &name, Some(("ada", "letmein")))?;
    assert!(error.contains("refuses the login"), "{error}");
    let error = scene.error(&["--ca", authority], &name, None)?;
    assert!(error.contains("podman login"), "{error}");
    let error = scene.error(&[], &name, Some(WRITER))?;
    assert!(error.contains("--ca FILE"), "{error}");
    let other = tempfile::tempdir()?;
    certificates(other.path(), 2)?;
    let other = other.path().join("ca.crt");
    let error = scene.error(
        &["--ca", other.to_str().context("TMPDIR")?],
        &name,
        Some(WRITER),
    )?;
    assert!(error.contains("certificate"), "{error}");
    Ok(())
}

#[test]
fn logins_and_authorities_are_found_where_podman_has_them() -> Result<()> {
    let Some(scene) = Scene::new(Guard::Password)? else {
        return Ok(());
    };
    let certificates = scene
        .home
        .path()
        .join(".config/containers/certs.d")
        .join(scene.registry.host());
    fs::create_dir_all(&certificates)?;
    fs::copy(scene.registry.authority(), certificates.join("ca.crt"))?;
    let (username, password) = WRITER;
    let mut login = Command::new("skopeo");
    login.args(["login", "--username", username, "--password", password]);
    login.args([
        "--authfile",
        ".config/containers/auth.json",
        scene.registry.host(),
    ]);
    login.arg("--cert-dir").arg(&certificates);
    scene.at_home(login.current_dir(scene.home.path())).text()?;
    scene.assert_pushes(&[], &scene.name("reporter:dev"), None)
}

#[test]
fn an_image_is_pushed_with_tokens_by_who_may() -> Result<()> {
    let Some(scene) = Scene::new(Guard::Token)? else {
        return Ok(());
    };
    let name = scene.name("team/reporter:dev");
    let error = scene.error(&[], &name, Some(READER))?;
    assert!(error.contains("no right to push to"), "{error}");
    let error = scene.error(&[], &name, Some(("ada", "letmein")))?;
    assert!(error.contains("refuses the login"), "{error}");
    assert!(error.contains("incorrect username or password"), "{error}");

    scene.assert_pushes(&[], &name, Some(WRITER))?;
    scene.assert_others_read(&name, &["--tls-verify=false", "--creds=bob:swordfish"])?;
    let other = scene.name("other/reporter:dev");
    let from = scene.name("team/reporter");
    scene.assert_pushes(&["--mount-from", &from], &other, Some(WRITER))?;
    // Who may pull may see that nothing is to be done.
    scene.assert_pushes(&[], &name, Some(READER))
}

#[test]
fn mistakes_are_told_in_one_line() -> Result<()> {
    let Some(scene) = Scene::new(Guard::Open)? else {
        return Ok(());
    };
    let nobody = format!("{}/reporter:dev", free_address()?);
    let error = scene.error(&[], &nobody, None)?;
    assert!(error.contains("cannot be reached"), "{error}");
    let error = scene.error(&[], "registry.invalid/reporter:dev", None)?;
    assert!(
        error.contains("registry.invalid cannot be reached"),
        "{error}"
    );
    let output = scene.push(&[], "localhost/Reporter", None)?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("upper-case"), "{error}");
    Ok(())
}

#[test]
fn what_was_pushed_runs_on_another_machine_where_podman_pulls_it() -> Result<()> {
    let platform = Platform::foreign()?;
    if !met(&[Requirement::Podman, Requirement::Runs(&platform)])? {
        return Ok(());
    }
    let Some(scene) = Scene::new(Guard::Open)? else {
        return Ok(());
    };
    let name = scene.name("reporter:dev");
    scene.assert_pushes(&[], &name, None)?;
    scene.assert_others_read(&name, &["--tls-verify=false"])?;
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
