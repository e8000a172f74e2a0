//! Manifests for package managers: files that say where the archives of a release are, and what to
//! install from them.

mod aur;
mod homebrew;
mod nix;
mod scoop;

use std::str::FromStr;

use semver::Version;
use slipway_oci::Platform;

use crate::documents::is_license;
use crate::{Error, Format, Needs, Result};

pub use nix::string as nix_string;

/// A release, for package managers. Texts are one line.
pub struct Published<'a> {
    pub name: &'a str,
    pub version: &'a Version,
    pub description: &'a str,
    pub homepage: &'a str,
    /// SPDX expression.
    pub license: &'a str,
    /// `NAME <MAIL>`
    pub maintainer: Option<&'a str>,
    /// At most one for each platform.
    pub downloads: Vec<Download<'a>>,
}

/// An archive, and what is in it.
pub struct Download<'a> {
    pub platform: &'a Platform,
    pub format: Format,
    pub url: String,
    /// In hex.
    pub sha256: String,
    /// The directory in the archive that has all its files.
    pub directory: String,
    /// Names of the programs.
    pub programs: Vec<String>,
    /// The directory of the programs, with a slash after it. If there is one, there may be a directory
    /// `lib`, with shared libraries for them.
    pub bin: &'static str,
    /// Whether there is a directory `share`.
    pub has_share: bool,
    /// Paths of documents and other files.
    pub files: Vec<String>,
    /// What the programs need of a Linux system. `None` for other systems.
    pub needs: Option<&'a Needs>,
}

/// A kind of manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFormat {
    Aur,
    Homebrew,
    Nix,
    Scoop,
}

impl FromStr for ManifestFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "aur" => Ok(Self::Aur),
            "homebrew" => Ok(Self::Homebrew),
            "nix" => Ok(Self::Nix),
            "scoop" => Ok(Self::Scoop),
            _ => Err(Error::ManifestFormat(text.to_owned())),
        }
    }
}

impl ManifestFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Aur => "aur",
            Self::Homebrew => "homebrew",
            Self::Nix => "nix",
            Self::Scoop => "scoop",
        }
    }

    /// Whether it describes archives for a platform.
    pub fn has(self, platform: &Platform) -> bool {
        match self {
            Self::Aur => aur::architecture(platform).is_some(),
            Self::Homebrew => homebrew::blocks(platform).is_some(),
            Self::Nix => nix::system(platform).is_some(),
            Self::Scoop => scoop::architecture(platform).is_some(),
        }
    }

    /// Names of the files for a release. Fails if the package manager cannot have its name.
    pub fn file_names(self, name: &str) -> Result<Vec<String>> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        let fits = match self {
            Self::Homebrew => name.starts_with(|c: char| c.is_ascii_alphabetic()),
            _ => name.starts_with(|c: char| c.is_ascii_alphanumeric()),
        };
        if !fits || !name.chars().all(is_word) {
            return Err(Error::ManifestName {
                format: self.name(),
                name: name.to_owned(),
            });
        }
        Ok(match self {
            Self::Aur => vec!["PKGBUILD".to_owned(), "SRCINFO".to_owned()],
            Self::Homebrew => vec![format!("{name}.rb")],
            Self::Nix => vec![format!("{name}.nix")],
            Self::Scoop => vec![format!("{name}.json")],
        })
    }

    /// The texts of these files. Takes the downloads for platforms that the format has.
    pub fn texts(self, release: &Published) -> Vec<String> {
        match self {
            Self::Aur => vec![aur::pkgbuild(release), aur::srcinfo(release)],
            Self::Homebrew => vec![homebrew::formula(release)],
            Self::Nix => vec![nix::expression(release)],
            Self::Scoop => vec![scoop::manifest(release)],
        }
    }
}

impl<'a> Published<'a> {
    /// The downloads that a format has a word for, with these words.
    fn with<T>(&self, word: impl Fn(&Platform) -> Option<T>) -> Vec<(T, &Download<'a>)> {
        self.downloads
            .iter()
            .filter_map(|it| Some((word(it.platform)?, it)))
            .collect()
    }
}

