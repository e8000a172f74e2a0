//! Suggests how to fix a build that failed because a library, a program, an SDK or a newer compiler is missing. The build
//! log names a missing file, and Debian's Contents index names the package that contains it.

use std::collections::BTreeSet;

use anyhow::{Error, Result};
use slipway_debian::Error as DebianError;
use slipway_debian::config::Config;
use slipway_debian::contents_index::{File, Kind};
use slipway_nix::{Error as NixError, Nix};
use slipway_progress::Silent;

use crate::project::Project;
use crate::project::package_sources::ONE_TRY;
use crate::project::seeds;

/// The text before and after the name of a missing file, in messages of linkers, compilers,
/// pkg-config and build scripts.
const MESSAGES: [(Kind, &str, &str); 14] = [
    (Kind::Library, "cannot find -l", ":"),
    (Kind::Library, "unable to find library -l", ""),
    (Kind::Library, "mold: fatal: library not found: ", ""),
    (Kind::Header, "fatal error: '", "' file not found"),
    (Kind::Header, "fatal error: ", ": No such file or directory"),
    (Kind::PkgConfig, "Package '", "', required by '"),
    (Kind::PkgConfig, "Package '", "' not found"),
    (
        Kind::PkgConfig,
        "Package ",
        " was not found in the pkg-config",
    ),
    (Kind::PkgConfig, "No package '", "' found"),
    (
        Kind::PkgConfig,
        "Dependency \"",
        "\" not found, tried pkgconfig",
    ),
    (
        Kind::PkgConfig,
        "The pkg-config package '",
        "' was not found",
    ),
    (Kind::Program, "ailed to execute `", "`"),
    (Kind::Program, "ailed to run `", "`"),
    (Kind::Program, "ould not find `", "`"),
];

/// Maximum number of missing files that are looked up.
const LIMIT: usize = 5;

/// The missing files that a log names, sorted.
fn missing(log: &str) -> BTreeSet<File> {
    let names = log.lines().filter_map(|line| {
        MESSAGES.iter().find_map(|(kind, before, after)| {
            let (_, rest) = line.split_once(before)?;
            let name = match (rest.split_once(after), after.is_empty()) {
                (Some((name, _)), false) => name,
                // Only a linker message may end with the name.
                (None, false) if *kind != Kind::Library => return None,
                _ => rest,
            };
            let name = match kind {
                // without its arguments
                Kind::Program => name.split(' ').next()?,
                _ => name.trim(),
            };
            File::new(*kind, name).ok()
        })
    });
    let shell = log.lines().filter_map(|line| {
        let (_, name) = line
            .strip_suffix(": command not found")?
            .rsplit_once(": ")?;
        File::new(Kind::Program, name).ok()
    });
    let names = names.chain(shell);
    names.take(LIMIT).collect()
}

/// Whether rustc rejected what a newer rustc accepts: E0658 is the use of an unstable feature. Many crates use
/// what has become stable and do not say so with `rust-version`.
fn needs_newer_rust(log: &str) -> bool {
    log.lines().any(|line| line.contains("error[E0658]"))
}

/// Whether the compiler for macOS refused what needs Apple's SDK (`nix/release-targets.nix`). Build scripts that try several
/// commands repeat its message.
fn needs_macos_sdk(log: &str) -> bool {
    log.lines()
        .any(|line| line.contains(" without Apple's SDK; "))
}

