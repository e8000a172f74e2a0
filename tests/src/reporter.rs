//! Runs the reporter's image in a container engine, with the host network, on which the brokers
//! listen.

use std::process::Command;

use anyhow::Result;

use crate::command::CommandExt;
use crate::nix::nix_build;
use crate::platform::Platform;
use crate::podman::Podman;
use crate::repository::repository;

/// A container engine with the image of one platform.
pub struct Reporter {
    podman: Podman,
    image: String,
}

/// A running container. It is removed by force when the engine is dropped.
pub struct Running<'a> {
    podman: &'a Podman,
    id: String,
}

/// The outcome of a container.
pub struct Ended {
    pub code: i32,
    /// Standard error.
    pub log: String,
}

impl Reporter {
    pub fn new(platform: &Platform) -> Result<Self> {
        Self::of("image", platform)
    }

    /// The reporter that a package of the flake has an index of.
    pub fn of(package: &str, platform: &Platform) -> Result<Self> {
        let podman = Podman::new()?;
        // Load from the index, to test that the engine finds the platform in it.
        let image = podman.load(&nix_build(repository(), package)?, platform)?;
        Ok(Self { podman, image })
    }

    /// Starts a container with options for the engine and arguments for the reporter.
    pub fn start(&self, options: &[&str], arguments: &[&str]) -> Result<Running<'_>> {
        let options = [&["--detach", "--network=host"], options].concat();
        let id = self.podman.run(&options, &self.image, arguments).text()?;
        Ok(Running {
            podman: &self.podman,
            id: id.trim().into(),
        })
    }
}

impl Running<'_> {
    /// Sends SIGTERM, as every engine does first.
    pub fn terminate(&self) -> Result<()> {
        self.podman
            .command(&["kill", "--signal=TERM", &self.id])
            .text()
            .map(drop)
    }

    pub fn is_running(&self) -> Result<bool> {
        let state = ["inspect", "--format={{.State.Running}}", &self.id];
        Ok(self.podman.command(&state).text()?.trim() == "true")
    }

    /// Waits until the container ends, for some minutes at most.
    pub fn wait(self) -> Result<Ended> {
        let code = Command::new("timeout")
            .args(["300", "podman", "wait", &self.id])
            .envs(self.podman.environment())
            .text()?;
        let log = self.log()?;
        Ok(Ended {
            code: code.trim().parse()?,
            log,
        })
    }

    /// Standard error so far.
    pub fn log(&self) -> Result<String> {
        let logs = self.podman.command(&["logs", &self.id]).outcome()?;
        Ok(String::from_utf8_lossy(&logs.stderr).into())
    }
}
