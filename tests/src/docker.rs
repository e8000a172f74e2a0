//! Runs a Docker daemon with its own directories and its own containerd.

use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::containerd::Containerd;
use crate::daemon::Daemon;

/// A Docker daemon without a network.
pub struct Docker {
    _daemon: Daemon,
    directory: TempDir,
    /// Runs the containers; the daemon stores the images.
    _containerd: Containerd,
}

impl Docker {
    pub fn start() -> Result<Self> {
        let containerd = Containerd::start()?;
        let directory = tempfile::Builder::new().prefix("dkr-").tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let host = format!("unix://{}", at("socket").display());
        let mut dockerd = Command::new("dockerd");
        dockerd
            .args([
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "--storage-driver=vfs",
            ])
            .arg("--containerd")
            .arg(&containerd.environment()[0].1)
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--host", &host]);
        let daemon = Daemon::start(&mut dockerd, at("log"), || {
            let mut version = Command::new("docker");
            version.args(["--host", &host, "version"]);
            Ok(version.outcome()?.status.success())
        })?;
        Ok(Self {
            _daemon: daemon,
            directory,
            _containerd: containerd,
        })
    }

    /// The environment variables that make docker(1) use this daemon, and ignore the user's
    /// settings.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        [
            ("DOCKER_HOST", format!("unix://{}", at("socket"))),
            ("DOCKER_CONFIG", at("config")),
        ]
    }

    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).envs(self.environment());
        command
    }
}
