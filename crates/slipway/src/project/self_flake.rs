//! Finds the Slipway flake that this program belongs to, for use as an input of other flakes: the
//! checkout that the program was built in, or the sources installed with it in the Nix store.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::project::git;

/// The flake reference.
pub fn flake_of_this_program() -> Result<String> {
    let program = env::current_exe().context("finding out where this program is")?;
    let around = program.ancestors().find(|directory| is_slipway(directory));
    match installed(&program).or(around.map(PathBuf::from)) {
        Some(directory) => Ok(reference(&directory)),
        None => bail!(
            "{} is in no checkout of Slipway; name the flake with --slipway, such as git+file:///path/to/checkout",
            program.display()
        ),
    }
}

/// The sources that were installed with the program. In an archive, the program is beside `share`;
/// elsewhere, it is in `bin`.
fn installed(program: &Path) -> Option<PathBuf> {
    let mut prefixes = program.ancestors().skip(1).take(2);
    prefixes.find_map(|prefix| prefix.join("share/slipway/source").canonicalize().ok())
}

/// Whether the directory has the sources of Slipway.
pub fn is_slipway(directory: &Path) -> bool {
    ["flake.nix", "nix/project.nix", "slipway.lock"]
        .iter()
        .all(|file| directory.join(file).exists())
}

fn reference(directory: &Path) -> String {
    let top = git::output(directory, &["rev-parse", "--show-toplevel"]);
    match top.is_ok_and(|top| Path::new(&top) == directory) {
        true => git_reference(directory, directory),
        false => format!("path:{}", encode(directory)),
    }
}

/// The flake reference of a directory in the git repository `top`.
pub fn git_reference(top: &Path, directory: &Path) -> String {
    let mut reference = format!("git+file://{}", encode(top));
    let mut parameters = Vec::new();
    match directory.strip_prefix(top) {
        Ok(below) if below != Path::new("") => parameters.push(format!("dir={}", encode(below))),
        _ => {}
    }
    // Nix rejects a shallow clone unless `shallow=1` is set.
    let shallow = git::output(top, &["rev-parse", "--is-shallow-repository"]);
    if shallow.is_ok_and(|shallow| shallow == "true") {
        parameters.push("shallow=1".to_owned());
    }
    if !parameters.is_empty() {
        reference += "?";
        reference += &parameters.join("&");
    }
    reference
}

/// What a path in a URL has as it is: RFC 3986, 2.3, and the slash.
const PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'-');

/// Percent-encodes a path for a URL.
fn encode(path: &Path) -> String {
    utf8_percent_encode(&path.to_string_lossy(), &PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_from_bin_and_from_an_unpacked_archive() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().canonicalize().unwrap();
        let source = prefix.join("share/slipway/source");
        assert_eq!(installed(&prefix.join("slipway")), None);
        std::fs::create_dir_all(&source).unwrap();
        for program in ["bin/slipway", "slipway"] {
            assert_eq!(installed(&prefix.join(program)).as_ref(), Some(&source));
        }
    }

    #[test]
    fn directory_without_git_is_a_path_reference() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        assert_eq!(reference(directory.path()), format!("path:{path}"));
    }

    #[test]
    fn directory_in_a_git_repository_is_a_parameter() {
        let top = tempfile::tempdir().unwrap();
        let url = format!("git+file://{}", top.path().display());
        assert_eq!(git_reference(top.path(), top.path()), url);
        let below = git_reference(top.path(), &top.path().join("a b/c"));
        assert_eq!(below, format!("{url}?dir=a%20b/c"));
    }

    #[test]
    fn encodes_a_path_for_a_url() {
        assert_eq!(encode(Path::new("/a b/c#d~1")), "/a%20b/c%23d~1");
    }
}
