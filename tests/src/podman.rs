//! Runs podman(1) with its own storage and settings, isolated from the user's images and
//! containers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::platform::Platform;

/// Settings that work with and without systemd, with cgroups version 1, 2 or both, and inside a
/// container. runc is less strict than crun about cgroups, and Podman would raise the limits.
/// Containers have no network but the loopback interface.
const SETTINGS: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
netns = "none"

[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
"#;

/// A container engine. Removes its containers and images when dropped.
pub struct Podman {
    directory: TempDir,
}

impl Podman {
    pub fn new() -> Result<Self> {
        // Podman requires a short path.
        let directory = tempfile::Builder::new().prefix("podman-").tempdir()?;
        let root = directory.path();
        // Set no other directories: conmon passes these, but not `static_dir`, to the process that
        // cleans up after a container, and Podman would wait forever for that process.
        fs::write(
            root.join("containers.conf"),
            format!("{SETTINGS}tmp_dir = {:?}\n", root.join("tmp")),
        )?;
        fs::write(
            root.join("storage.conf"),
            format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = {0:?}\nrootless_storage_path = {0:?}\nrunroot = {1:?}\n",
                root.join("images"),
                root.join("run")
            ),
        )?;
        Ok(Self { directory })
    }

    /// The environment variables that make Podman, and programs that run it, use this storage.
    pub fn environment(&self) -> [(&'static str, std::path::PathBuf); 2] {
        let file = |name: &str| self.directory.path().join(name);
        [
            ("CONTAINERS_CONF", file("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", file("storage.conf")),
        ]
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.args(arguments).envs(self.environment());
        command
    }

    /// Loads the image of one platform from an image layout, and returns its ID.
    pub fn load(&self, layout: &Path, platform: &Platform) -> Result<String> {
        let name = format!("oci:{}", layout.display());
        let id = self
            .command(&["pull", "--quiet", "--platform", &platform.oci, &name])
            .text()?;
        Ok(id.trim().into())
    }

    /// `podman run` with the strictest options: a read-only file system, and no capabilities.
    pub fn run(&self, options: &[&str], image: &str, arguments: &[&str]) -> Command {
        let strict = [
            "run",
            "--read-only",
            "--read-only-tmpfs=false",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            "--pull=never",
        ];
        self.command(&[&strict, options, &[image], arguments].concat())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Without root, the files belong to users of Podman's user namespace, and only Podman can
        // remove them.
        for what in [&["pod", "rm"][..], &["rm"], &["rmi"]] {
            let _ = self
                .command(&[what, &["--all", "--force"]].concat())
                .outcome();
        }
    }
}
