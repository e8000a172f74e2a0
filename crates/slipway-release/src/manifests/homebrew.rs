//! Formulas of Homebrew, for macOS and Linux. Source: Homebrew's Formula Cookbook.

use slipway_oci::Platform;

use super::{Download, Place, Published};

/// The blocks of a formula for a platform. Homebrew runs on amd64 and arm64.
pub(super) fn blocks(platform: &Platform) -> Option<(&'static str, &'static str)> {
    let system = match platform.os() {
        "darwin" => "on_macos",
        "linux" => "on_linux",
        _ => return None,
    };
    let processor = match platform.architecture() {
        "amd64" => "on_intel",
        "arm64" => "on_arm",
        _ => return None,
    };
    Some((system, processor))
}

pub(super) fn formula(release: &Published) -> String {
    let downloads = release.with(blocks);
    let mut text = format!(
        "class {} < Formula\n  desc {}\n  homepage {}\n  version {}\n",
        class(release.name),
        string(release.description),
        string(release.homepage),
        string(&release.version.to_string()),
    );
    if let Some(license) = license(release.license) {
        text += &format!("  license {license}\n");
    }
    for system in ["on_macos", "on_linux"] {
        let of_system: Vec<_> = downloads
            .iter()
            .filter(|((it, _), _)| *it == system)
            .collect();
        if of_system.is_empty() {
            continue;
        }
        text += &format!("\n  {system} do\n");
        for ((_, processor), download) in of_system {
            text += &format!(
                "    {processor} do\n      url {}\n      sha256 {}\n    end\n",
                string(&download.url),
                string(&download.sha256)
            );
        }
        text += "  end\n";
    }
    if let Some((_, download)) = downloads.first() {
        text += &install(release.name, download);
    }
    text + "end\n"
}

/// The methods that install and test. Homebrew enters the archive's directory, and installs
/// readmes, licenses and changelogs by itself.
fn install(name: &str, download: &Download) -> String {
    let bin = download.bin;
    let programs = download.programs.iter();
    let programs: Vec<String> = programs.map(|it| string(&format!("{bin}{it}"))).collect();
    let mut lines = vec![format!("bin.install {}", programs.join(", "))];
    if !bin.is_empty() {
        lines.push("prefix.install \"lib\" if File.directory?(\"lib\")".to_owned());
    }
    if download.has_share {
        lines.push("prefix.install \"share\"".to_owned());
    }
    for path in &download.files {
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let (method, new) = match Place::of(path) {
            Place::Bash(program) => ("bash_completion".to_owned(), program),
            Place::Fish(program) => ("fish_completion".to_owned(), format!("{program}.fish")),
            Place::Zsh(program) => ("zsh_completion".to_owned(), format!("_{program}")),
            Place::Manual(section) => (format!("man{section}"), file.to_owned()),
            Place::License | Place::Document => continue,
            Place::Other => (format!("(doc/{})", string(directory)), file.to_owned()),
        };
        let renamed = if new == file {
            String::new()
        } else {
            format!(" => {}", string(&new))
        };
        lines.push(format!("{method}.install {}{renamed}", string(path)));
    }
    let program = string(download.main_program(name));
    format!(
        "\n  def install\n    {}\n  end\n\n  test do\n    assert_path_exists bin/{program}\n  end\n",
        lines.join("\n    ")
    )
}

/// The class of a formula. Source: `Formulary.class_s` of Homebrew.
fn class(name: &str) -> String {
    let words = name.to_lowercase();
    let words = words.split(['-', '_', '.']).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect::<String>().replace('+', "x")
}

/// An SPDX expression in Homebrew's syntax. `None` for one that is nested.
fn license(expression: &str) -> Option<String> {
    let list = |operator: &str| {
        let names: Vec<String> = expression.split(operator).map(string).collect();
        names.join(", ")
    };
    let has = |text: &str| expression.contains(text);
    match (has(" OR "), has(" AND "), has(" WITH ") || has("(")) {
        (false, false, false) => Some(string(expression)),
        (true, false, false) => Some(format!("any_of: [{}]", list(" OR "))),
        (false, true, false) => Some(format!("all_of: [{}]", list(" AND "))),
        _ => None,
    }
}

/// A string in Ruby's syntax.
fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('#', "\\#");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::super::ManifestFormat;
    use super::super::tests::{assert_snapshot, download, needs, platforms, texts};
    use super::*;

    #[test]
    fn formula_has_macos_and_linux() {
        let texts = texts(ManifestFormat::Homebrew, "1.2.3");
        assert_snapshot("word-count.rb", &texts[0]);
    }

    #[test]
    fn libraries_are_installed_beside_programs() {
        let (needs, platforms) = (needs(), platforms());
        let mut download = download(&platforms[2], &needs);
        download.bin = "bin/";
        let install = install("word-count", &download);
        for line in [
            "    bin.install \"bin/word-count\", \"bin/words\"\n",
            "    prefix.install \"lib\" if File.directory?(\"lib\")\n",
        ] {
            assert!(install.contains(line), "{install}");
        }
    }

    #[test]
    fn classes_are_those_that_homebrew_looks_for() {
        for (name, expected) in [
            ("tool", "Tool"),
            ("word-count", "WordCount"),
            ("GoSungrow", "Gosungrow"),
            ("a_b.c", "ABC"),
            ("c++filt", "Cxxfilt"),
        ] {
            assert_eq!(class(name), expected);
        }
    }

    #[test]
    fn licenses_are_in_homebrews_syntax() {
        for (expression, expected) in [
            ("MIT", Some("\"MIT\"")),
            (
                "MIT OR Apache-2.0",
                Some(r#"any_of: ["MIT", "Apache-2.0"]"#),
            ),
            ("MIT AND Zlib", Some(r#"all_of: ["MIT", "Zlib"]"#)),
            ("(MIT OR Zlib) AND ISC", None),
            ("Apache-2.0 WITH LLVM-exception", None),
        ] {
            assert_eq!(license(expression).as_deref(), expected);
        }
    }
}
