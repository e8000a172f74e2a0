//! What `slipway init` takes over from goreleaser's configuration file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use slipway_debian::lock::{Go, GoProgram};
use slipway_nix::Nix;
use slipway_oci::Platform;
use slipway_release::{Goreleaser, nix_string};

use crate::project::git;
use crate::project::platform_table::Row;

pub struct Moved {
    file: &'static str,
    settings: Goreleaser,
}

impl Moved {
    /// Reads the project's file. A file that cannot be read is a warning.
    pub fn read(directory: &Path) -> Option<Self> {
        let is_there = |name: &&&str| directory.join(name).is_file();
        let file = Goreleaser::FILES.iter().find(is_there)?;
        let text = fs::read_to_string(directory.join(file)).map_err(|it| it.to_string());
        match text.and_then(|text| Goreleaser::read(&text)) {
            Ok(settings) => Some(Self { file, settings }),
            Err(error) => {
                eprintln!("warning: nothing is taken over from {file}: {error}");
                None
            }
        }
    }

    /// Build tags of Go.
    pub fn tags(&self) -> &[String] {
        &self.settings.tags
    }

    /// The packages to build, if they are not all that have a program.
    pub fn packages(&mut self, known: &BTreeSet<GoProgram>) -> Vec<String> {
        let mut wanted = Vec::new();
        for (package, name) in std::mem::take(&mut self.settings.programs) {
            let program = known.iter().find(|it| it.package == package);
            match (program, name) {
                (Some(program), Some(name)) if program.name != name => self.settings.leave_for(
                    "builds.binary",
                    Some(&name),
                    "programs have the names that go build gives them",
                ),
                (None, _) => {
                    self.settings
                        .leave_for("builds.main", Some(&package), "no program is there")
                }
                _ => {}
            }
            if program.is_some() && !wanted.contains(&package) {
                wanted.push(package);
            }
        }
        if wanted.len() == known.len() {
            wanted.clear();
        }
        wanted
    }

    /// The lines of flake.nix.
    pub fn flake_settings(&self, packages: &[String]) -> Vec<String> {
        let list = |texts: &[String]| {
            let texts: Vec<String> = texts.iter().map(|it| nix_string(it)).collect();
            texts.join(" ")
        };
        let mut lines = Vec::new();
        if !packages.is_empty() {
            lines.push(format!("packages = [{}];", list(packages)));
        }
        if self.settings.without_cgo {
            lines.push("cgo = false;".to_owned());
        }
        if !self.settings.ldflags.is_empty() {
            lines.push(format!("ldflags = [{}];", list(&self.settings.ldflags)));
        }
        lines
    }

    /// Leaves out what `slipway release` cannot do in this project.
    pub fn fit(
        &mut self,
        directory: &Path,
        rows: &[&Row],
        go: Option<&Go>,
        nix: &Nix,
        flake: &str,
    ) -> Result<()> {
        let settings = &mut self.settings;
        for file in std::mem::take(&mut settings.files) {
            if directory.join(&file).exists() {
                settings.files.push(file);
            } else {
                let instead = "no such file or directory is in the project";
                settings.leave_for("archives.files", Some(&file), instead);
            }
        }
        if !settings.platforms.is_empty() {
            let table = nix.evaluate(&format!("{flake}#lib.releasable"))?;
            let others = other_platforms(&table, go);
            for name in std::mem::take(&mut settings.platforms) {
                // A target such as that of Rust is a name of a platform as well.
                let row = rows.iter().find(|row| row.is_called(&name));
                let other = others.iter().find(|it| it.to_string() == name);
                match row.map(|row| row.platform()).or(other) {
                    Some(platform) => {
                        let platform = platform.to_string();
                        if !settings.platforms.contains(&platform) {
                            settings.platforms.push(platform);
                        }
                    }
                    None => settings.leave_for("builds", Some(&name), MORE_PLATFORMS),
                }
            }
        }
        if !settings.manifests.is_empty() && settings.url.is_none() {
            let origin = git::output(directory, &["remote", "get-url", "origin"]);
            settings.url = origin.ok().and_then(|origin| download_url(&origin));
        }
        Ok(())
    }

    /// The table of slipway.toml.
    pub fn table(&self) -> String {
        let it = &self.settings;
        let texts = [
            ("name", &it.name),
            ("archive-name", &it.archive_name),
            ("maintainer", &it.maintainer),
            ("description", &it.description),
            ("license", &it.license),
            ("homepage", &it.homepage),
            ("url", &it.url),
        ];
        let lists = [
            ("platforms", &it.platforms),
            ("archives", &it.archives),
            ("files", &it.files),
            ("packages", &it.packages),
            ("manifests", &it.manifests),
        ];
        let mut lines = Vec::new();
        for (key, text) in texts {
            if let Some(text) = text {
                lines.push(format!("{key} = {}\n", toml_string(text)));
            }
        }
        for (key, list) in lists {
            if !list.is_empty() {
                let list: Vec<String> = list.iter().map(|it| toml_string(it)).collect();
                lines.push(format!("{key} = [{}]\n", list.join(", ")));
            }
        }
        if lines.is_empty() {
            return String::new();
        }
        format!(
            "\n# What slipway release writes, as {} says.\n[release]\n{}",
            self.file,
            lines.concat()
        )
    }

