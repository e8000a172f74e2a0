//! Other systems: root directories with Debian, in which programs run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::CommandExt;
use crate::platform::Platform;

/// Debian releases, the oldest first. The mirrors move old ones to an archive.
const SUITES: [&str; 3] = ["buster", "bullseye", "bookworm"];

/// A directory with the files of Debian packages and of what they depend on.
pub struct Root {
    directory: TempDir,
    pub suite: &'static str,
}

impl Root {
    /// Unpacks packages of the oldest release. Needs root privileges to run programs in it.
    pub fn oldest(platform: &Platform, packages: &[&str]) -> Result<Self> {
        let mirror = mirror()?;
        let mut errors = String::new();
        for suite in SUITES {
            let directory = tempfile::Builder::new().prefix("root-").tempdir()?;
            let made = Command::new("mmdebstrap")
                .args(["--quiet", "--variant=extract"])
                .arg(format!("--architectures={}", platform.debian))
                .arg(format!("--include={}", packages.join(",")))
                .arg(suite)
                .arg(directory.path())
                .arg(&mirror)
                .text();
            match made {
                Ok(_) => return Ok(Self { directory, suite }),
                Err(error) => errors += &format!("{error:#}\n"),
            }
        }
        bail!("no release of Debian can be unpacked:\n{errors}")
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Copies a directory of this machine into the root, and runs a program in it. Returns what it prints.
    pub fn run(&self, directory: &Path, program: &str) -> Result<String> {
        let copy = self.path().join("copy");
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        let mut cp = Command::new("cp");
        cp.arg("-r").args([directory, &copy]).text()?;
        self.command(&format!("/copy/{program}")).text()
    }

    /// A command that runs a program of the root in it.
    pub fn command(&self, program: &str) -> Command {
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "--pid", "--fork"])
            .args(["sh", "-e", "-c", WITH_PROC, "sh"])
            .arg(self.path())
            .arg(program);
        unshare
    }
}

/// Runs a command in another root directory. Arguments: ROOT COMMAND…. The loader asks /proc where a program is, to
/// find libraries that are relative to it.
const WITH_PROC: &str = r#"
mkdir -p "$1/proc"
mount -t proc proc "$1/proc"
exec chroot "$@"
"#;

/// Runs a command in another root directory, with two directories of the machine mounted at /nix
/// and /src. Arguments: ROOT NIX SRC COMMAND…. Nix requires that its root is a mount point.
const IN_ROOT: &str = r#"
root=$1 nix=$2 src=$3
shift 3
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/nix" "$root/src"
mount --bind "$nix" "$root/nix"
mount --bind "$src" "$root/src"
cd "$root"
exec chroot . "$@"
"#;

/// Runs the command that is added as arguments, in a root directory with Nix. `store` becomes /nix and
/// `sources` the current directory. Needs root privileges.
pub fn in_root(root: &Path, store: &Path, sources: &Path) -> Command {
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--pid", "--fork"])
        .args(["sh", "-e", "-c", IN_ROOT, "sh"])
        .args([root, store, sources])
        .args(["env", "--chdir=/src", "HOME=/tmp"]);
    unshare
}

/// A mirror of Debian's archive that this machine can reach.
pub fn mirror() -> Result<String> {
    let format = ["--format", "$(REPO_URI) $(LABEL)"];
    let lines = Command::new("apt-get")
        .arg("indextargets")
        .args(format)
        .text()?;
    let main = lines.lines().find_map(|line| line.strip_suffix(" Debian"));
    Ok(main.context("apt knows no mirror of Debian")?.to_owned())
}
