//! Packages of Fedora, RHEL, openSUSE and others. The crate `rpm` writes the format.

use std::path::Path;

use rpm::{
    BuildConfig, CompressionWithLevel, Dependency, FileMode, FileOptions, PackageBuilder, Scriptlet,
};

use crate::package::{LICENSES, Package, is_configuration};
use crate::scripts::{Step, Units};
use crate::{Error, Result};

/// zstd's level. Files are packed once and downloaded often.
const ZSTD_LEVEL: i32 = 19;

/// The revision of the package of a version.
const RELEASE: &str = "1";

/// RPM's name of an architecture in OCI's words. `None` if RPM has no such architecture.
pub fn architecture(oci: &str) -> Option<&'static str> {
    Some(match oci {
        "386" => "i686",
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "armv7" => "armv7hl",
        "ppc64le" => "ppc64le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        _ => return None,
    })
}

/// The usual name of the file.
pub fn file_name(package: &Package, architecture: &str) -> String {
    let (name, version) = (package.name, package.distribution_version());
    format!("{name}-{version}-{RELEASE}.{architecture}.rpm")
}

/// Writes the package to `path`.
pub fn write(path: &Path, package: &Package, architecture: &str) -> Result<()> {
    let failed = |source: rpm::Error| Error::Rpm {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let level = CompressionWithLevel::Zstd(ZSTD_LEVEL);
    let time = package.modified.unix_seconds();
    let mut builder = PackageBuilder::new(
        package.name,
        &package.distribution_version(),
        package.license.unwrap_or("unknown"),
        architecture,
        package.summary,
    )
    .using_config(BuildConfig::v4().compression(level))
    .release(RELEASE)
    .packager(package.maintainer)
    .description(match package.details {
        "" => package.summary,
        details => details,
    })
    // Files are not newer than this.
    .source_date(time)
    .build_host("localhost")
    .add_changelog_entry(
        format!(
            "{} - {}-{RELEASE}",
            package.maintainer,
            package.distribution_version()
        ),
        format!("- Release {}.", package.version),
        time,
    );
    if let Some(homepage) = package.homepage {
        builder = builder.url(homepage);
    }
    for capability in capabilities(package, architecture) {
        builder = builder.requires(Dependency::any(capability));
    }
    let files = package.files_with_licenses()?;
    // These are removed with the package. Others belong to the system.
    let is_own =
        |path: &&str| path.split('/').any(|part| part == package.name) || is_of_libraries(path);
    for directory in files.directories().into_iter().filter(is_own) {
        let options = FileOptions::new(format!("/{directory}")).mode(FileMode::dir(0o755));
        builder = builder.with_file_contents("", options).map_err(failed)?;
    }
    for (path, file) in files.iter() {
        let mode = FileMode::regular(u16::try_from(file.mode()).unwrap_or_default());
        let options = FileOptions::new(format!("/{path}"));
        let link = files.link(path);
        let mut options = match &link {
            Some(target) => options.mode(FileMode::symbolic_link(0o777)).symlink(target),
            None => options.mode(mode),
        };
        if is_configuration(path) {
            options = options.is_config_noreplace();
        } else if path.starts_with(LICENSES) {
            options = options.is_license();
        } else if path.starts_with("usr/share/doc/") || path.starts_with("usr/share/man/") {
            options = options.is_doc();
        }
        let content = link.map_or_else(|| file.content.clone(), String::into_bytes);
        builder = builder
            .with_file_contents(content, options)
            .map_err(failed)?;
    }
    for (step, script) in package.scripts_with(Units::rpm) {
        let words: Vec<&str> = script.interpreter.split_whitespace().collect();
        let program = words[0].to_owned();
        let scriptlet = Scriptlet::new(&script.body).prog(words);
        builder = match step {
            Step::Preinst => builder
                .requires(Dependency::script_pre(program))
                .pre_install_script(scriptlet),
            Step::Postinst => builder
                .requires(Dependency::script_post(program))
                .post_install_script(scriptlet),
            Step::Prerm => builder
                .requires(Dependency::script_preun(program))
                .pre_uninstall_script(scriptlet),
            Step::Postrm => builder
                .requires(Dependency::script_postun(program))
                .post_uninstall_script(scriptlet),
        };
    }
    builder
        .build()
        .and_then(|built| built.write_file(path))
        .map_err(failed)
}

/// Whether a directory is for the shared libraries of one package, such as `usr/lib/tool`.
fn is_of_libraries(directory: &str) -> bool {
    let below = directory.strip_prefix("usr/lib/");
    below.is_some_and(|below| below != "systemd" && !below.starts_with("systemd/"))
}

/// What RPM derives from shared libraries that programs need, such as `libz.so.1()(64bit)`.
fn capabilities(package: &Package, architecture: &str) -> Vec<String> {
    let bits = match architecture {
        "i686" | "armv7hl" => "",
        _ => "(64bit)",
    };
    let glibc = package.needs.glibc.iter();
    let glibc = glibc.map(|version| format!("libc.so.6(GLIBC_{version}){bits}"));
    let parentheses = if bits.is_empty() { "" } else { "()" };
    let libraries = package.needs.libraries.iter();
    let libraries = libraries.map(|it| format!("{}{parentheses}{bits}", it.soname));
    glibc.chain(libraries).collect()
}

#[cfg(test)]
mod tests {
    use slipway_oci::{Digest, Timestamp};

    use super::*;
    use crate::{File, Files, Library, Needs, Scripts};

    fn package_with<T>(then: impl FnOnce(&Package) -> T) -> T {
        let needs = Needs {
            glibc: Some("2.28".into()),
            libraries: vec![Library {
                soname: "libz.so.1".into(),
                debian: Some("zlib1g".into()),
            }],
        };
        let version = "1.2.3-rc.1".parse().unwrap();
        let mut files = Files::default();
        files
            .add("tool", "usr/bin/tool".into(), File::text("tool"))
            .unwrap();
        then(&Package {
            name: "tool",
            version: &version,
            maintainer: "Ada <ada@example.com>",
            summary: "Prints its version",
            details: "",
            license: Some("MIT"),
            homepage: None,
            modified: Timestamp::from_unix_seconds(1_700_000_000),
            needs: &needs,
            files,
            scripts: Scripts::default(),
        })
    }

    #[test]
    fn libraries_are_capabilities() {
        package_with(|package| {
            let of = |architecture| capabilities(package, architecture);
            assert_eq!(
                of("aarch64"),
                ["libc.so.6(GLIBC_2.28)(64bit)", "libz.so.1()(64bit)"]
            );
            assert_eq!(of("i686"), ["libc.so.6(GLIBC_2.28)", "libz.so.1"]);
            assert_eq!(
                file_name(package, "aarch64"),
                "tool-1.2.3~rc.1-1.aarch64.rpm"
            );
        });
    }

    #[test]
    fn directories_of_libraries_belong_to_the_package() {
        for (directory, expected) in [
            ("usr/lib/tool", true),
            ("usr/lib/tool/inner", true),
            ("usr/lib", false),
            ("usr/lib/systemd", false),
            ("usr/lib/systemd/system", false),
            ("usr/share/man", false),
        ] {
            assert_eq!(is_of_libraries(directory), expected, "{directory}");
        }
    }

    #[test]
    fn the_same_package_gives_the_same_bytes() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| {
            let path = place.path().join(name);
            package_with(|package| write(&path, package, "aarch64")).unwrap();
            Digest::of(&std::fs::read(path).unwrap())
        });
        assert_eq!(one, two);
    }
}
