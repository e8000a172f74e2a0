//! Checks container engines, emulators and registry credentials. Builds need none of these.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;
use slipway_registry::credentials;

use super::{Finding, plain, version};
use crate::project::platform_table::Table;

/// Checks the machine whose file system is at `root`, for the platforms of the project's `table`.
pub fn findings(root: &Path, table: Option<&Table>) -> Vec<Finding> {
    let mut findings = vec![podman(), docker(root), containerd(root)];
    let foreign = table.map(Table::foreign).unwrap_or_default();
    for (platform, emulator) in foreign {
        findings.push(emulation(root, &platform, &emulator));
    }
    findings.push(registries(&credentials::files()));
    findings
}

fn podman() -> Finding {
    match version("podman") {
        Some(version) => Finding::ok("podman", version),
        None => Finding::note(
            "podman",
            "is not installed; to load images into it: apt-get install podman",
        ),
    }
}

fn docker(root: &Path) -> Finding {
    let Some(version) = version("docker") else {
        return Finding::note("docker", "is not installed, and not needed");
    };
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    if !host.is_empty() && !host.starts_with("unix://") {
        return Finding::ok("docker", format!("{version}, at DOCKER_HOST"));
    }
    let socket = match host.strip_prefix("unix://") {
        Some(path) => PathBuf::from(path),
        None => root.join("var/run/docker.sock"),
    };
    of_socket("docker", &version, &socket)
}

fn containerd(root: &Path) -> Finding {
    match version("ctr") {
        Some(version) => {
            let socket = root.join("run/containerd/containerd.sock");
            of_socket("containerd", &version, &socket)
        }
        None => Finding::note("containerd", "is not installed, and not needed"),
    }
}

fn of_socket(subject: &str, version: &str, socket: &Path) -> Finding {
    match UnixStream::connect(socket) {
        Ok(_) => Finding::ok(subject, format!("{version}, answers")),
        Err(e) => Finding::note(
            subject,
            format!(
                "{version}, and its daemon does not answer at {}: {e}",
                socket.display()
            ),
        ),
    }
}

/// Whether the kernel passes programs of a platform to an emulator, also in containers.
fn emulation(root: &Path, platform: &str, emulator: &str) -> Finding {
    let entry = root.join("proc/sys/fs/binfmt_misc").join(emulator);
    let subject = format!("run {platform}");
    let install = "apt-get install qemu-user-static";
    let Ok(entry) = fs::read_to_string(entry) else {
        return Finding::note(
            &subject,
            format!("images are built, and not run: no emulator is registered; {install}"),
        );
    };
    let flags = entry.lines().find_map(|line| line.strip_prefix("flags:"));
    if !entry.starts_with("enabled") {
        return Finding::note(&subject, format!("the emulator {emulator} is disabled"));
    }
    match flags.is_some_and(|flags| flags.contains('F')) {
        true => Finding::ok(&subject, format!("by {emulator}")),
        false => Finding::note(
            &subject,
            format!("{emulator} lacks the flag F, so containers don't find it; {install}"),
        ),
    }
}

/// The registries that have credentials. The credentials themselves are not read.
fn registries(files: &[PathBuf]) -> Finding {
    let subject = "registries";
    let mut names = BTreeSet::new();
    for file in files {
        let Ok(text) = fs::read(file) else { continue };
        let Ok(settings) = serde_json::from_slice::<Value>(&text) else {
            return Finding::note(
                subject,
                format!("{} is not JSON; mend or remove it", file.display()),
            );
        };
        for kind in ["auths", "credHelpers"] {
            let entries = settings[kind].as_object().into_iter().flatten();
            names.extend(entries.map(|(name, _)| plain(name)));
        }
        if let Some(store) = settings["credsStore"].as_str() {
            names.insert(format!("what docker-credential-{} has", plain(store)));
        }
    }
    match names.is_empty() {
        true => Finding::note(
            subject,
            "no credentials, so only what is open can be pushed to; log in: podman login HOST",
        ),
        false => {
            let names: Vec<String> = names.into_iter().collect();
            Finding::ok(subject, format!("credentials for {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn names_registries_but_not_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("auth.json");
        let files = [directory.path().join("missing"), file.clone()];
        assert_eq!(registries(&files).state, State::Note);
        fs::write(
            &file,
            r#"{"auths": {"registry.example": {"auth": "c2VjcmV0"}}, "credHelpers": {"b.example": "x"}, "credsStore": "y"}"#,
        )
        .unwrap();
        let finding = registries(&files);
        assert_eq!(
            finding.text,
            "credentials for b.example, registry.example, what docker-credential-y has"
        );
        fs::write(&file, "{").unwrap();
        assert!(registries(&files).text.contains("auth.json is not JSON"));
    }

    #[test]
    fn emulator_works_in_containers_with_flag_f() {
        let root = tempfile::tempdir().unwrap();
        let state = || emulation(root.path(), "linux/arm64", "qemu-aarch64").state;
        assert_eq!(state(), State::Note);
        let entries = root.path().join("proc/sys/fs/binfmt_misc");
        fs::create_dir_all(&entries).unwrap();
        for (text, expected) in [
            ("enabled\nflags: POF\n", State::Ok),
            ("enabled\nflags: PO\n", State::Note),
            ("disabled\nflags: POF\n", State::Note),
        ] {
            fs::write(entries.join("qemu-aarch64"), text).unwrap();
            assert_eq!(state(), expected, "{text}");
        }
    }
}
