//! What packages for distributions say of themselves and contain, whatever their format is.

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use flate2::{Compression, GzBuilder};
use semver::Version;
use slipway_oci::Timestamp;

use crate::{Error, File, Files, Result, deb, rpm};

/// A package of programs for one platform.
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a Version,
    /// `NAME <MAIL>`
    pub maintainer: &'a str,
    /// One line.
    pub summary: &'a str,
    /// SPDX expression.
    pub license: Option<&'a str>,
    pub homepage: Option<&'a str>,
    pub modified: Timestamp,
    /// What the programs need of the system.
    pub needs: &'a Needs,
    /// By their paths in the root directory: `usr/bin/tool`.
    pub files: Files,
}

/// A format of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageFormat {
    Deb,
    Rpm,
}

impl FromStr for PackageFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "deb" => Ok(Self::Deb),
            "rpm" => Ok(Self::Rpm),
            _ => Err(Error::PackageFormat(text.to_owned())),
        }
    }
}

impl PackageFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    /// The format's name of an architecture in words of OCI, with the variant, such as `armv7`.
    /// `None` if no distribution has it.
    pub fn architecture(self, oci: &str) -> Option<&'static str> {
        match self {
            Self::Deb => deb::architecture(oci),
            Self::Rpm => rpm::architecture(oci),
        }
    }

    /// The usual name of the file.
    pub fn file_name(self, package: &Package, architecture: &str) -> String {
        match self {
            Self::Deb => deb::file_name(package, architecture),
            Self::Rpm => rpm::file_name(package, architecture),
        }
    }

    /// Writes the package to `path`.
    pub fn write(self, path: &Path, package: &Package, architecture: &str) -> Result<()> {
        match self {
            Self::Deb => deb::write(path, package, architecture),
            Self::Rpm => rpm::write(path, package, architecture),
        }
    }
}

impl Package<'_> {
    /// The version in the form of Debian and RPM. A pre-release sorts before its release.
    pub fn distribution_version(&self) -> String {
        distribution_version(self.version)
    }
}

fn distribution_version(version: &Version) -> String {
    let Version {
        major,
        minor,
        patch,
        pre,
        build,
    } = version;
    let mut text = format!("{major}.{minor}.{patch}");
    // A hyphen would begin the revision of the package.
    if !pre.is_empty() {
        text += &format!("~{}", pre.replace('-', "."));
    }
    if !build.is_empty() {
        text += &format!("+{}", build.replace('-', "."));
    }
    text
}

/// What programs need of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The oldest version of glibc. `None` if all programs are static.
    pub glibc: Option<String>,
    pub libraries: Vec<Library>,
}

/// A shared library of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its soname, such as `libz.so.1`.
    pub soname: String,
    /// Debian's package, such as `zlib1g`, if it is known.
    pub debian: Option<String>,
}

/// The output of a build, sorted into the directories of a system.
pub struct Layout<'a> {
    /// The name of the package, for the directory of its documents.
    pub name: &'a str,
}

impl Layout<'_> {
    /// The files of a build with `bin` and perhaps `share`, and documents by name. Manual pages are
    /// compressed.
    pub fn files(&self, output: &Path, documents: &Files) -> Result<Files> {
        let mut built = Files::default();
        for part in ["bin", "share"] {
            let source = output.join(part);
            if source.is_dir() {
                built.add_tree(self.name, &format!("usr/{part}"), &source)?;
            }
        }
        let mut files = Files::default();
        for (path, file) in built.iter() {
            let is_manual = path.starts_with("usr/share/man/") && !path.ends_with(".gz");
            match is_manual {
                true => files.add(self.name, format!("{path}.gz"), gzip(&file.content)?)?,
                false => files.add(self.name, path.to_owned(), file.clone())?,
            }
        }
        for (name, file) in documents.iter() {
            let path = format!("usr/share/doc/{}/{name}", self.name);
            files.add(self.name, path, file.clone())?;
        }
        Ok(files)
    }
}

/// A file, compressed without a name and a time.
pub(crate) fn gzip(content: &[u8]) -> Result<File> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    Ok(File {
        content: written.map_err(Error::io("compress", Path::new("a manual page")))?,
        is_executable: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_semantic_versions_do() {
        for (text, expected) in [
            ("1.2.3", "1.2.3"),
            ("1.2.3-rc.1", "1.2.3~rc.1"),
            ("0.0.0-SNAPSHOT-abc1234", "0.0.0~SNAPSHOT.abc1234"),
            ("1.2.3+build-5", "1.2.3+build.5"),
        ] {
            assert_eq!(distribution_version(&text.parse().unwrap()), expected);
        }
    }
}
