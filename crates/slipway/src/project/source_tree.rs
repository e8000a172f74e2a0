//! Prepares the source tree that Nix reads.
//!
//! From a git repository, Nix takes the files that git tracks. From any other directory it takes
//! everything, which may include gigabytes of build output, so Slipway makes a copy that contains
//! only the sources. This module also explains errors for which Nix prints no useful message.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cli::temp_dir::TempDir;
use crate::project::git::{self, git};

/// The first Nix version, as `(MAJOR, MINOR)`, that accepts flake paths with characters that a URL
/// must encode.
const ENCODES_PATHS: (u32, u32) = (2, 20);

/// Size, in bytes, above which a source tree causes a warning.
const LARGE: u64 = 100_000_000;

/// Checks that this version of Nix can read the directory `root` for these installables. Returns
/// the copy that Nix must use instead, if one was made. Warns of files that Nix leaves out, and of
/// large files that it copies.
pub fn prepare(
    root: &Path,
    version: (u32, u32),
    installables: &[String],
) -> Result<Option<TempDir>> {
    if version < ENCODES_PATHS && root.to_string_lossy().contains(is_odd) {
        bail!(
            "Nix {}.{} takes no flake whose path has a blank, #, ? or %, as {} has; rename the directory, or use \
             Nix 2.20 or later",
            version.0,
            version.1,
            root.display()
        );
    }
    if repository(root)?.is_some() {
        warn_of_submodules(root, installables);
        return Ok(None);
    }
    let files = match is_movable(root) {
        true => sources(root)?,
        false => None,
    };
    let copied = files.map(|files| copy(root, &files)).transpose()?;
    let directory = copied.as_ref().map_or(root, |copied| copied.path());
    if let Some(warning) = size_warning(root, directory) {
        eprintln!("{warning}");
    }
    Ok(copied)
}

/// What to watch for changes of the sources.
pub struct Watched {
    /// The files that Nix reads, with absolute paths.
    pub files: Vec<PathBuf>,
    /// The directory with git's index, which changes when git tracks another file.
    pub index: Option<PathBuf>,
}

/// The files that Nix reads of the project in `root`, as they are now.
pub fn watched(root: &Path) -> Result<Watched> {
    if let Some(top) = repository(root)? {
        let listed = git::output(&top, &["ls-files", "-z"])?;
        let files = listed.split('\0').filter(|name| !name.is_empty());
        let index = git::output(&top, &["rev-parse", "--absolute-git-dir"])?;
        return Ok(Watched {
            files: files.map(|file| top.join(file)).collect(),
            index: Some(index.into()),
        });
    }
    match sources(root)? {
        Some(files) => Ok(Watched {
            files: files.iter().map(|file| root.join(file)).collect(),
            index: None,
        }),
        None => bail!(
            "git does not list the sources of {0}; install git, or make the directory a repository: git -C {0} init",
            root.display()
        ),
    }
}

/// Whether the flake gives the same result from another directory: its lock file is complete, and
/// no input has a relative path.
fn is_movable(root: &Path) -> bool {
    let lock = fs::read(root.join("flake.lock")).ok();
    let lock: Option<Value> = lock.and_then(|lock| serde_json::from_slice(&lock).ok());
    let nodes = lock.as_ref().and_then(|lock| lock["nodes"].as_object());
    nodes.is_some_and(|nodes| {
        let paths = nodes.values().map(|node| &node["original"]["path"]);
        paths
            .filter_map(Value::as_str)
            .all(|path| path.starts_with('/'))
    })
}

/// The source files of a directory outside git: those that git would track, without the build
/// output of Cargo and Nix. `None` if git cannot list them.
fn sources(root: &Path) -> Result<Option<Vec<PathBuf>>> {
    let empty = TempDir::new()?;
    let made = git(empty.path(), &["init", "--quiet", "--bare"]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let mut list = git(root, &[]);
    list.arg("--git-dir")
        .arg(empty.path())
        .arg("--work-tree")
        .arg(root);
    list.args([
        "ls-files",
        "-z",
        "--others",
        "--exclude-standard",
        "--exclude=/target/",
    ]);
    let Ok(listed) = list.output() else {
        return Ok(None);
    };
    let names = listed.stdout.split(|&byte| byte == 0);
    let files: Vec<PathBuf> = names
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(OsStr::from_bytes(name)))
        .filter(|file| !is_link_into_store(&root.join(file)))
        .collect();
    // For a nested repository, git lists only the directory.
    let is_whole = listed.status.success() && !files.iter().any(|file| root.join(file).is_dir());
    Ok(is_whole.then_some(files))
}

/// Whether the file is a link to a build result, as Nix creates it.
pub fn is_link_into_store(file: &Path) -> bool {
    fs::read_link(file).is_ok_and(|target| target.starts_with("/nix/store"))
}

