//! Runs containerd(8) as on a Kubernetes node, with its own directories, isolated from the
//! machine's containerd.

use std::fs;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::daemon::Daemon;

pub struct Containerd {
    // Declared before the directory, so that it is dropped first.
    _daemon: Daemon,
    directory: TempDir,
}

impl Containerd {
    pub fn start() -> Result<Self> {
        // The path of a Unix socket has a maximum length.
        let directory = tempfile::Builder::new().prefix("ctd-").tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let settings = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("socket")
        );
        fs::write(at("config.toml"), settings)?;
        let daemon = Daemon::start(
            Command::new("containerd")
                .arg("--config")
                .arg(at("config.toml")),
            at("log"),
            || {
                let mut version = Command::new("ctr");
                version.arg("--address").arg(at("socket")).arg("version");
                Ok(version.outcome()?.status.success())
            },
        )?;
        Ok(Self {
            _daemon: daemon,
            directory,
        })
    }

    /// The environment variable that makes ctr(8) use this containerd.
    pub fn environment(&self) -> [(&'static str, std::path::PathBuf); 1] {
        [("CONTAINERD_ADDRESS", self.directory.path().join("socket"))]
    }

    pub fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.args(arguments).envs(self.environment());
        command
    }
}
