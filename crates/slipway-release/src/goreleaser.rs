//! Settings of goreleaser in the words of Slipway, so that a project can move. What Slipway has no
//! setting for is listed, and never an error.

mod template;
mod yaml;

use yaml::Node;

use crate::documents::is_document;
use crate::{Format, PackageFormat};

/// What a configuration file of goreleaser says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Goreleaser {
    pub name: Option<String>,
    pub archive_name: Option<String>,
    /// Formats of archives and packages, as the settings of these names have them.
    pub archives: Vec<String>,
    pub packages: Vec<String>,
    /// Files and directories for archives. They may be missing.
    pub files: Vec<String>,
    pub maintainer: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    pub homepage: Option<String>,
    pub manifests: Vec<String>,
    pub url: Option<String>,
    /// OS/ARCHITECTURE, in the order of the file. Empty if the file names none.
    pub platforms: Vec<String>,
    /// Packages of Go with programs, such as `./cmd/tool`, with the names of the programs.
    pub programs: Vec<(String, Option<String>)>,
    /// Build tags of Go, and arguments of its linker.
    pub tags: Vec<String>,
    pub ldflags: Vec<String>,
    /// Whether CGO_ENABLED is 0.
    pub without_cgo: bool,
    /// Settings of goreleaser, each with Slipway's that it became.
    pub taken: Vec<(String, &'static str)>,
    pub left: Vec<Left>,
}

/// A setting of goreleaser that is not taken over.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// Such as `builds.ldflags`.
    pub setting: String,
    /// The parts of it that are meant. Empty if it is the whole.
    pub parts: Vec<String>,
    /// What to do instead. May be empty.
    pub instead: &'static str,
}

/// What Slipway has in place of settings.
const INSTEAD: [(&str, &str); 22] = [
    (
        "before",
        "run these commands before slipway release, and commit what they write",
    ),
    ("binary_signs", SIGN),
    (
        "changelog",
        "dist/release-notes.md groups commits by their types",
    ),
    (
        "checksum",
        "dist/checksums.txt has the SHA-256 of each file",
    ),
    ("dist", "slipway release --output names the directory"),
    ("docker_digest", IMAGES),
    ("docker_manifests", IMAGES),
    ("docker_signs", IMAGES),
    ("dockers", IMAGES),
    ("dockers_v2", IMAGES),
    ("env", "programs get variables with env in flake.nix"),
    ("git", "the version is the highest tag of the commit"),
    ("gomod", "slipway.lock pins the modules"),
    ("kos", IMAGES),
    ("milestones", UPLOAD),
    ("release", UPLOAD),
    ("report_sizes", "slipway release prints sizes"),
    ("signs", SIGN),
    (
        "snapshot",
        "slipway release --snapshot names the version after the last tag and the commit",
    ),
    ("source", "the forge has an archive of the sources"),
    (
        "universal_binaries",
        "there is an archive for each platform",
    ),
    ("uploads", UPLOAD),
];
const IMAGES: &str = "slipway build and slipway push make and push images";
const SIGN: &str = "sign dist/checksums.txt";
const UPLOAD: &str = "give the files in dist to the forge's own tool, such as gh release create";

/// Sections that become manifests for package managers.
const MANIFESTS: [(&str, &str); 5] = [
    ("aurs", "aur"),
    ("brews", "homebrew"),
    ("homebrew_casks", "homebrew"),
    ("nix", "nix"),
    ("scoops", "scoop"),
];

impl Goreleaser {
    /// Where goreleaser looks for its file, in this order. Source: goreleaser's documentation,
    /// "Customization".
    pub const FILES: [&str; 6] = [
        ".config/goreleaser.yml",
        ".config/goreleaser.yaml",
        ".goreleaser.yml",
        ".goreleaser.yaml",
        "goreleaser.yml",
        "goreleaser.yaml",
    ];