/// Where a file of an archive belongs in a system.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Completions of a shell for the program of this name.
    Bash(String),
    Fish(String),
    Zsh(String),
    /// A manual page in this section.
    Manual(char),
    /// A license in the archive's directory.
    License,
    /// Another file in the archive's directory, such as a readme.
    Document,
    /// A file below the archive's directory.
    Other,
}

impl Place {
    fn of(path: &str) -> Self {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_below = |start: &str| directory.split('/').any(|part| part.starts_with(start));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        if is_below("completion") {
            match extension {
                "bash" => return Self::Bash(stem.to_owned()),
                "fish" => return Self::Fish(stem.to_owned()),
                "zsh" => return Self::Zsh(stem.trim_start_matches('_').to_owned()),
                "" if name.starts_with('_') => return Self::Zsh(name[1..].to_owned()),
                _ => {}
            }
        }
        if is_below("man") {
            let section = plain.rsplit_once('.').map_or("", |(_, section)| section);
            if let ("1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9", Some(section)) =
                (section, section.chars().next())
            {
                return Self::Manual(section);
            }
        }
        match (directory, is_license(name)) {
            ("", true) => Self::License,
            ("", false) => Self::Document,
            _ => Self::Other,
        }
    }
}

impl Download<'_> {
    /// The program that the release is named after, or else the first.
    fn main_program<'a>(&'a self, name: &'a str) -> &'a str {
        let main = self.programs.iter().find(|it| *it == name);
        main.or(self.programs.first()).map_or(name, String::as_str)
    }

    /// Shell commands that install the files into `prefix`, a word of the shell, from the archive's
    /// directory. `licenses` is the directory of licenses in it.
    fn install_commands(&self, prefix: &str, name: &str, licenses: &str) -> Vec<String> {
        let bin = self.bin;
        let programs = self.programs.iter();
        let programs: Vec<String> = programs
            .map(|it| shell_word(&format!("{bin}{it}")))
            .collect();
        let mut commands = vec![format!(
            "install -Dm755 -t {prefix}/bin {}",
            programs.join(" ")
        )];
        if !bin.is_empty() {
            commands.push(format!("if [ -d lib ]; then cp -r lib {prefix}; fi"));
        }
        if self.has_share {
            commands.push(format!("cp -r share {prefix}"));
        }
        for path in &self.files {
            let file = path.rsplit('/').next().unwrap_or(path);
            let place = match Place::of(path) {
                Place::Bash(program) => format!("share/bash-completion/completions/{program}"),
                Place::Fish(program) => format!("share/fish/vendor_completions.d/{program}.fish"),
                Place::Zsh(program) => format!("share/zsh/site-functions/_{program}"),
                Place::Manual(section) => format!("share/man/man{section}/{file}"),
                Place::License => format!("{licenses}/{file}"),
                Place::Document | Place::Other => format!("share/doc/{name}/{path}"),
            };
            commands.push(format!(
                "install -Dm644 {} {prefix}/{}",
                shell_word(path),
                shell_word(&place)
            ));
        }
        commands
    }
}

