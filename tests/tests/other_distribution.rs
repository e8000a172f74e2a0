//! Tests on a machine without apt and without Debian's keyring, as on another distribution.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::distribution::mirror;
use end_to_end::requirement::{Requirement, met};
use end_to_end::slipway;

const CONFIG: &str = "debian = \"trixie\"\n\n[set.libraries]\narchitectures = [\"amd64\"]\n\
                      suites = [\"trixie\"]\npackages = [\"zlib1g\"]\n";

#[test]
fn locks_with_a_configured_mirror_and_slipways_own_keyring() -> Result<()> {
    if !met(&[
        Requirement::Root("to hide the machine's keyring"),
        Requirement::Program("gpgv", "gpgv"),
    ])? {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let place = |name: &str| directory.path().join(name);
    for name in ["bin", "home/.config/slipway", "project"] {
        fs::create_dir_all(place(name))?;
    }
    for program in ["gpgv", "mount", "unshare"] {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .text()?;
        symlink(found.trim(), place("bin").join(program))?;
    }
    fs::write(place("project/slipway.toml"), CONFIG)?;

    // Run in a mount namespace in which the keyrings are hidden.
    let lock = || {
        let script = "mount -t tmpfs none /usr/share/keyrings && exec \"$0\" lock";
        Command::new("unshare")
            .args(["--mount", "/bin/sh", "-c", script])
            .arg(slipway::program()?)
            .current_dir(place("project"))
            .env_remove("SLIPWAY_DEBIAN_MIRROR")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env("HOME", place("home"))
            .env("PATH", place("bin"))
            .outcome()
    };
    let without = lock()?;
    let printed = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(
        !without.status.success() && printed.contains("SLIPWAY_DEBIAN_MIRROR"),
        "{printed}"
    );
    fs::write(
        place("home/.config/slipway/slipway.toml"),
        format!("mirrors = [\"{}\"]\n", mirror()?),
    )?;
    let with = lock()?;
    let printed = String::from_utf8_lossy(&with.stderr).into_owned();
    assert!(with.status.success(), "{printed}");
    assert!(fs::read_to_string(place("project/slipway.lock"))?.contains("zlib1g"));
    Ok(())
}