    /// Reads the text of a configuration file. Fails if it is not YAML; the error message is one
    /// line.
    pub fn read(text: &str) -> Result<Self, String> {
        let root = Node::parse(text)?;
        if !matches!(root, Node::Map(_)) {
            return Err("it is not a map of settings".to_owned());
        }
        let mut it = Self::default();
        for (key, node) in root.entries() {
            it.section(key, node);
        }
        if it.manifests.is_empty() {
            it.url = None;
        } else if it.url.is_some() {
            it.take("release", "url");
        }
        Ok(it)
    }

    fn section(&mut self, key: &str, node: &Node) {
        match key {
            "version" | "pro" => {}
            "project_name" => {
                let name = plain(node);
                self.set("project_name", "name", |it| &mut it.name, name);
            }
            "builds" => {
                for build in node.items() {
                    self.build(build);
                }
            }
            "archives" => self.first(key, node, Self::archive),
            "nfpms" => self.first(key, node, Self::packages),
            "metadata" => self.metadata(node),
            "release" => self.release(node),
            "checksum" => self.checksum(node),
            _ => match MANIFESTS.iter().find(|(section, _)| *section == key) {
                Some((_, manifest)) => {
                    for item in node.items() {
                        self.manifest(key, manifest, item);
                    }
                }
                None => self.leave(key, None),
            },
        }
    }

    /// Reads the first item of a list, since Slipway has one of its kind.
    fn first(&mut self, section: &str, list: &Node, read: fn(&mut Self, &Node)) {
        if let [first, rest @ ..] = list.items() {
            read(self, first);
            for (number, item) in rest.iter().enumerate() {
                let id = item.get_text("id").map(str::to_owned);
                let name = id.unwrap_or_else(|| format!("number {}", number + 2));
                self.leave_for(section, Some(&name), "there is one of its kind");
            }
        }
    }

    fn build(&mut self, build: &Node) {
        let is_go = matches!(build.get_text("builder"), None | Some("go"));
        let mut platforms = Platforms::default();
        let main = build.get_text("main").map(package_of);
        let name = build.get_text("binary").map(str::to_owned);
        if is_go && (main.is_some() || name.is_some()) {
            let main = main.unwrap_or_else(|| ".".to_owned());
            self.programs.push((main, name));
        }
        for (key, node) in build.entries() {
            match &**key {
                "id" | "builder" | "main" | "binary" | "mod_timestamp" => {}
                "goos" => platforms.systems = Some(texts(node)),
                "goarch" => platforms.architectures = Some(texts(node)),
                "goarm" => platforms.arm = Some(texts(node)),
                "targets" => platforms.targets = Some(texts(node)),
                "ignore" => platforms.ignored = node.items().iter().map(Ignored::of).collect(),
                "env" => {
                    for variable in texts(node) {
                        self.variable(&variable);
                    }
                }
                "flags" if is_go => self.flags(&texts(node)),
                "ldflags" if is_go => self.ldflags(&texts(node)),
                "tags" if is_go => {
                    for tag in texts(node) {
                        self.tag("builds.tags", &tag);
                    }
                }
                "goamd64" if texts(node).iter().all(|it| it == "v1") => {}
                "goarm64" if texts(node).iter().all(|it| it == "v8.0") => {}
                "dir" if node.text().is_some_and(|it| matches!(it, "." | "./" | "")) => {}
                "dir" => self.leave_for("builds", Some(key), "run slipway init in that directory"),
                "goamd64" | "goarm64" => self.leave_for(
                    "builds",
                    Some(key),
                    "programs get variables with env in flake.nix",
                ),
                "skip" if node.text() == Some("false") => {}
                _ => self.leave_for("builds", Some(key), ""),
            }
        }
        let found = platforms.list();
        if !found.is_empty() {
            self.take("builds", "platforms");
        }
        for platform in found {
            add(&mut self.platforms, platform);
        }
    }

    fn variable(&mut self, variable: &str) {
        match variable.split_once('=') {
            Some(("CGO_ENABLED", "0")) => {
                self.without_cgo = true;
                self.take("builds.env", "cgo");
            }
            // Slipway finds out whether C is needed.
            Some(("CGO_ENABLED", "1")) => {}
            _ => {
                let name = variable.split('=').next().unwrap_or(variable);
                let instead = "programs get variables with env in flake.nix";
                self.leave_for("builds.env", Some(name), instead);
            }
        }
    }

