//! Packages of Arch Linux. Sources: PKGINFO(5), alpm-package(7) and alpm-install-scriptlet(5).

use std::fs;
use std::io;
use std::path::Path;

use semver::Version;

use crate::package::{Package, is_configuration};
use crate::scripts::Step;
use crate::tree::tar;
use crate::{Error, File, Result};

/// zstd's level. Files are packed once and downloaded often.
const ZSTD_LEVEL: i32 = 19;

/// The revision of the package of a version.
const RELEASE: &str = "1";

/// The functions that pacman calls, and how each calls the script of a step.
const FUNCTIONS: [(&str, Step, &str); 6] = [
    ("pre_install", Step::Preinst, "install"),
    ("pre_upgrade", Step::Preinst, "upgrade \"$2\""),
    ("post_install", Step::Postinst, "configure"),
    ("post_upgrade", Step::Postinst, "configure \"$2\""),
    ("pre_remove", Step::Prerm, "remove"),
    ("post_remove", Step::Postrm, "remove"),
];

/// Arch Linux's name of an architecture in OCI's words, or that of its ports. `None` if there is no
/// port.
pub fn architecture(oci: &str) -> Option<&'static str> {
    Some(match oci {
        "386" => "i686",
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "armv7" => "armv7h",
        "riscv64" => "riscv64",
        _ => return None,
    })
}

/// The usual name of the file.
pub fn file_name(package: &Package, architecture: &str) -> String {
    let (name, version) = (package.name, version(package.version));
    format!("{name}-{version}-{RELEASE}-{architecture}.pkg.tar.zst")
}

/// Writes the package to `path`.
pub fn write(path: &Path, package: &Package, architecture: &str) -> Result<()> {
    let failed = |error: io::Error| Error::io("write", path)(error);
    let mut files = package.files_with_licenses()?;
    let fields = fields(package, architecture, files.size());
    files.add(package.name, ".PKGINFO".into(), File::text(fields))?;
    if !package.scripts.is_empty() {
        files.add(
            package.name,
            ".INSTALL".into(),
            File::text(functions(package)),
        )?;
    }
    let out = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(failed)?;
    let written = tar(out, "", &files, package.modified.unix_seconds());
    let archive = written.and_then(zstd::Encoder::finish).map_err(failed)?;
    fs::write(path, archive).map_err(failed)
}

/// The version without hyphens. A pre-release sorts before its release, as letters do before nothing.
fn version(version: &Version) -> String {
    let Version { pre, build, .. } = version;
    let mut text = format!("{}.{}.{}", version.major, version.minor, version.patch);
    if pre.starts_with(|c: char| c.is_ascii_digit()) {
        text += "pre";
    }
    text += &pre.replace('-', ".");
    if !build.is_empty() {
        text += &format!("+{}", build.replace('-', "."));
    }
    text
}

/// The file `.PKGINFO`.
fn fields(package: &Package, architecture: &str, size: u64) -> String {
    let mut fields = vec![
        ("pkgname", package.name.to_owned()),
        ("pkgbase", package.name.to_owned()),
        ("xdata", "pkgtype=pkg".to_owned()),
        ("pkgver", format!("{}-{RELEASE}", version(package.version))),
        ("pkgdesc", package.summary.to_owned()),
        ("url", package.homepage.unwrap_or_default().to_owned()),
        ("builddate", package.modified.unix_seconds().to_string()),
        ("packager", package.maintainer.to_owned()),
        ("size", size.to_string()),
        ("arch", architecture.to_owned()),
        ("license", package.license.unwrap_or("unknown").to_owned()),
    ];
    let configuration = package
        .files
        .iter()
        .filter(|(path, _)| is_configuration(path));
    fields.extend(configuration.map(|(path, _)| ("backup", path.to_owned())));
    let glibc = package.needs.glibc.iter();
    fields.extend(glibc.map(|version| ("depend", format!("glibc>={version}"))));
    let bits = match architecture {
        "i686" | "armv7h" => 32,
        _ => 64,
    };
    let libraries = package.needs.libraries.iter();
    fields.extend(libraries.map(|library| ("depend", capability(&library.soname, bits))));
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"));
    lines.collect()
}

/// A shared library as packages say that they have it, such as `libz.so=1-64`.
fn capability(soname: &str, bits: u8) -> String {
    match soname.split_once(".so.") {
        Some((name, version)) => format!("{name}.so={version}-{bits}"),
        None => soname.to_owned(),
    }
}

/// The file `.INSTALL`. Scripts get Debian's arguments.
fn functions(package: &Package) -> String {
    let function = |(name, step, arguments): &(&str, Step, &str)| {
        let script = package.scripts.get(step)?;
        let (flags, body) = (script.flags(), script.body.trim_end());
        Some(format!(
            "{name}() (\nset {flags}-- {arguments}\n{body}\n)\n"
        ))
    };
    FUNCTIONS.iter().filter_map(function).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_no_hyphens_and_sort_as_semantic_versions_do() {
        for (text, expected) in [
            ("1.2.3", "1.2.3"),
            ("1.2.3-rc.1", "1.2.3rc.1"),
            ("1.2.3-0.beta", "1.2.3pre0.beta"),
            ("0.0.0-SNAPSHOT-abc1234+b-5", "0.0.0SNAPSHOT.abc1234+b.5"),
        ] {
            assert_eq!(version(&text.parse().unwrap()), expected);
        }
    }
    #[test]
    fn libraries_are_sonames() {
        assert_eq!(capability("libz.so.1", 64), "libz.so=1-64");
        assert_eq!(capability("libhts-1.2.so", 32), "libhts-1.2.so");
    }
}