/// Adds what to do to the error, if the build log shows it.
pub fn explain(error: NixError, nix: &Nix, project: &Project, options: &seeds::Options) -> Error {
    let NixError::Build {
        failed: Some(failed),
        ..
    } = &error
    else {
        return error.into();
    };
    let log = nix.log(failed).unwrap_or_default();
    if needs_newer_rust(&log) {
        return anyhow::anyhow!(
            "{error}; it may need a newer Rust; set rust = \"rustc-web\" in flake.nix"
        );
    }
    if needs_macos_sdk(&log) {
        return anyhow::anyhow!(
            "{error}; C and frameworks need Apple's SDK for macOS; name the SDK with the argument macosSdk in flake.nix"
        );
    }
    let files: Vec<File> = missing(&log).into_iter().collect();
    if files.is_empty() {
        return error.into();
    }
    let mut packages = packages_of(&files, project, options)
        .unwrap_or_default()
        .into_iter();
    let (mut words, mut programs) = (BTreeSet::new(), BTreeSet::new());
    let mut known = String::new();
    for file in files {
        match packages.next() {
            Some(Ok(package)) => {
                known += &format!("{file} is in {package}; ");
                match file.kind {
                    Kind::Program => programs.insert(package),
                    _ => words.insert(package),
                };
            }
            // No package has the file, so it belongs to the program itself.
            Some(Err(error)) if is_in_none(&error) => {}
            Some(Err(error)) => known += &format!("{error}; "),
            // Without an index, suggest the file; `slipway add` looks it up. Something that only looks like a program
            // does not justify a suggestion.
            None if file.kind == Kind::Program => {}
            None => {
                words.insert(file.to_string());
            }
        }
    }
    let mut steps = Vec::new();
    if !words.is_empty() {
        steps.push(format!(
            "run: slipway add {}",
            Vec::from_iter(words).join(" ")
        ));
    }
    if !programs.is_empty() {
        let tools: Vec<String> = programs
            .iter()
            .map(|it| format!("target.tools.{it}"))
            .collect();
        steps.push(format!(
            "run: slipway add --build {}, and set nativeBuildInputs = target: [{}] in flake.nix",
            Vec::from_iter(programs).join(" "),
            tools.join(" ")
        ));
    }
    match (steps.is_empty(), known.trim_end_matches("; ")) {
        (true, "") => error.into(),
        (true, known) => anyhow::anyhow!("{error}; {known}"),
        (false, _) => anyhow::anyhow!("{error}; {known}{}", steps.join("; ")),
    }
}

fn is_in_none(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(DebianError::NoFile { .. }))
}

fn packages_of(
    files: &[File],
    project: &Project,
    options: &seeds::Options,
) -> Result<Vec<Result<String>>> {
    let config = Config::read(&project.config())?;
    let mut sources = options.sources.open_with(&project.root, ONE_TRY)?;
    sources.progress = Box::new(Silent);
    match config.sets.get("libraries") {
        Some(set) => sources.packages_with(files, set),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unstable_features_need_a_newer_rust() {
        let log = "   Compiling x v1.0.0\nerror[E0658]: `let` expressions in this position are unstable\n";
        assert!(needs_newer_rust(log));
        assert!(!needs_newer_rust(
            "error[E0425]: cannot find value `x` in this scope"
        ));
    }

    #[test]
    fn the_compiler_for_macos_needs_an_sdk() {
        assert!(needs_macos_sdk(
            "cargo:warning=error: a program for darwin/arm64 cannot have C without Apple's SDK; name the SDK"
        ));
        assert!(!needs_macos_sdk("ld64.lld: error: undefined symbol: iconv"));
    }

    #[test]
    fn finds_missing_files_in_messages_of_linkers_compilers_and_pkg_config() {
        for (line, file) in [
            (
                "/bin/ld: cannot find -lz: No such file or directory",
                "lib:z",
            ),
            ("/bin/ld: cannot find -lz", "lib:z"),
            (
                "ld.lld: error: unable to find library -lopenblas",
                "lib:openblas",
            ),
            (
                "a.c:1:10: fatal error: sys/acl.h: No such file or directory",
                "header:sys/acl.h",
            ),
            (
                "a.c:1:10: fatal error: 'zlib.h' file not found",
                "header:zlib.h",
            ),
            (
                "Package 'lzo2', required by 'cairo', not found",
                "pkg-config:lzo2",
            ),
            (
                "Package x11 was not found in the pkg-config search path.",
                "pkg-config:x11",
            ),
            ("No package 'gtk4' found", "pkg-config:gtk4"),
            (
                "extra: \"Failed to execute `capnp --version`: No such file or directory\"",
                "program:capnp",
            ),
            ("build.sh: line 3: m4: command not found", "program:m4"),
        ] {
            let found: Vec<String> = missing(line).iter().map(File::to_string).collect();
            assert_eq!(found, [file], "{line}");
        }
        assert!(missing("fatal error: too many errors\ncannot find the file").is_empty());
    }
}
