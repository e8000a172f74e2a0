//! What a test needs from the machine, besides Nix. If something is missing, the test is skipped
//! with a message. In continuous integration, where CI is set, the test fails instead.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::command::CommandExt;
use crate::kafka;
use crate::network;
use crate::nix::nix_build;
use crate::platform::Platform;
use crate::repository::repository;
use crate::wine;

#[derive(Clone, Copy, Debug)]
pub enum Requirement<'a> {
    /// A program in PATH, and the Debian package that contains it.
    Program(&'a str, &'a str),
    /// Apache Kafka, and kcat to read from it.
    Kafka,
    /// Containers in Podman.
    Podman,
    /// Root privileges, and the reason.
    Root(&'a str),
    /// A network namespace.
    NoNetwork,
    /// Programs of this platform can run, if necessary with an emulator.
    Runs(&'a Platform),
    /// Debian's newest Nix, installed in target/newest-nix.
    NewestNix,
    /// Wine, in target/test-tools.
    Wine,
    /// Nix accepts the option `extra-platforms` from this user.
    TrustedByNix,
}

/// Whether all requirements are met. If not, prints the reason, or fails if CI is set.
pub fn met(requirements: &[Requirement]) -> Result<bool> {
    for requirement in requirements {
        if let Err(reason) = requirement.check() {
            let test = thread::current().name().unwrap_or("a test").to_owned();
            if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) {
                bail!("{test} would be left out, and CI is set: {reason:#}");
            }
            // Write to the handle, because the test harness hides the output of eprintln! for tests
            // that pass.
            writeln!(io::stderr(), "left out: {test}: {reason:#}")?;
            return Ok(false);
        }
    }
    Ok(true)
}

impl Requirement<'_> {
    fn check(&self) -> Result<()> {
        match self {
            Self::Program(program, package) => installed(program, package),
            Self::Kafka => {
                if !kafka::jars().is_dir() {
                    bail!("there is no {}; run: setup/kafka", kafka::jars().display());
                }
                installed("java", "default-jre-headless")?;
                installed("kcat", "kcat")?;
                installed("openssl", "openssl")
            }
            Self::Podman => {
                installed("podman", "podman")?;
                installed("runc", "runc")?;
                if !is_root()? {
                    installed("newuidmap", "uidmap")?;
                }
                Ok(())
            }
            Self::Root(what) => match is_root()? {
                true => Ok(()),
                false => bail!("only root can have {what}"),
            },
            Self::NoNetwork => network::none(&Command::new("true"))?
                .text()
                .map(drop)
                .context("unshare(1) may not make a network namespace here"),
            Self::Runs(platform) => runs(platform),
            Self::NewestNix => {
                Self::Root("Debian's newest Nix beside the machine's own").check()?;
                let root = repository().join("target/newest-nix");
                match root.is_dir() {
                    true => Ok(()),
                    false => bail!("there is no {}; run: setup/newest-nix", root.display()),
                }
            }
            Self::Wine => wine::directory().map(drop),
            Self::TrustedByNix => match is_root()? {
                true => Ok(()),
                false => bail!("Nix takes extra-platforms from root only"),
            },
        }
    }
}

fn installed(program: &str, package: &str) -> Result<()> {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    });
    if !found {
        bail!("there is no {program}; run: apt-get install {package}");
    }
    Ok(())
}

pub fn is_root() -> Result<bool> {
    Ok(Command::new("id").arg("-u").text()?.trim() == "0")
}

/// Whether the kernel can start a program for a platform.
fn starts(platform: &Platform) -> Result<bool> {
    let program = nix_build(repository(), &format!("reporter-{}", platform.name))?;
    let mut program = Command::new(program.join("bin/reporter"));
    Ok(program
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success()))
}

const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// Registers the emulator with the kernel, as systemd does (binfmt.d(5)).
fn runs(platform: &Platform) -> Result<()> {
    if platform.is_native() {
        return Ok(());
    }
    let entry = Path::new(REGISTERED).join(&platform.binfmt);
    if !entry.exists() {
        let format = format!("/usr/lib/binfmt.d/{}.conf", platform.binfmt);
        let Ok(format) = fs::read_to_string(&format) else {
            // Debian has no entry for platforms that the kernel runs natively.
            if starts(platform)? {
                return Ok(());
            }
            bail!("there is no {format}; run: apt-get install qemu-user-static");
        };
        if !is_root()? {
            bail!(
                "no emulator for {} is registered with the kernel, and only root can do that",
                platform.oci
            );
        }
        let register = Path::new(REGISTERED).join("register");
        if !register.exists() {
            Command::new("mount")
                .args(["-t", "binfmt_misc", "none", REGISTERED])
                .text()?;
        }
        // Another test may have registered the emulator meanwhile.
        if let Err(e) = fs::write(&register, format.trim()) {
            if !entry.exists() {
                return Err(e).context("registering an emulator with the kernel");
            }
        }
    }
    let registered = fs::read_to_string(&entry)?;
    let fixed = registered
        .lines()
        .any(|line| line.starts_with("flags:") && line.contains('F'));
    if !fixed {
        bail!(
            "{} lacks the flag F, so a container would not find the emulator",
            entry.display()
        );
    }
    Ok(())
}