    fn flags(&mut self, flags: &[String]) {
        let words: Vec<&str> = flags.iter().flat_map(|it| it.split_whitespace()).collect();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            // Slipway always has these.
            if matches!(word, "-trimpath" | "-mod=readonly" | "-buildvcs=false") {
                continue;
            }
            let tags = match word.trim_start_matches('-').split_once('=') {
                Some(("tags", tags)) => Some(tags),
                _ if matches!(word, "-tags" | "--tags") => words.next(),
                _ => None,
            };
            match tags {
                Some(tags) => {
                    for tag in tags.split(',') {
                        self.tag("builds.flags", tag);
                    }
                }
                None => self.leave_for("builds.flags", Some(word), ""),
            }
        }
    }

    fn tag(&mut self, from: &str, tag: &str) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
        if !tag.is_empty() && tag.chars().all(is_word) {
            add(&mut self.tags, tag.to_owned());
            self.take(from, "tags");
        } else if !tag.is_empty() {
            self.leave_for(from, Some(tag), "");
        }
    }

    /// Reads arguments of Go's linker. Slipway always has `-s -w`, and sets `main.version`.
    fn ldflags(&mut self, flags: &[String]) {
        let text = flags.join(" ");
        let mut words = split_arguments(&text).into_iter();
        while let Some(word) = words.next() {
            let definition = match &*word {
                "-s" | "-w" => continue,
                "-X" => words.next(),
                word => word.strip_prefix("-X=").map(str::to_owned),
            };
            let Some(definition) = definition else {
                self.leave_for("builds.ldflags", Some(&word), "");
                continue;
            };
            let (variable, value) = definition.split_once('=').unwrap_or((&definition, ""));
            let is_version = ["main.version", "main.Version"].contains(&variable);
            if variable == "main.version" && template::is_action(value, ".Version") {
                continue;
            }
            let shown = format!("-X {variable}");
            if value == "goreleaser" {
                self.leave_for("builds.ldflags", Some(&shown), "");
            } else if template::is_template(value) {
                let instead = if is_version || value.contains(".Version") {
                    "slipway release sets main.version"
                } else {
                    "the build information has the commit, if flake.nix passes self"
                };
                self.leave_for("builds.ldflags", Some(&shown), instead);
            } else {
                let quote = if definition.contains(char::is_whitespace) {
                    "'"
                } else {
                    ""
                };
                let flag = format!("-X {quote}{definition}{quote}");
                add(&mut self.ldflags, flag);
                self.take("builds.ldflags", "ldflags");
            }
        }
    }

    fn archive(&mut self, archive: &Node) {
        for (key, node) in archive.entries() {
            match &**key {
                "id" | "ids" | "builds" => {}
                "format" | "formats" => {
                    for name in texts(node) {
                        let ours = match &*name {
                            "tgz" => "tar.gz",
                            "tzst" => "tar.zst",
                            name => name,
                        };
                        if ours.parse::<Format>().is_ok() {
                            add(&mut self.archives, ours.to_owned());
                            self.take("archives.formats", "archives");
                        } else {
                            let instead = "archives are tar.gz, tar.zst or zip";
                            self.leave_for("archives.formats", Some(&name), instead);
                        }
                    }
                }
                "format_overrides" => {
                    for item in node.items() {
                        let system = item.get_text("goos").unwrap_or_default();
                        let formats = item.get("formats").or(item.get("format"));
                        let is_zip = formats.is_some_and(|it| texts(it) == ["zip"]);
                        if system != "windows" || !is_zip {
                            let instead = "archives for Windows are zips";
                            self.leave_for("archives.format_overrides", Some(system), instead);
                        }
                    }
                }
                "name_template" => match template::archive_name(node.text().unwrap_or_default()) {
                    Some(name) if name == "{name}_{version}_{os}_{arch}" => {}
                    Some(name) => {
                        self.archive_name = Some(name);
                        self.take("archives.name_template", "archive-name");
                    }
                    None => self.leave_for(
                        "archives.name_template",
                        None,
                        "archive-name has {name}, {version}, {os} and {arch}",
                    ),
                },
                "wrap_in_directory" => {
                    if node.text() == Some("false") {
                        let instead = "archives have a directory";
                        self.leave_for("archives", Some(key), instead);
                    }
                }
                "files" => {
                    for item in node.items() {
                        self.file(item);
                    }
                }
                _ => self.leave_for("archives", Some(key), ""),
            }
        }
    }

    fn file(&mut self, item: &Node) {
        let Some(pattern) = item.text() else {
            let source = item.get_text("src").unwrap_or("src");
            let instead = "files keep their paths";
            self.leave_for("archives.files", Some(source), instead);
            return;
        };
        let pattern = pattern.trim_start_matches("./");
        // Every archive has them anyway.
        if !pattern.contains('/') && is_document(pattern) {
            return;
        }
        let path = ["/**/*", "/**", "/*", "/"]
            .iter()
            .find_map(|end| pattern.strip_suffix(end));
        let path = path.unwrap_or(pattern);
        let is_plain = !path.is_empty()
            && !path.contains(['*', '?', '[', '{', '\\'])
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if is_plain {
            add(&mut self.files, path.to_owned());
            self.take("archives.files", "files");
        } else {
            let instead = "files takes files and directories, without patterns";
            self.leave_for("archives.files", Some(pattern), instead);
        }
    }

    fn packages(&mut self, packages: &Node) {
        for (key, node) in packages.entries() {
            match &**key {
                "id" | "ids" | "builds" | "file_name_template" => {}
                "formats" => {
                    for name in texts(node) {
                        if name.parse::<PackageFormat>().is_ok() {
                            add(&mut self.packages, name);
                            self.take("nfpms.formats", "packages");
                        } else {
                            let instead = "packages are deb or rpm";
                            self.leave_for("nfpms.formats", Some(&name), instead);
                        }
                    }
                }
                "dependencies" | "overrides" => self.leave_for(
                    "nfpms",
                    Some(key),
                    "dependencies are computed from the programs",
                ),
                "bindir" if node.text() == Some("/usr/bin") => {}
                _ => {
                    if !self.about("nfpms", key, node) {
                        self.leave_for("nfpms", Some(key), "");
                    }
                }
            }
        }
    }

    fn metadata(&mut self, metadata: &Node) {
        for (key, node) in metadata.entries() {
            match &**key {
                "mod_timestamp" => {}
                "maintainers" => {
                    let first = node.items().first();
                    let maintainer = first.and_then(plain);
                    self.set(
                        "metadata",
                        "maintainer",
                        |it| &mut it.maintainer,
                        maintainer,
                    );
                }
                _ => {
                    if !self.about("metadata", key, node) {
                        self.leave_for("metadata", Some(key), "");
                    }
                }
            }
        }
    }

    fn manifest(&mut self, section: &str, manifest: &str, item: &Node) {
        add(&mut self.manifests, manifest.to_owned());
        self.take(section, "manifests");
        for (key, node) in item.entries() {
            let is_same = matches!(
                &**key,
                "name" | "ids" | "goarm" | "goamd64" | "url_template"
            );
            if !is_same && !self.about(section, key, node) {
                let instead = "slipway release only writes the file to dist";
                self.leave_for(section, Some(key), instead);
            }
        }
    }

    fn release(&mut self, release: &Node) {
        for (key, node) in release.entries() {
            let repository = match (node.get_text("owner"), node.get_text("name")) {
                (Some(owner), Some(name))
                    if !template::is_template(owner) && !template::is_template(name) =>
                {
                    Some(format!("{owner}/{name}"))
                }
                _ => None,
            };
            match (&**key, repository) {
                ("github", Some(repository)) => {
                    self.url = Some(format!(
                        "https://github.com/{repository}/releases/download/{{tag}}/{{file}}"
                    ));
                }
                ("gitlab", Some(repository)) => {
                    self.url = Some(format!(
                        "https://gitlab.com/{repository}/-/releases/{{tag}}/downloads/{{file}}"
                    ));
                }
                _ => self.leave("release", Some(key)),
            }
        }
    }

    fn checksum(&mut self, checksum: &Node) {
        for (key, node) in checksum.entries() {
            match (&**key, node.text()) {
                ("name_template", Some("checksums.txt")) | ("algorithm", Some("sha256")) => {}
                _ => self.leave("checksum", Some(key)),
            }
        }
    }

    /// Reads a setting that several sections have. Whether it is one.
    fn about(&mut self, section: &str, key: &str, node: &Node) -> bool {
        let setting = format!("{section}.{key}");
        let value = plain(node);
        match key {
            "description" => {
                let text = node.text().unwrap_or_default();
                let first = text.trim().lines().next().and_then(plain_text);
                self.set(&setting, "description", |it| &mut it.description, first);
            }
            "homepage" => self.set(&setting, "homepage", |it| &mut it.homepage, value),
            "license" => self.set(&setting, "license", |it| &mut it.license, value),
            "maintainer" => self.set(&setting, "maintainer", |it| &mut it.maintainer, value),
            _ => return false,
        }
        true
    }

    /// Takes a value over, unless there is one already.
    fn set(
        &mut self,
        from: &str,
        to: &'static str,
        field: fn(&mut Self) -> &mut Option<String>,
        value: Option<String>,
    ) {
        if value.is_none() {
            self.leave_for(from, None, "it is a template, or has several lines");
            return;
        }
        let place = field(self);
        if place.is_none() {
            *place = value;
            self.take(from, to);
        } else if *place != value {
            self.leave_for(from, None, "another one is taken");
        }
    }

    fn take(&mut self, from: &str, to: &'static str) {
        let row = (from.to_owned(), to);
        if !self.taken.contains(&row) {
            self.taken.push(row);
        }
    }

    fn leave(&mut self, section: &str, part: Option<&str>) {
        let instead = INSTEAD.iter().find(|(known, _)| *known == section);
        self.leave_for(section, part, instead.map_or("", |(_, instead)| instead));
    }

    /// Lists a setting, or a part of it, as not taken over.
    pub fn leave_for(&mut self, setting: &str, part: Option<&str>, instead: &'static str) {
        let setting = one_line(setting);
        let known = self
            .left
            .iter()
            .position(|it| it.setting == setting && it.instead == instead);
        let at = known.unwrap_or_else(|| {
            self.left.push(Left {
                setting,
                parts: Vec::new(),
                instead,
            });
            self.left.len() - 1
        });
        if let Some(part) = part {
            add(&mut self.left[at].parts, one_line(part));
        }
    }
}

