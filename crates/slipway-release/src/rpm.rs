//! Packages of Fedora, RHEL, openSUSE and others. The crate `rpm` writes the format.

use std::path::Path;

use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};

use crate::package::Package;
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
    .description(package.summary)
    // Files are not newer than this.
    .source_date(time)
    .build_host("localhost");
    if let Some(homepage) = package.homepage {
        builder = builder.url(homepage);
    }
    for capability in capabilities(package, architecture) {
        builder = builder.requires(Dependency::any(capability));
    }
    for (name, file) in package.files.iter() {
        let mode = 0o100_000 | i32::from(u16::try_from(file.mode()).unwrap_or_default());
        let mut options = FileOptions::new(format!("/{name}")).mode(mode);
        if name.starts_with("usr/share/doc/") || name.starts_with("usr/share/man/") {
            options = options.is_doc();
        }
        builder = builder
            .with_file_contents(file.content.clone(), options)
            .map_err(failed)?;
    }
    builder
        .build()
        .and_then(|built| built.write_file(path))
        .map_err(failed)
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
    use crate::{File, Files, Library, Needs};

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
            license: Some("MIT"),
            homepage: None,
            modified: Timestamp::from_unix_seconds(1_700_000_000),
            needs: &needs,
            files,
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
