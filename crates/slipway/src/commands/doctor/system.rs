//! Checks the kernel and the disks.

use std::fs;
use std::path::Path;

use slipway_progress::size;

use super::Finding;
use crate::project;

/// Free space in bytes: the minimum for the toolchain and packages of a first build, and enough for
/// several builds.
const NEEDED: u64 = 3_000_000_000;
const COMFORTABLE: u64 = 10_000_000_000;

/// Checks the machine whose file system is at `root`.
pub fn findings(root: &Path) -> Vec<Finding> {
    let cache = match project::cache() {
        Ok(cache) => room("cache", &cache),
        Err(e) => Finding::lacks("cache", e.to_string()),
    };
    vec![cache, namespaces(root)]
}

/// Whether a directory has enough free space for builds. The directory need not exist yet.
pub fn room(subject: &str, directory: &Path) -> Finding {
    let existing = directory.ancestors().find(|path| path.exists());
    let existing = existing.unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(found) => of_room(subject, directory, found.f_bavail * found.f_frsize),
        Err(e) => Finding::note(subject, format!("{}: {e}", directory.display())),
    }
}

fn of_room(subject: &str, directory: &Path, free: u64) -> Finding {
    let text = format!("{} are free for {}", size(free), directory.display());
    match free {
        COMFORTABLE.. => Finding::ok(subject, text),
        NEEDED.. => Finding::note(subject, format!("{text}; free some: nix-collect-garbage")),
        _ => Finding::lacks(
            subject,
            format!(
                "{text}, and a first build takes about {}; free some: nix-collect-garbage",
                size(NEEDED)
            ),
        ),
    }
}

/// Whether user namespaces are available, which the Nix sandbox and `slipway run` for users other
/// than root need (Linux, user_namespaces(7)).
fn namespaces(root: &Path) -> Finding {
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(root.join("proc/sys").join(name)).ok()?;
        text.trim().parse().ok()
    };
    let subject = "user namespaces";
    if number("user/max_user_namespaces") == Some(0) {
        return Finding::note(
            subject,
            "off, so slipway run is for root only; turn them on: sysctl user.max_user_namespaces=10000",
        );
    }
    if number("kernel/unprivileged_userns_clone") == Some(0) {
        return Finding::note(
            subject,
            "for root only, and so is slipway run; open them: sysctl kernel.unprivileged_userns_clone=1",
        );
    }
    if number("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Finding::note(
            subject,
            "held back by AppArmor, so slipway run may be for root only; open them: \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        );
    }
    match number("user/max_user_namespaces") {
        Some(_) => Finding::ok(subject, "on"),
        None => Finding::note(
            subject,
            "this kernel has none, so slipway run is for root only",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn reports_little_free_space() {
        for (free, state) in [
            (20_000_000_000, State::Ok),
            (5_000_000_000, State::Note),
            (1_000_000_000, State::Lacks),
        ] {
            assert_eq!(of_room("store", Path::new("/nix"), free).state, state);
        }
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("not/there");
        assert!(room("store", &missing).text.contains(" GB are free for "));
    }

    #[test]
    fn explains_how_to_enable_user_namespaces() {
        let root = tempfile::tempdir().unwrap();
        let set = |name: &str, value: &str| {
            let file = root.path().join("proc/sys").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, value).unwrap();
        };
        assert_eq!(namespaces(root.path()).state, State::Note);
        set("user/max_user_namespaces", "96365\n");
        assert_eq!(namespaces(root.path()).state, State::Ok);
        for name in [
            "unprivileged_userns_clone",
            "apparmor_restrict_unprivileged_userns",
        ] {
            let name = format!("kernel/{name}");
            let (open, closed) = match name.ends_with("clone") {
                true => ("1", "0"),
                false => ("0", "1"),
            };
            set(&name, closed);
            assert!(
                namespaces(root.path()).text.contains("sysctl kernel."),
                "{name}"
            );
            set(&name, open);
        }
        set("user/max_user_namespaces", "0\n");
        assert_eq!(namespaces(root.path()).state, State::Note);
    }
}