fn copy(root: &Path, files: &[PathBuf]) -> Result<TempDir> {
    let directory = TempDir::new()?;
    for file in files {
        let (from, to) = (root.join(file), directory.path().join(file));
        let parent = to.parent().unwrap_or(&to);
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        let copied = match fs::read_link(&from) {
            Ok(target) => symlink(target, &to),
            Err(_) => fs::copy(&from, &to).map(|_| ()),
        };
        copied.with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(directory)
}

/// Whether a character must be encoded in a URL (RFC 3986, 2.2 and 2.3).
fn is_odd(character: char) -> bool {
    character.is_whitespace() || ['#', '?', '%', '[', ']', '"'].contains(&character)
}

/// The git repository that contains a directory, if any.
fn repository(root: &Path) -> Result<Option<PathBuf>> {
    let git = git(root, &["rev-parse", "--show-toplevel"]).output();
    let Ok(output) = git else { return Ok(None) };
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("dubious ownership") {
        // git's error message names the repository.
        let named = error.split('\'').nth(1).map(PathBuf::from);
        let repository = named.unwrap_or_else(|| root.to_owned());
        bail!(
            "the git repository {0} belongs to another user, and git reads it for no one else, Nix included; if you \
             trust it: git config --global --add safe.directory {0}",
            repository.display()
        );
    }
    let top = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
    Ok((output.status.success() && root.starts_with(&top)).then_some(top))
}

fn warn_of_submodules(root: &Path, installables: &[String]) {
    let are_asked_for = |installable: &String| installable.contains("submodules=1");
    let flake = fs::read_to_string(root.join("flake.nix")).unwrap_or_default();
    if installables.iter().any(are_asked_for) || flake.contains("submodules") {
        return;
    }
    let listed = git(root, &["ls-files", "--stage"]).output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    // Each line is MODE HASH STAGE, a tab, and the path. A submodule has the mode of a commit.
    let submodules: Vec<String> = String::from_utf8_lossy(&listed)
        .lines()
        .filter(|line| line.starts_with("160000 "))
        .filter_map(|line| Some(line.split_once('\t')?.1.to_owned()))
        .collect();
    if !submodules.is_empty() {
        eprintln!(
            "warning: Nix leaves git submodules out, so these directories are empty in what it builds: {}; to have \
             them: slipway build '.?submodules=1#image', or set inputs.self.submodules = true in flake.nix (Nix \
             2.27 or later)",
            submodules.join(", ")
        );
    }
}

/// Warns of a large directory outside git, because Nix copies all of it into the store.
fn size_warning(root: &Path, copied: &Path) -> Option<String> {
    let mut sizes: Vec<(u64, String)> = fs::read_dir(copied)
        .ok()?
        .filter_map(|child| {
            let child = child.ok()?;
            let name = child.file_name().to_string_lossy().into_owned();
            Some((size(&child.path()).unwrap_or(0), name))
        })
        .collect();
    sizes.sort_by(|one, other| other.cmp(one));
    let total: u64 = sizes.iter().map(|(size, _)| size).sum();
    let (size, name) = sizes.first().filter(|_| total > LARGE)?;
    Some(format!(
        "warning: {} has {} of sources, which Nix copies into its store each time they change; {name} has {} of \
         them, and is left out if .gitignore has it",
        root.display(),
        slipway_progress::size(total),
        slipway_progress::size(*size)
    ))
}

/// The size in bytes of a file or of all files in a directory. Does not follow links.
fn size(path: &Path) -> Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let children = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let sizes = children.map(|child| size(&child?.path()));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const OLD: (u32, u32) = (2, 8);

    #[test]
    fn rejects_paths_that_old_versions_of_nix_cannot_read() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a b", "a#b", "a?b", "a%20b"] {
            let root = directory.path().join(name);
            fs::create_dir(&root).unwrap();
            let error = prepare(&root, OLD, &[]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("2.20"), "{error}");
            prepare(&root, ENCODES_PATHS, &[]).unwrap();
        }
    }

    #[test]
    fn copies_only_the_sources_of_a_directory_outside_git() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        // Nix's sandbox has no git.
        if git(root, &["--version"]).output().is_err() {
            return;
        }
        let lock =
            r#"{"nodes":{"root":{},"slipway":{"original":{"type":"git","url":"file:///x"}}}}"#;
        for (name, text) in [
            ("flake.lock", lock),
            (".gitignore", "*.log\n/data/\n"),
            ("src/main.rs", "fn main() {}"),
            ("src/target/kept", ""),
            ("target/debug/app", "built"),
            ("data/large", ""),
            ("run.log", ""),
        ] {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        symlink("/nix/store/x-image", root.join("result")).unwrap();
        symlink("src/main.rs", root.join("link")).unwrap();
        let copied = prepare(root, ENCODES_PATHS, &[]).unwrap().unwrap();
        let listed = Command::new("find")
            .args([".", "!", "-type", "d"])
            .current_dir(copied.path())
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        let mut listed: Vec<&str> = listed.lines().collect();
        listed.sort();
        assert_eq!(
            listed,
            [
                "./.gitignore",
                "./flake.lock",
                "./link",
                "./src/main.rs",
                "./src/target/kept"
            ]
        );

        // The copy would break a relative path to an input.
        let lock =
            r#"{"nodes":{"root":{},"other":{"original":{"type":"path","path":"../other"}}}}"#;
        fs::write(root.join("flake.lock"), lock).unwrap();
        assert!(prepare(root, ENCODES_PATHS, &[]).unwrap().is_none());
    }

    #[test]
    fn explains_a_repository_that_belongs_to_another_user() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let run = |arguments: &[&str]| git(&root, arguments).status().is_ok_and(|it| it.success());
        if !run(&["init", "--quiet"]) {
            return;
        }
        assert_eq!(repository(&root).unwrap(), Some(root.clone()));
        // Only root can change the owner of a file.
        if std::os::unix::fs::chown(&root, Some(65532), None).is_ok() {
            let error = repository(&root).unwrap_err().to_string();
            let command = format!("safe.directory {}", root.display());
            assert!(error.contains(&command), "{error}");
        }
    }
}
