//! Packages of Debian. Source: Debian Policy 4.7, and deb(5).

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use lzma_rust2::{XzOptions, XzWriter};

use crate::package::{Package, is_configuration};
use crate::scripts::Units;
use crate::tree::tar;
use crate::{Error, File, Files, Needs, Result};

/// xz's level. Files are packed once and downloaded often.
const XZ_LEVEL: u32 = 9;

/// Debian's name of an architecture in OCI's words. `None` if Debian has no such architecture.
pub fn architecture(oci: &str) -> Option<&'static str> {
    Some(match oci {
        "386" => "i386",
        "amd64" => "amd64",
        "arm64" => "arm64",
        "armv7" => "armhf",
        "ppc64le" => "ppc64el",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        _ => return None,
    })
}

/// The usual name of the file.
pub fn file_name(package: &Package, architecture: &str) -> String {
    let (name, version) = (package.name, package.distribution_version());
    format!("{name}_{version}_{architecture}.deb")
}

/// Writes the package to `path`.
pub fn write(path: &Path, package: &Package, architecture: &str) -> Result<()> {
    let failed = |error| Error::io("write", path)(error);
    let mut files = Files::default();
    for (path, file) in package.files.iter() {
        if package.license_name(path).is_none() {
            files.add(package.name, path.to_owned(), file.clone())?;
        }
    }
    for (name, file) in [
        ("changelog.gz", File::text(changes(package)).gzip()?),
        ("copyright", File::text(copyright(package))),
    ] {
        let path = format!("usr/share/doc/{}/{name}", package.name);
        files.add(package.name, path, file)?;
    }
    let mut control = Files::default();
    let fields = control_fields(package, architecture, files.size())?;
    control.add(package.name, "control".into(), File::text(fields))?;
    let configuration = files.iter().filter(|(path, _)| is_configuration(path));
    let lines: Vec<String> = configuration
        .map(|(path, _)| format!("/{path}\n"))
        .collect();
    if !lines.is_empty() {
        control.add(package.name, "conffiles".into(), File::text(lines.concat()))?;
    }
    for (step, script) in package.scripts_with(Units::debian) {
        let mut file = File::text(script.text());
        file.is_executable = true;
        control.add(package.name, step.name().into(), file)?;
    }

    let time = package.modified.unix_seconds();
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.xz", tar_xz(&control, time).map_err(failed)?),
        ("data.tar.xz", tar_xz(&files, time).map_err(failed)?),
    ] {
        let size = content.len();
        let header = format!(
            "{name:<16}{time:<12}{:<6}{:<6}{:<8}{size:<10}`\n",
            0, 0, "100644"
        );
        archive.extend(header.bytes());
        archive.extend(content);
        if size % 2 != 0 {
            archive.push(b'\n');
        }
    }
    fs::write(path, archive).map_err(failed)
}

fn tar_xz(files: &Files, time: u32) -> io::Result<Vec<u8>> {
    let out = XzWriter::new(Vec::new(), XzOptions::with_preset(XZ_LEVEL))?;
    let mut out = tar(out, "./", files, time)?;
    out.flush()?;
    out.finish()
}