/// A word of the shell, in quotes if it needs them.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const DESCRIPTION: &str = r#"Counts "words", for $5 in #{lines} of ${files} it's \n"#;

    pub fn published<'a>(version: &'a Version, downloads: Vec<Download<'a>>) -> Published<'a> {
        Published {
            name: "word-count",
            version,
            description: DESCRIPTION,
            homepage: "https://example.com/word-count",
            license: "MIT OR Apache-2.0",
            maintainer: Some("Ada <ada@example.com>"),
            downloads,
        }
    }

    pub fn platforms() -> Vec<Platform> {
        [
            "darwin/amd64",
            "darwin/arm64",
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm64",
            "windows/amd64",
            "windows/arm64",
            "wasip1/wasm",
        ]
        .map(|it| it.parse().unwrap())
        .into()
    }

    pub fn download<'a>(platform: &'a Platform, needs: &'a Needs) -> Download<'a> {
        let is_windows = platform.os() == "windows";
        let format = if is_windows {
            Format::Zip
        } else {
            Format::TarGz
        };
        let end = if is_windows { ".exe" } else { "" };
        let directory = format!("word-count_{}", platform.to_string().replace('/', "_"));
        Download {
            platform,
            format,
            url: format!(
                "https://example.com/v1.2.3/{directory}.{}",
                format.extension()
            ),
            sha256: format!("{:064x}", platform.to_string().len()),
            programs: ["word-count", "words"]
                .map(|it| format!("{it}{end}"))
                .into(),
            bin: "",
            has_share: true,
            files: [
                "LICENSE-MIT",
                "README.md",
                "completions/_words",
                "completions/word-count.bash",
                "completions/word-count.fish",
                "docs/it's ${here}.md",
                "manpages/word-count.1.gz",
            ]
            .map(String::from)
            .into(),
            directory,
            needs: (platform.os() == "linux").then_some(needs),
        }
    }

    pub fn needs() -> Needs {
        Needs {
            glibc: Some("2.28".into()),
            libraries: vec![crate::Library {
                soname: "libz.so.1".into(),
                debian: None,
            }],
        }
    }

    /// The files of a format, for all platforms.
    pub fn texts(format: ManifestFormat, version: &str) -> Vec<String> {
        let (version, needs, platforms) = (version.parse().unwrap(), needs(), platforms());
        let downloads = platforms
            .iter()
            .filter(|it| format.has(it))
            .map(|platform| download(platform, &needs))
            .collect();
        format.texts(&published(&version, downloads))
    }

    /// Compares a text to a file of `tests/manifests`, or writes it with UPDATE_SNAPSHOTS.
    pub fn assert_snapshot(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/manifests")
            .join(name);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{}", path.display());
    }

    #[test]
    fn files_have_their_usual_places() {
        for (path, expected) in [
            ("completions/tool.bash", Place::Bash("tool".into())),
            ("completions/tool.fish", Place::Fish("tool".into())),
            ("completions/tool.zsh", Place::Zsh("tool".into())),
            ("contrib/completion/zsh/_tool", Place::Zsh("tool".into())),
            ("completions/tool.ps1", Place::Other),
            ("tool.bash", Place::Document),
            ("man/tool.1", Place::Manual('1')),
            ("manpages/tool.conf.5.gz", Place::Manual('5')),
            ("man/tool.html", Place::Other),
            ("man/tool.", Place::Other),
            ("docs/release-1.1", Place::Other),
            ("COPYING", Place::License),
            ("README.md", Place::Document),
        ] {
            assert_eq!(Place::of(path), expected, "{path}");
        }
    }

    #[test]
    fn words_of_the_shell_are_quoted() {
        assert_eq!(shell_word("docs/a-b_1.md"), "docs/a-b_1.md");
        assert_eq!(shell_word("it's $here"), r"'it'\''s $here'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn libraries_are_installed_with_the_programs() {
        let (needs, platforms) = (needs(), platforms());
        let mut download = download(&platforms[2], &needs);
        download.bin = "bin/";
        assert_eq!(
            download.install_commands("$out", "word-count", "share/licenses")[..2],
            [
                "install -Dm755 -t $out/bin bin/word-count bin/words",
                "if [ -d lib ]; then cp -r lib $out; fi",
            ]
        );
    }

    #[test]
    fn names_must_fit_the_package_manager() {
        let names = ManifestFormat::Homebrew.file_names("word-count").unwrap();
        assert_eq!(names, ["word-count.rb"]);
        assert!(ManifestFormat::Nix.file_names("7z").is_ok());
        for (format, name) in [
            (ManifestFormat::Homebrew, "7z"),
            (ManifestFormat::Aur, "-x"),
            (ManifestFormat::Scoop, "a b"),
            (ManifestFormat::Nix, ""),
        ] {
            let error = format.file_names(name).unwrap_err().to_string();
            assert!(error.contains("set another name in [release]"), "{error}");
        }
    }
}
