//! podman(1) with storage and settings of its own, so that the user's images and containers are
//! neither seen nor touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::platform::Platform;

/// What runs on machines with systemd and without, with cgroups of version 1, 2 or both, and within
/// a container: runc is less strict than crun about cgroups, and the limits are lower than those
/// that podman would raise. There is no network but the loopback interface.
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

/// An engine; its containers and images go when it is dropped.
pub struct Podman {
    directory: TempDir,
}

impl Podman {
    pub fn new() -> Result<Self> {
        // podman wants a short path.
        let directory = tempfile::Builder::new().prefix("podman-").tempdir()?;
        let root = directory.path();
        // No more places than these: conmon passes on these, and not `static_dir`, to what cleans up
        // after a container, and podman would wait for that in vain.
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

    /// The variables that make any program that uses podman use this one.
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

    /// Loads one platform's image out of an image layout, and gives its id.
    pub fn load(&self, layout: &Path, platform: &Platform) -> Result<String> {
        let name = format!("oci:{}", layout.display());
        let id = self
            .command(&["pull", "--quiet", "--platform", &platform.oci, &name])
            .text()?;
        Ok(id.trim().into())
    }

    /// `podman run` of an image as strictly as it goes: nothing can be written, and there are no
    /// rights but a user's.
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
        // For a user the files are those of users of podman's making, which only podman can remove.
        for what in [&["pod", "rm"][..], &["rm"], &["rmi"]] {
            let _ = self
                .command(&[what, &["--all", "--force"]].concat())
                .outcome();
        }
    }
}