/// The platforms of a build.
#[derive(Default)]
struct Platforms {
    systems: Option<Vec<String>>,
    architectures: Option<Vec<String>>,
    arm: Option<Vec<String>>,
    targets: Option<Vec<String>>,
    ignored: Vec<Ignored>,
}

/// An item of `ignore`. What it does not name, it does not restrict.
struct Ignored {
    system: Option<String>,
    architecture: Option<String>,
    arm: Option<String>,
}

impl Ignored {
    fn of(node: &Node) -> Self {
        let text = |key: &str| node.get_text(key).map(str::to_owned);
        Self {
            system: text("goos"),
            architecture: text("goarch"),
            arm: text("goarm"),
        }
    }

    fn has(&self, system: &str, architecture: &str, arm: &str) -> bool {
        let fits = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|it| it == own);
        fits(&self.system, system) && fits(&self.architecture, architecture) && fits(&self.arm, arm)
    }
}

impl Platforms {
    /// In words of OCI. Empty if the build names none.
    fn list(&self) -> Vec<String> {
        if let Some(targets) = &self.targets {
            return targets.iter().map(|it| platform_of(it)).collect();
        }
        if self.systems.is_none() && self.architectures.is_none() {
            return Vec::new();
        }
        let or = |given: &Option<Vec<String>>, default: &[&str]| {
            let default = || default.iter().map(|it| (*it).to_owned()).collect();
            given.clone().unwrap_or_else(default)
        };
        let mut platforms = Vec::new();
        for system in or(&self.systems, &["linux", "darwin", "windows"]) {
            // goreleaser's default also has 386.
            for architecture in or(&self.architectures, &["amd64", "arm64"]) {
                let variants = match &*architecture {
                    "arm" => or(&self.arm, &["6"]),
                    _ => vec![String::new()],
                };
                for variant in variants {
                    let is_ignored = |it: &Ignored| it.has(&system, &architecture, &variant);
                    if is_possible(&system, &architecture) && !self.ignored.iter().any(is_ignored) {
                        let variant = if variant.is_empty() {
                            variant
                        } else {
                            format!("/v{variant}")
                        };
                        platforms.push(format!("{system}/{architecture}{variant}"));
                    }
                }
            }
        }
        platforms
    }
}

