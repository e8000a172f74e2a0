//! What packages for distributions say of themselves and contain, whatever their format is.

use std::path::Path;
use std::str::FromStr;

use semver::Version;
use slipway_oci::Timestamp;

use crate::documents::is_license;
use crate::scripts::{Script, Scripts, Step, Units};
use crate::{Error, File, Files, Result, arch, deb, rpm};

/// The directory of licenses with RPM and Arch Linux, with a slash after it. Source: Fedora's
/// Licensing Guidelines.
pub(crate) const LICENSES: &str = "usr/share/licenses/";

/// A package of programs for one platform.
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a Version,
    /// `NAME <MAIL>`
    pub maintainer: &'a str,
    /// One line.
    pub summary: &'a str,
    /// More about the programs, in any number of lines. May be empty.
    pub details: &'a str,
    /// SPDX expression.
    pub license: Option<&'a str>,
    pub homepage: Option<&'a str>,
    pub modified: Timestamp,
    /// What the programs need of the system.
    pub needs: &'a Needs,
    /// By their paths in the root directory: `usr/bin/tool`.
    pub files: Files,
    pub scripts: Scripts,
}

/// A format of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageFormat {
    ArchLinux,
    Deb,
    Rpm,
}

impl FromStr for PackageFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "archlinux" => Ok(Self::ArchLinux),
            "deb" => Ok(Self::Deb),
            "rpm" => Ok(Self::Rpm),
            _ => Err(Error::PackageFormat(text.to_owned())),
        }
    }
}

impl PackageFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::ArchLinux => "archlinux",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    /// The format's name of an architecture in words of OCI, with the variant, such as `armv7`.
    /// `None` if no distribution has it.
    pub fn architecture(self, oci: &str) -> Option<&'static str> {
        match self {
            Self::ArchLinux => arch::architecture(oci),
            Self::Deb => deb::architecture(oci),
            Self::Rpm => rpm::architecture(oci),
        }
    }

    /// The usual name of the file.
    pub fn file_name(self, package: &Package, architecture: &str) -> String {
        match self {
            Self::ArchLinux => arch::file_name(package, architecture),
            Self::Deb => deb::file_name(package, architecture),
            Self::Rpm => rpm::file_name(package, architecture),
        }
    }

    /// Writes the package to `path`.
    pub fn write(self, path: &Path, package: &Package, architecture: &str) -> Result<()> {
        match self {
            Self::ArchLinux => arch::write(path, package, architecture),
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

    /// The scripts of the package with the lines that `of_units` gives for its units.
    pub(crate) fn scripts_with(&self, of_units: impl Fn(&Units, Step) -> String) -> Scripts {
        let units = Units::of(&self.files);
        let script = |step| {
            let lines = units.as_ref().map(|units| of_units(units, step));
            Script::with_lines(&self.scripts, step, &lines.unwrap_or_default())
        };
        let scripts = Step::ALL.into_iter();
        scripts
            .filter_map(|step| Some((step, script(step)?)))
            .collect()
    }

    /// The name of a license among the package's documents. `None` for any other path.
    pub(crate) fn license_name<'p>(&self, path: &'p str) -> Option<&'p str> {
        let documents = format!("usr/share/doc/{}/", self.name);
        let name = path.strip_prefix(&documents)?;
        is_license(name).then_some(name)
    }

    /// The files, with licenses in their own directory.
    pub(crate) fn files_with_licenses(&self) -> Result<Files> {
        let mut files = Files::default();
        for (path, file) in self.files.iter() {
            let path = match self.license_name(path) {
                Some(license) => format!("{LICENSES}{}/{license}", self.name),
                None => path.to_owned(),
            };
            files.add(self.name, path, file.clone())?;
        }
        Ok(files)
    }
}

/// Whether the file at this path is configuration, which upgrades do not replace once it is edited.
pub(crate) fn is_configuration(path: &str) -> bool {
    path.starts_with("etc/")
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
    /// compressed. `libraries` are paths in `output`. `system` has further files by their paths in the
    /// root directory.
    pub fn files(
        &self,
        output: &Path,
        libraries: &[String],
        documents: &Files,
        system: &Files,
    ) -> Result<Files> {
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
                true => files.add(self.name, format!("{path}.gz"), file.gzip()?)?,
                false => files.add(self.name, path.to_owned(), file.clone())?,
            }
        }
        for path in libraries {
            let file = File::read(&output.join(path))?;
            files.add(self.name, format!("usr/{path}"), file)?;
        }
        for (name, file) in documents.iter() {
            let path = format!("usr/share/doc/{}/{name}", self.name);
            files.add(self.name, path, file.clone())?;
        }
        for (path, file) in system.iter() {
            // dpkg wants no links among configuration files.
            files.add(self.name, path.to_owned(), file.clone().without_link())?;
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn libraries_stay_where_programs_find_them() {
        let output = tempfile::tempdir().unwrap();
        for path in ["bin/tool", "lib/libother.so", "lib/tool/libone.so.1"] {
            let path = output.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let layout = Layout { name: "tool" };
        let libraries = ["lib/tool/libone.so.1".to_owned()];
        let none = Files::default();
        let files = layout.files(output.path(), &libraries, &none, &none);
        let paths: Vec<String> = files.unwrap().iter().map(|(it, _)| it.to_owned()).collect();
        assert_eq!(paths, ["usr/bin/tool", "usr/lib/tool/libone.so.1"]);
    }

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
