//! Finds the Slipway flake that this program belongs to, for use as an input of other flakes: the
//! checkout that the program was built in, or the sources installed with it in the Nix store.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The flake reference.
pub fn flake_of_this_program() -> Result<String> {
    let program = env::current_exe().context("finding out where this program is")?;
    let installed = program
        .ancestors()
        .nth(2)
        .map(|prefix| prefix.join("share/slipway/source"))
        .and_then(|source| source.canonicalize().ok());
    let around = program.ancestors().find(|directory| is_slipway(directory));
    match installed.or(around.map(PathBuf::from)) {
        Some(directory) => Ok(reference(&directory)),
        None => bail!(
            "{} is in no checkout of Slipway; name the flake with --slipway, such as git+file:///path/to/checkout",
            program.display()
        ),
    }
}

/// Whether the directory has the sources of Slipway.
pub fn is_slipway(directory: &Path) -> bool {
    ["flake.nix", "nix/project.nix", "slipway.lock"]
        .iter()
        .all(|file| directory.join(file).exists())
}

fn reference(directory: &Path) -> String {
    let path = encode(&directory.to_string_lossy());
    let git = |option: &str| {
        let mut git = Command::new("git");
        git.args(["rev-parse", option]).current_dir(directory);
        let output = git.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let is_repository = git("--show-toplevel").is_some_and(|top| Path::new(&top) == directory);
    if !is_repository {
        return format!("path:{path}");
    }
    // Nix rejects a shallow clone unless `shallow=1` is set.
    match git("--is-shallow-repository").as_deref() {
        Some("true") => format!("git+file://{path}?shallow=1"),
        _ => format!("git+file://{path}"),
    }
}

/// What a path in a URL has as it is: RFC 3986, 2.3, and the slash.
const PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'-');

/// Percent-encodes a path for a URL.
fn encode(path: &str) -> String {
    utf8_percent_encode(path, &PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_without_git_is_a_path_reference() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        assert_eq!(reference(directory.path()), format!("path:{path}"));
    }

    #[test]
    fn encodes_a_path_for_a_url() {
        assert_eq!(encode("/a b/c#d~1"), "/a%20b/c%23d~1");
    }
}
