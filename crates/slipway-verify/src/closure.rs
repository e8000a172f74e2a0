//! Compares images with the closure of their program, as Nix computed it.
//!
//! An image of Slipway must have exactly the store paths of the closure: a missing one breaks the
//! program, and any other one makes the image larger. A closure that Nix computed may itself be
//! too large, because a single reference to the toolchain pulls in all of it. So parts of the
//! toolchain and files that only compilers read are differences too.

use std::collections::BTreeSet;
use std::fmt;

use slipway_oci::{Closure, Layout, Platform, Result};

use crate::finding::{Finding, Findings};
use crate::image_contents;
use crate::printable::printable;

const STORE: &str = "/nix/store";

/// Name of the store path with the links at `/` to files that libraries open. Images have its
/// content at `/`, not the path itself. Source: `nix/runtime-files.nix`.
const ROOT_FILES: &str = "image-files";

/// Name of the store path that lists files of an image by their paths. Images have copies of them.
/// Source: `nix/image.nix`.
const CONTENTS: &str = "image-contents";

/// What the names of store paths of the toolchain begin with, at the start or after a dash.
const TOOLCHAIN: [&str; 19] = [
    "autotools",
    "bootstrap",
    "cargo",
    "cc",
    "clang",
    "cmake",
    "cxx",
    "gcc",
    "libclang",
    "libllvm",
    "libstd-rust",
    "lld",
    "llvm",
    "make",
    "meson",
    "ninja",
    "pkg-config",
    "rust",
    "stdenv",
];

/// Extensions of files that only builds read.
const DEVELOPMENT: [&str; 5] = ["a", "h", "o", "pc", "rlib"];

/// A difference between an image and its closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub platform: Platform,
    /// The path, escaped for printing.
    pub path: String,
    pub kind: DifferenceKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The image lacks a path of the closure.
    Missing,
    /// The image has a path that the closure does not have.
    Unexpected,
    /// The path belongs to the toolchain.
    Toolchain,
    /// Only compilers and linkers read the file.
    Development,
    /// A layer that cannot be read; `path` is its name.
    Unreadable(Finding),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Difference { platform, path, .. } = self;
        match &self.kind {
            DifferenceKind::Missing => {
                write!(f, "{platform}: {path}: is in the closure, not in the image")
            }
            DifferenceKind::Unexpected => {
                write!(f, "{platform}: {path}: is in the image, not in the closure")
            }
            DifferenceKind::Toolchain => {
                write!(f, "{platform}: {path}: belongs to the toolchain")
            }
            DifferenceKind::Development => {
                write!(f, "{platform}: {path}: is a file that only builds read")
            }
            DifferenceKind::Unreadable(finding) => write!(f, "{platform}: {finding}"),
        }
    }
}

/// Compares each image in `layout` with the union of `closures`. Returns the differences, or `None`
/// for a layout without images.
pub fn compare(layout: &Layout, closures: &[Closure]) -> Result<Option<Vec<Difference>>> {
    let images = layout.images()?;
    if images.is_empty() {
        return Ok(None);
    }
    let expected: BTreeSet<String> = closures
        .iter()
        .flat_map(Closure::paths)
        .filter(|path| ![ROOT_FILES, CONTENTS].contains(&path.name()))
        .map(ToString::to_string)
        .collect();
    let lists = closures.iter().flat_map(Closure::nodes);
    let lists: Vec<_> = lists.filter(|node| node.path.name() == CONTENTS).collect();
    // A copied file is in the store of the image, too, if something else refers to it.
    let copied: BTreeSet<String> = lists
        .iter()
        .flat_map(|list| &list.references)
        .map(ToString::to_string)
        .collect();
    let mut differences = Vec::new();
    for image in images {
        let mut add = |path: &str, kind| {
            differences.push(Difference {
                platform: image.platform().clone(),
                path: path.to_owned(),
                kind,
            });
        };
        let mut findings = Findings::default();
        let Some(contents) = image_contents::read(layout, &image, &mut findings) else {
            for finding in findings.finish() {
                let subject = finding.subject.clone();
                add(&subject, DifferenceKind::Unreadable(finding));
            }
            continue;
        };
        let names = contents.tree.names_in(STORE.as_bytes());
        let found: BTreeSet<String> = names
            .iter()
            .map(|name| format!("{STORE}/{}", printable(name)))
            .collect();
        for path in expected
            .difference(&found)
            .filter(|path| !copied.contains(*path))
        {
            add(path, DifferenceKind::Missing);
        }
        for path in found.difference(&expected) {
            add(path, DifferenceKind::Unexpected);
        }
        for path in found.iter().filter(|path| is_of_toolchain(path)) {
            add(path, DifferenceKind::Toolchain);
        }
        contents.tree.for_each(|path, _, _| {
            // Users know what they copy.
            let is_copy = !lists.is_empty() && !path.starts_with(STORE.as_bytes());
            if is_for_development(path) && !is_copy {
                add(&printable(path), DifferenceKind::Development);
            }
        });
    }
    Ok(Some(differences))
}

/// Whether the name of a store path is that of a part of the toolchain or of a `-dev` package.
fn is_of_toolchain(path: &str) -> bool {
    path.match_indices('-').any(|(at, _)| {
        let word = &path[at + 1..];
        let is_dev = word
            .strip_prefix("dev")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']));
        is_dev || TOOLCHAIN.iter().any(|start| word.starts_with(start))
    })
}

fn is_for_development(path: &[u8]) -> bool {
    let mut parts = path.rsplitn(2, |&byte| byte == b'.');
    let (Some(extension), Some(_)) = (parts.next(), parts.next()) else {
        return false;
    };
    DEVELOPMENT.iter().any(|it| it.as_bytes() == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la";

    #[test]
    fn recognizes_the_toolchain_by_name() {
        for name in [
            "cc-x86_64",
            "rust-1.85",
            "libssl-dev_3.5-1_amd64",
            "zlib1g-dev",
            "aarch64-linux-gnu-gcc",
        ] {
            assert!(is_of_toolchain(&format!("{HASH}-{name}")), "{name}");
        }
        for name in ["libgcc-s1_14.2", "libdevmapper", "reporter-0.1.0", "zlib1g"] {
            assert!(!is_of_toolchain(&format!("{HASH}-{name}")), "{name}");
        }
    }

    #[test]
    fn recognizes_files_that_only_builds_read() {
        for path in ["/lib/libc.a", "/x.h", "/lib/pkgconfig/zlib.pc"] {
            assert!(is_for_development(path.as_bytes()), "{path}");
        }
        for path in ["/lib/libc.so.6", "/a", "/etc/h", "/x.hpp"] {
            assert!(!is_for_development(path.as_bytes()), "{path}");
        }
    }
}