/// The file `control`.
fn control_fields(package: &Package, architecture: &str, size: u64) -> Result<String> {
    let mut fields = vec![
        ("Package", package.name.to_owned()),
        ("Version", package.distribution_version()),
        ("Architecture", architecture.to_owned()),
        ("Maintainer", package.maintainer.to_owned()),
        ("Installed-Size", size.div_ceil(1024).to_string()),
        ("Depends", depends(package.needs)?),
        ("Section", "utils".to_owned()),
        ("Priority", "optional".to_owned()),
        ("Homepage", package.homepage.unwrap_or_default().to_owned()),
        ("Description", description(package)),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    Ok(lines.collect::<Vec<_>>().concat())
}

/// The summary, and the text below it, whose lines begin with a space.
fn description(package: &Package) -> String {
    let lines = package.details.lines().map(|line| match line.trim_end() {
        "" => "\n .".to_owned(),
        line => format!("\n {line}"),
    });
    package.summary.to_owned() + &lines.collect::<String>()
}

/// The packages that have what programs need.
fn depends(needs: &Needs) -> Result<String> {
    let glibc = needs.glibc.iter().map(|it| format!("libc6 (>= {it})"));
    let mut depends: Vec<String> = glibc.collect();
    for library in &needs.libraries {
        let Some(name) = &library.debian else {
            return Err(Error::NoPackage(library.soname.clone()));
        };
        depends.push(match name.strip_suffix("t64") {
            // Before the 64-bit time_t, packages had these names.
            Some(older) => format!("{name} | {older}"),
            None => name.clone(),
        });
    }
    depends.sort();
    depends.dedup();
    Ok(depends.join(", "))
}

/// The file with all licenses, which Debian's policy requires.
fn copyright(package: &Package) -> String {
    let mut text = format!("{} {}\n", package.name, package.version);
    if let Some(homepage) = package.homepage {
        text += &format!("Source: {homepage}\n");
    }
    if let Some(license) = package.license {
        text += &format!("License: {license}\n");
    }
    for (path, file) in package.files.iter() {
        if let Some(name) = package.license_name(path) {
            let content = String::from_utf8_lossy(&file.content);
            text += &format!("\n{name}:\n\n{}\n", content.trim_end());
        }
    }
    text
}

/// The changelog, which Debian's policy requires.
fn changes(package: &Package) -> String {
    format!(
        "{} ({}) stable; urgency=medium\n\n  * Release {}.\n\n -- {}  {}\n",
        package.name,
        package.distribution_version(),
        package.version,
        package.maintainer,
        rfc_2822(package)
    )
}

/// The time of the package, such as `Fri, 02 Jan 2026 03:04:06 +0000`.
fn rfc_2822(package: &Package) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let it = package.modified.fields();
    // 1970-01-01 was a Thursday.
    let day = DAYS[(package.modified.unix_seconds() / 86_400 % 7) as usize];
    let month = MONTHS[(it.month as usize + 11) % 12];
    format!(
        "{day}, {:02} {month} {} {:02}:{:02}:{:02} +0000",
        it.day, it.year, it.hour, it.minute, it.second
    )
}

#[cfg(test)]
mod tests {
    use slipway_oci::Timestamp;

    use super::*;
    use crate::{Library, Scripts};

    #[test]
    fn control_has_the_fields_that_policy_requires() {
        let needs = Needs {
            glibc: Some("2.28".into()),
            libraries: [("libssl.so.3", "libssl3t64"), ("libz.so.1", "zlib1g")]
                .map(|(soname, debian)| Library {
                    soname: soname.into(),
                    debian: Some(debian.into()),
                })
                .to_vec(),
        };
        let version = "1.2.3".parse().unwrap();
        let mut files = Files::default();
        for (name, text) in [("LICENSE-MIT", "Copyright Ada\n"), ("README", "Read me\n")] {
            let path = format!("usr/share/doc/tool/{name}");
            files.add("tool", path, File::text(text)).unwrap();
        }
        let package = Package {
            name: "tool",
            version: &version,
            maintainer: "Ada <ada@example.com>",
            summary: "Prints its version",
            details: "To standard error.\n\nNothing else.",
            license: Some("MIT"),
            homepage: None,
            modified: Timestamp::from_unix_seconds(1_767_323_046),
            needs: &needs,
            files,
            scripts: Scripts::default(),
        };
        assert_eq!(
            control_fields(&package, "arm64", 2049).unwrap(),
            "Package: tool\nVersion: 1.2.3\nArchitecture: arm64\nMaintainer: Ada <ada@example.com>\n\
             Installed-Size: 3\nDepends: libc6 (>= 2.28), libssl3t64 | libssl3, zlib1g\nSection: utils\n\
             Priority: optional\nDescription: Prints its version\n To standard error.\n .\n Nothing else.\n"
        );
        assert_eq!(
            copyright(&package),
            "tool 1.2.3\nLicense: MIT\n\nLICENSE-MIT:\n\nCopyright Ada\n"
        );
        assert!(
            changes(&package)
                .ends_with(" -- Ada <ada@example.com>  Fri, 02 Jan 2026 03:04:06 +0000\n")
        );
    }
}