/// Whether Go has a combination that goreleaser would try. goreleaser leaves out the others.
fn is_possible(system: &str, architecture: &str) -> bool {
    match system {
        "darwin" => ["amd64", "arm64"].contains(&architecture),
        "windows" => ["386", "amd64", "arm64"].contains(&architecture),
        _ => true,
    }
}

/// The platform of a target such as `linux_arm_7`. Targets of other forms, such as those of Rust,
/// stay as they are.
fn platform_of(target: &str) -> String {
    let parts: Vec<&str> = target.split('_').collect();
    match parts[..] {
        [system, "arm", variant] => format!("{system}/arm/v{variant}"),
        [system, architecture] | [system, architecture, _] if !target.contains('-') => {
            format!("{system}/{architecture}")
        }
        _ => target.to_owned(),
    }
}

/// The package of `main`, which can also be a file.
fn package_of(main: &str) -> String {
    let directory = match main.rsplit_once('/') {
        Some((directory, file)) if file.ends_with(".go") => directory,
        None if main.ends_with(".go") => ".",
        _ => main,
    };
    let directory = directory.trim_start_matches("./").trim_end_matches('/');
    match directory {
        "" | "." => ".".to_owned(),
        directory => format!("./{directory}"),
    }
}

/// Words of a command line, which can have quotes.
fn split_arguments(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let (mut quote, mut braces) = (None, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') if braces == 0 => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() && braces == 0 => words.extend(word.take()),
            _ => {
                match c {
                    '{' => braces += 1,
                    '}' => braces = braces.saturating_sub(1),
                    _ => {}
                }
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    words
}

/// A text of one line without a template. `None` if it is another one.
fn plain(node: &Node) -> Option<String> {
    plain_text(node.text()?)
}

fn plain_text(text: &str) -> Option<String> {
    let text = text.trim();
    let is_plain =
        !text.is_empty() && !text.contains(char::is_control) && !template::is_template(text);
    is_plain.then(|| text.to_owned())
}

/// The texts of a list, or one text.
fn texts(node: &Node) -> Vec<String> {
    let items = node.items().iter();
    items
        .filter_map(|it| Some(it.text()?.trim().to_owned()))
        .filter(|it| !it.is_empty())
        .collect()
}

fn add(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// A text for people, in one line and not too long.
fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(80)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Goreleaser {
        Goreleaser::read(text).unwrap()
    }

    /// What is not taken over, as lines.
    fn left(it: &Goreleaser) -> Vec<String> {
        let line = |it: &Left| format!("{} {}", it.setting, it.parts.join(" "));
        it.left
            .iter()
            .map(|it| line(it).trim().to_owned())
            .collect()
    }

    #[test]
    fn file_of_goreleaser_init() {
        let it = read(include_str!("../tests/goreleaser/simple.yaml"));
        assert_eq!(it.archives, ["tar.gz"]);
        assert!(it.without_cgo);
        assert_eq!(
            it.platforms,
            [
                "linux/amd64",
                "linux/arm64",
                "windows/amd64",
                "windows/arm64",
                "darwin/amd64",
                "darwin/arm64"
            ]
        );
        assert_eq!(
            it.taken,
            [
                ("builds.env".to_owned(), "cgo"),
                ("builds".to_owned(), "platforms"),
                ("archives.formats".to_owned(), "archives"),
            ]
        );
        assert_eq!(
            left(&it),
            [
                "before",
                "archives.name_template",
                "changelog",
                "release footer"
            ]
        );
    }

    #[test]
    fn file_with_most_sections() {
        let it = read(include_str!("../tests/goreleaser/full.yaml"));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(it.name, text("wc"));
        assert_eq!(it.archive_name, text("{name}-{version}-{os}-{arch}"));
        assert_eq!(it.archives, ["tar.gz", "tar.zst"]);
        assert_eq!(it.files, ["completions", "docs/guide.md"]);
        assert_eq!(it.packages, ["deb", "rpm"]);
        assert_eq!(it.maintainer, text("Ada Lovelace <ada@example.com>"));
        assert_eq!(it.description, text("Counts words."));
        assert_eq!(it.license, text("MIT"));
        assert_eq!(it.homepage, text("https://example.com/wc"));
        assert_eq!(it.manifests, ["homebrew", "scoop"]);
        assert_eq!(
            it.url,
            text("https://github.com/example/wc/releases/download/{tag}/{file}")
        );
        assert_eq!(
            it.platforms,
            [
                "linux/amd64",
                "linux/arm64",
                "linux/arm/v7",
                "darwin/amd64",
                "darwin/arm64",
                "windows/amd64",
                "openbsd/amd64",
                "openbsd/arm64",
                "freebsd/amd64"
            ]
        );
        assert_eq!(
            it.programs,
            [
                ("./cmd/server".to_owned(), text("wc-server")),
                ("./cmd/wc".to_owned(), text("wc"))
            ]
        );
        assert_eq!(it.tags, ["netgo", "osusergo"]);
        assert_eq!(
            it.ldflags,
            ["-X 'example.com/wc/internal.mode=release build'"]
        );
        assert_eq!(
            left(&it),
            [
                "dist",
                "env",
                "builds.env GOFLAGS",
                "builds.flags -race",
                "builds.ldflags -X main.commit -X main.date",
                "builds.ldflags -X main.builtBy -extldflags -static",
                "archives.formats tar.xz",
                "archives.files *.toml",
                "archives.files etc/*.conf",
                "archives bare",
                "nfpms package_name vendor contents scripts",
                "nfpms.formats apk",
                "nfpms dependencies",
                "brews repository test",
                "brews.homepage",
                "scoops repository",
                "dockers_v2",
                "docker_manifests",
                "checksum name_template",
                "snapshot",
                "signs",
                "sboms",
                "release draft prerelease"
            ]
        );
    }

    #[test]
    fn file_for_cgo() {
        let it = read(include_str!("../tests/goreleaser/cgo.yaml"));
        assert_eq!(it.platforms, ["linux/arm64", "linux/amd64", "linux/arm/v7"]);
        assert_eq!(it.tags, ["sqlite_omit_load_extension"]);
        assert_eq!(it.archive_name.as_deref(), Some("{name}-{os}-{arch}"));
        assert_eq!(it.maintainer.as_deref(), Some("Ada <ada@example.com>"));
        assert_eq!(it.url, None);
        assert_eq!(
            left(&it),
            [
                "builds.env CC",
                "builds hooks",
                "archives.formats binary",
                "announce"
            ]
        );
    }

    #[test]
    fn targets_of_rust_stay_as_they_are() {
        let it =
            read("builds: [{builder: rust, targets: [x86_64-unknown-linux-gnu], flags: [-r]}]");
        assert_eq!(it.platforms, ["x86_64-unknown-linux-gnu"]);
        assert_eq!(left(&it), ["builds flags"]);
    }

    #[test]
    fn odd_values_are_not_errors() {
        for text in [
            "",
            "builds: x",
            "builds: [[[]]]",
            "builds: {goos: {a: b}, env: {CGO_ENABLED: 0}}",
            "archives: [{files: [[a], {b: c}], name_template: []}]",
            "project_name: [a]",
            "nfpms: {formats: deb}",
            "release: [1]\nmetadata: 2\nchecksum: ~",
            "? {a: b}\n: c",
        ] {
            read(text);
        }
        assert_eq!(read("nfpms: {formats: deb}").packages, ["deb"]);
        assert!(Goreleaser::read("- a").is_err());
        assert!(Goreleaser::read("a: [").is_err());
    }
}