    /// Prints what was taken over and what was not.
    pub fn report(&self) {
        if !self.settings.taken.is_empty() {
            println!("taken over from {}:", self.file);
            for (from, to) in &self.settings.taken {
                println!("  {from}: {to}");
            }
        }
        if !self.settings.left.is_empty() {
            println!("not taken over from {}:", self.file);
            for one in &self.settings.left {
                let parts = match &one.parts[..] {
                    [] => String::new(),
                    parts => format!(" ({})", parts.join(", ")),
                };
                let instead = match one.instead {
                    "" => String::new(),
                    instead => format!(": {instead}"),
                };
                println!("  {}{parts}{instead}", one.setting);
            }
        }
    }
}

/// What is said of platforms that the project is not released for.
const MORE_PLATFORMS: &str =
    "the project is not built for them; those for Linux can be added with slipway init --platform";

/// The platforms other than Linux that the project's programs can be built for. From the table of
/// nix/release-platforms.nix.
fn other_platforms(table: &Value, go: Option<&Go>) -> Vec<Platform> {
    let is_released = |row: &&Value| match go {
        Some(go) => go.needs_cgo.is_empty() || row["link"] != "pure",
        None => !row["target"].is_null(),
    };
    let rows = table.as_object().into_iter().flat_map(|it| it.values());
    rows.filter(|row| row["libc"].is_null())
        .filter(is_released)
        .filter_map(|row| row["oci"].as_str()?.parse().ok())
        .collect()
}

/// Where the files of a release are, for a repository on GitHub.
fn download_url(origin: &str) -> Option<String> {
    let path = [
        "https://github.com/",
        "git@github.com:",
        "ssh://git@github.com/",
    ]
    .iter()
    .find_map(|start| origin.trim().strip_prefix(start))?;
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let is_word = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    let (owner, name) = path.split_once('/')?;
    (is_word(owner) && is_word(name))
        .then(|| format!("https://github.com/{owner}/{name}/releases/download/{{tag}}/{{file}}"))
}

/// A string in TOML's syntax, which is that of JSON but for DEL.
fn toml_string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use slipway_debian::config::Config;

    use super::*;

    fn moved(text: &str) -> Moved {
        Moved {
            file: ".goreleaser.yaml",
            settings: Goreleaser::read(text).unwrap(),
        }
    }

    #[test]
    fn table_is_what_slipway_release_reads() {
        let one = moved(
            "project_name: tool\nnfpms:\n  - formats: [deb]\n    description: \"a \\\"b\\\" \\\\\"\n\
             archives:\n  - name_template: '{{ .ProjectName }}-{{ .Os }}-{{ .Arch }}'\n",
        );
        let config = Config::parse(&format!("debian = \"trixie\"\n{}", one.table())).unwrap();
        let release = config.release;
        assert_eq!(release.name.as_deref(), Some("tool"));
        assert_eq!(release.archive_name.as_deref(), Some("{name}-{os}-{arch}"));
        assert_eq!(release.packages, ["deb"]);
        assert_eq!(release.description.as_deref(), Some("a \"b\" \\"));
        assert_eq!(moved("version: 2").table(), "");
        assert_eq!(toml_string("\u{7f}\n"), r#""\u007f\n""#);
    }

    #[test]
    fn programs_that_are_not_built_are_left_out() {
        let program = |name: &str, package: &str| GoProgram {
            name: name.into(),
            package: package.into(),
        };
        let known = [program("tool", "./cmd/tool"), program("gen", "./gen")].into();
        let mut one = moved("builds: [{main: ./cmd/tool, binary: tool}]");
        assert_eq!(one.packages(&known), ["./cmd/tool"]);
        assert_eq!(one.settings.left, []);
        let mut all =
            moved("builds: [{main: cmd/tool/main.go, binary: t}, {main: gen}, {main: x}]");
        assert_eq!(all.packages(&known), [""; 0]);
        let left: Vec<&str> = all.settings.left.iter().map(|it| &*it.setting).collect();
        assert_eq!(left, ["builds.binary", "builds.main"]);
        let lines = moved("builds: [{env: [CGO_ENABLED=0], ldflags: ['-X main.by=${me}']}]");
        assert_eq!(
            lines.flake_settings(&["./cmd/tool".into()]),
            [
                "packages = [\"./cmd/tool\"];",
                "cgo = false;",
                "ldflags = [\"-X main.by=\\${me}\"];"
            ]
        );
    }

    #[test]
    fn urls_are_those_of_the_origin_on_github() {
        let expected = "https://github.com/ada/tool/releases/download/{tag}/{file}";
        for origin in [
            "https://github.com/ada/tool.git\n",
            "https://github.com/ada/tool/",
            "git@github.com:ada/tool.git",
        ] {
            assert_eq!(download_url(origin).as_deref(), Some(expected), "{origin}");
        }
        assert_eq!(download_url("https://example.com/ada/tool.git"), None);
        assert_eq!(download_url("git@github.com:ada/{tag}"), None);
    }
}
