//! The directory of release files.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Component, Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use slipway_debian::config;
use slipway_debian::hash::Sha256;
use slipway_debian::package::is_package_name;
use slipway_oci::Platform;
use slipway_release::{
    Download, File, Files, Format, ManifestFormat, Needs, Package, PackageFormat, Published,
    Script, Scripts, Step, checksums, fill, is_document, notes, unit_path,
};

use crate::cli::temp_dir::TempDir;
use crate::release::source::Source;

/// What `dist` lists its files in, for other programs. Tells that Slipway wrote the directory.
const ARTIFACTS: &str = "artifacts.json";
const CHECKSUMS: &str = "checksums.txt";
const METADATA: &str = "metadata.json";
const NOTES: &str = "release-notes.md";

/// How programs get Debian's libraries. nix/toolchain/portable.nix links them so.
const LIBRARIES: [&str; 2] = ["bundled", "static"];

/// The algorithm before a digest in hex. Source: OCI image-spec, descriptor.md, "Digests".
const SHA256: &str = "sha256:";

/// The names of archives if `archive-name` in `[release]` is not set.
const ARCHIVE_NAME: &str = "{name}_{version}_{os}_{arch}";

/// Formats of archives, those first that package managers unpack without another program.
const PREFERRED: [Format; 3] = [Format::TarGz, Format::Zip, Format::TarZst];

/// Characters of a file's name or a tag that a path of a URL cannot have as they are. Source: RFC
/// 3986, section 3.3.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The programs that were built for a platform.
pub struct Programs {
    pub platform: Platform,
    /// `glibc` or `musl`, if the platform is Linux.
    pub libc: Option<String>,
    /// The output of the derivation, with `bin` and perhaps `share`.
    pub output: PathBuf,
    /// What the programs need of a Linux system. `None` for other systems.
    pub needs: Option<Needs>,
    /// The shared libraries that come with the programs: paths in `output`, which is where programs
    /// find them, relative to themselves.
    pub libraries: Vec<String>,
}

impl Programs {
    /// The C library that the programs need or were linked with. `None` for other systems than Linux.
    fn needed_libc(&self) -> Option<&'static str> {
        let needs = self.needs.as_ref()?;
        Some(match self.libc.as_deref() {
            Some("musl") => "musl",
            _ if needs.glibc.is_none() && needs.libraries.is_empty() => "none",
            _ => "glibc",
        })
    }
}

/// A row of `artifacts.json`.
#[derive(Debug, Serialize)]
pub struct Artifact {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What programs for Linux need: `glibc`, `musl` if they were linked with it, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<&'static str>,
    /// `archive`, `archlinux`, `checksums`, `deb`, `notes`, `rpm`, or the kind of a manifest, such as `homebrew`.
    pub kind: &'static str,
    pub digest: String,
    /// In bytes.
    pub size: u64,
}

/// `metadata.json`.
#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    version: String,
    tag: &'a Option<String>,
    previous_tag: &'a Option<String>,
    commit: &'a str,
    date: String,
}

/// A release: what is written, and what it is made of.
pub struct Release<'a> {
    /// The project's directory.
    pub root: &'a Path,
    pub name: &'a str,
    pub settings: &'a config::Release,
    pub source: &'a Source,
}

impl Release<'_> {
    /// Writes all files to a temporary directory, and then gives it the name `dist`.
    pub fn write(&self, programs: &[Programs], dist: &Path) -> Result<Vec<Artifact>> {
        let place = TempDir::beside(dist)?;
        let new = place.path().join("new");
        fs::create_dir(&new).with_context(|| format!("making {}", new.display()))?;
        let mut artifacts = Vec::new();
        for made in in_parallel(programs, |one| {
            self.archives(one, program_directory(programs, &one.platform), &new)
        }) {
            artifacts.extend(made?);
        }
        // One after another, since xz takes hundreds of megabytes.
        for one in programs {
            artifacts.extend(self.packages(one, &new)?);
        }
        let sums = checksums(artifacts.iter().map(|it| (it.name.as_str(), it.hex())));
        let title = format!("{} {}", self.name, self.source.version);
        let commits = self.source.commits(self.root)?;
        let notes = notes(&title, &commits, self.settings.authors);
        for (name, kind, text) in [(CHECKSUMS, "checksums", sums), (NOTES, "notes", notes)] {
            let path = new.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            artifacts.push(Artifact::of(&path, name, kind, None)?);
        }
        let manifests = self.manifests(programs, &artifacts, &new)?;
        artifacts.extend(manifests);
        let metadata = Metadata {
            name: self.name,
            version: self.source.version.to_string(),
            tag: &self.source.tag,
            previous_tag: &self.source.previous,
            commit: &self.source.commit,
            date: self.source.time.to_string(),
        };
        write_json(&new.join(METADATA), &metadata)?;
        write_json(&new.join(ARTIFACTS), &artifacts)?;
        replace(dist, &new, &place.path().join("old"))?;
        Ok(artifacts)
    }

    /// Whether the programs have the first of two C libraries, or are not for Linux.
    fn is_first(&self, programs: &Programs) -> Result<bool> {
        let first = libcs(self.settings)?[0];
        Ok(programs.libc.as_deref().is_none_or(|libc| libc == first))
    }

    /// Writes the archives of a platform. Their programs are in `bin`.
    fn archives(&self, programs: &Programs, bin: &str, directory: &Path) -> Result<Vec<Artifact>> {
        let platform = &programs.platform;
        let mut base = self.base(platform)?;
        // The first has the plain name.
        match &programs.libc {
            Some(libc) if !self.is_first(programs)? => base += &format!("_{libc}"),
            _ => {}
        }
        let files = self.files(programs, bin, &base)?;
        self.formats(platform)?
            .into_iter()
            .map(|format| {
                let name = format!("{base}.{}", format.extension());
                let path = directory.join(&name);
                format.write(&path, &base, &files, self.source.time)?;
                Artifact::of(&path, &name, "archive", Some(programs))
            })
            .collect()
    }

    /// The name of a platform's archives, without their extensions.
    fn base(&self, platform: &Platform) -> Result<String> {
        let template = self.settings.archive_name.as_deref();
        let values: [(&str, &str); 4] = [
            ("name", self.name),
            ("version", &self.source.version.to_string()),
            ("os", platform.os()),
            ("arch", &architecture(platform)),
        ];
        let name = fill("archive-name", template.unwrap_or(ARCHIVE_NAME), &values)?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            bail!(
                "archive-name in [release] of slipway.toml gives the name {name:?}; it must not be empty, begin with a dot, \
                 or have a slash"
            );
        }
        Ok(name)
    }

    /// The formats of a platform's archives.
    fn formats(&self, platform: &Platform) -> Result<Vec<Format>> {
        let formats = match (platform.os(), &self.settings.archives[..]) {
            ("windows", _) => vec![Format::Zip],
            (_, []) => vec![Format::TarGz],
            (_, named) => named
                .iter()
                .map(|name| name.parse())
                .collect::<Result<_, _>>()?,
        };
        Ok(formats)
    }

    /// Fails before anything is built for the platforms if settings are wrong, or if `dist` must not
    /// be replaced.
    pub fn check<'a>(
        &self,
        dist: &Path,
        platforms: impl IntoIterator<Item = &'a Platform>,
    ) -> Result<()> {
        check_replaceable(dist)?;
        for format in &self.settings.archives {
            format.parse::<Format>()?;
        }
        let mut names = BTreeMap::new();
        for platform in platforms {
            let base = self.base(platform)?;
            for format in self.formats(platform)? {
                let name = format!("{base}.{}", format.extension());
                match names.insert(name.clone(), platform) {
                    Some(other) if other != platform => bail!(
                        "archive-name in [release] of slipway.toml gives {name} for {other} and for {platform}; add {{os}} \
                         and {{arch}} to it"
                    ),
                    _ => {}
                }
            }
        }
        for format in &self.settings.packages {
            let format: PackageFormat = format.parse()?;
            if format == PackageFormat::Deb && !is_package_name(self.name) {
                bail!(
                    "{} is not the name of a Debian package; set `name` in [release] of slipway.toml to one of a-z, 0-9, +, - \
                     and .",
                    self.name
                );
            }
            field(
                "packages",
                "maintainer",
                self.settings.maintainer.as_deref(),
            )?;
            self.description("packages")?;
        }
        for format in self.manifest_formats()? {
            for name in format.file_names(self.name)? {
                if [ARTIFACTS, METADATA].contains(&&*name) {
                    bail!(
                        "the manifest {} would have the name {name}, which slipway release needs itself; set another name in \
                         [release] of slipway.toml",
                        format.name()
                    );
                }
            }
            self.published(Vec::new())?;
            self.url("file")?;
        }
        self.scripts()?;
        self.system_files()?;
        self.documents(self.name).map(drop)
    }

    /// The description: its first line, and what follows.
    fn description(&self, what: &str) -> Result<(&str, &str)> {
        let text = self.settings.description.as_deref().map(str::trim);
        let text = text.unwrap_or_default();
        let (summary, details) = text.split_once('\n').unwrap_or((text, ""));
        Ok((field(what, "description", Some(summary))?, details.trim()))
    }

    fn packages(&self, programs: &Programs, directory: &Path) -> Result<Vec<Artifact>> {
        let Some(needs) = &programs.needs else {
            return Ok(Vec::new());
        };
        // A distribution needs one package for a platform.
        if !self.is_first(programs)? {
            return Ok(Vec::new());
        }
        let mut artifacts = Vec::new();
        for format in &self.settings.packages {
            let format: PackageFormat = format.parse()?;
            let layout = slipway_release::Layout { name: self.name };
            let (summary, details) = self.description("packages")?;
            let (documents, system) = (self.documents(self.name)?, self.system_files()?);
            let package = Package {
                name: self.name,
                version: &self.source.version,
                maintainer: field(
                    "packages",
                    "maintainer",
                    self.settings.maintainer.as_deref(),
                )?,
                summary,
                details,
                license: self.settings.license.as_deref(),
                homepage: self.settings.homepage.as_deref(),
                modified: self.source.time,
                needs,
                files: layout.files(&programs.output, &programs.libraries, &documents, &system)?,
                scripts: self.scripts()?,
            };
            let platform = &programs.platform;
            let architecture = architecture(platform);
            let Some(architecture) = format.architecture(&architecture) else {
                continue;
            };
            let name = format.file_name(&package, architecture);
            let path = directory.join(&name);
            format.write(&path, &package, architecture)?;
            let kind = format.name();
            artifacts.push(Artifact::of(&path, &name, kind, Some(programs))?);
        }
        Ok(artifacts)
    }

    fn manifest_formats(&self) -> Result<Vec<ManifestFormat>> {
        let names = self.settings.manifests.iter();
        Ok(names.map(|it| it.parse()).collect::<Result<_, _>>()?)
    }

    fn manifests(
        &self,
        programs: &[Programs],
        artifacts: &[Artifact],
        directory: &Path,
    ) -> Result<Vec<Artifact>> {
        let mut manifests = Vec::new();
        let mut first = Vec::new();
        for one in programs {
            if self.is_first(one)? {
                first.push(one);
            }
        }
        for format in self.manifest_formats()? {
            let downloads = first
                .iter()
                .filter(|it| format.has(&it.platform))
                .map(|it| self.download(it, program_directory(programs, &it.platform), artifacts))
                .collect::<Result<Vec<_>>>()?;
            let kind = format.name();
            if downloads.is_empty() {
                eprintln!(
                    "note: no manifest {kind} is written, because it is for none of these platforms"
                );
                continue;
            }
            let texts = format.texts(&self.published(downloads)?);
            for (name, text) in format.file_names(self.name)?.iter().zip(texts) {
                let path = directory.join(name);
                fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
                manifests.push(Artifact::of(&path, name, kind, None)?);
            }
        }
        Ok(manifests)
    }

    /// What manifests say of the release.
    fn published<'a>(&'a self, downloads: Vec<Download<'a>>) -> Result<Published<'a>> {
        let maintainer = self.settings.maintainer.as_deref();
        Ok(Published {
            name: self.name,
            version: &self.source.version,
            description: self.description("manifests")?.0,
            homepage: field("manifests", "homepage", self.settings.homepage.as_deref())?,
            license: field("manifests", "license", self.settings.license.as_deref())?,
            maintainer: match maintainer {
                Some(_) => Some(field("manifests", "maintainer", maintainer)?),
                None => None,
            },
            downloads,
        })
    }

    /// What manifests say of a platform's archive, whose programs are in `bin`.
    fn download<'a>(
        &self,
        programs: &'a Programs,
        bin: &'static str,
        artifacts: &[Artifact],
    ) -> Result<Download<'a>> {
        let platform = &programs.platform;
        let formats = self.formats(platform)?;
        let format = PREFERRED.into_iter().find(|it| formats.contains(it));
        let format = format.context("there is no archive")?;
        let base = self.base(platform)?;
        let name = format!("{base}.{}", format.extension());
        let artifact = artifacts.iter().find(|it| it.name == name);
        let artifact = artifact.with_context(|| format!("there is no {name}"))?;
        let binaries = sorted(&programs.output.join("bin"))?;
        let documents = self.documents(&base)?;
        let (shared, files): (Vec<String>, Vec<String>) = documents
            .iter()
            .map(|(path, _)| path.to_owned())
            .partition(|path| path.starts_with("share/"));
        Ok(Download {
            platform,
            format,
            url: self.url(&name)?,
            sha256: artifact.hex().to_owned(),
            programs: binaries.iter().map(|it| name_of(it)).collect(),
            bin,
            has_share: !shared.is_empty() || programs.output.join("share").is_dir(),
            files,
            directory: base,
            needs: programs.needs.as_ref(),
        })
    }

    /// Where a file of the release can be downloaded.
    fn url(&self, file: &str) -> Result<String> {
        let example = "https://github.com/OWNER/REPOSITORY/releases/download/{tag}/{file}";
        let Some(template) = &self.settings.url else {
            bail!(
                "manifests need url in [release] of slipway.toml, with the place of {{file}}, such as: url = {example:?}"
            );
        };
        let encoded = |text: &str| utf8_percent_encode(text, NOT_IN_PATHS).to_string();
        let values = [
            ("file", encoded(file)),
            ("tag", encoded(&self.source.tag_or_version())),
            ("name", encoded(self.name)),
            ("version", encoded(&self.source.version.to_string())),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(key, it)| (*key, &**it)).collect();
        let url = fill("url", template, &values)?;
        let is_url = url.contains("://") && !url.contains(|c: char| c.is_whitespace());
        if !is_url || !template.contains("{file}") {
            bail!(
                "url in [release] of slipway.toml, {template:?}, is no URL with the place of {{file}}, such as: {example}"
            );
        }
        Ok(url)
    }

    /// The files of an archive whose programs are in `bin`.
    fn files(&self, programs: &Programs, bin: &str, archive: &str) -> Result<Files> {
        let mut files = self.documents(archive)?;
        for entry in sorted(&programs.output.join("bin"))? {
            let path = format!("{bin}{}", name_of(&entry));
            files.add(archive, path, File::read(&entry)?)?;
        }
        for path in &programs.libraries {
            let file = File::read(&programs.output.join(path))?;
            files.add(archive, path.clone(), file)?;
        }
        let share = programs.output.join("share");
        if share.is_dir() {
            files.add_tree(archive, "share", &share)?;
        }
        Ok(files)
    }

    /// The files of the project that every archive and package `name` has.
    fn documents(&self, name: &str) -> Result<Files> {
        let archive = name;
        let mut files = Files::default();
        for entry in sorted(self.root)? {
            let name = name_of(&entry);
            if entry.is_file() && is_document(&name) {
                files.add(archive, name, File::read(&entry)?)?;
            }
        }
        for name in &self.settings.files {
            let path = name.trim_end_matches('/');
            self.add(&mut files, archive, "files", path.to_owned(), name)?;
        }
        Ok(files)
    }

    /// The systemd units and configuration files of packages.
    fn system_files(&self) -> Result<Files> {
        let mut files = Files::default();
        for name in &self.settings.units {
            let source = self.source_file("units", name)?;
            let mut unit = File::read(&source)?;
            unit.is_executable = false;
            files.add(self.name, unit_path(&name_of(&source))?, unit)?;
        }
        for (path, name) in &self.settings.config {
            let below = path.trim_end_matches('/').strip_prefix("/etc/");
            let Some(below) = below.filter(|below| is_below(below)) else {
                bail!(
                    "`config` in [release] of slipway.toml has the key {path}, which is not a path in /etc, such as /etc/{}",
                    name_of(Path::new(name))
                );
            };
            self.add(
                &mut files,
                self.name,
                "config",
                format!("etc/{below}"),
                name,
            )?;
        }
        Ok(files)
    }

    /// The scripts of packages.
    fn scripts(&self) -> Result<Scripts> {
        let named = &self.settings.scripts;
        let mut scripts = Scripts::new();
        for (step, name) in [
            (Step::Preinst, &named.preinst),
            (Step::Postinst, &named.postinst),
            (Step::Prerm, &named.prerm),
            (Step::Postrm, &named.postrm),
        ] {
            let Some(name) = name else { continue };
            let source = self.source_file("scripts", name)?;
            let text = fs::read_to_string(&source).with_context(|| format!("reading {name}"))?;
            let script = Script::parse(name, &text)?;
            let is_changed = !self.settings.units.is_empty()
                || self
                    .settings
                    .packages
                    .iter()
                    .any(|it| it == PackageFormat::ArchLinux.name());
            if is_changed && !script.is_shell() {
                bail!(
                    "{name} is not a script of sh, dash or bash; packages with `units`, and those of Arch Linux, add lines of \
                     shell to each script"
                );
            }
            scripts.insert(step, script);
        }
        Ok(scripts)
    }

    /// Adds a file or a directory of the project that a setting names.
    fn add(
        &self,
        files: &mut Files,
        archive: &str,
        setting: &str,
        path: String,
        name: &str,
    ) -> Result<()> {
        let source = self.root.join(name);
        match source.is_dir() && is_below(name) {
            true => files.add_tree(archive, &path, &source)?,
            false => files.add(
                archive,
                path,
                File::read(&self.source_file(setting, name)?)?,
            )?,
        }
        Ok(())
    }

    /// A file of the project that a setting names.
    fn source_file(&self, setting: &str, name: &str) -> Result<PathBuf> {
        let source = self.root.join(name);
        if !is_below(name) || !source.is_file() {
            let or_directory = match setting {
                "config" | "files" => " or a directory",
                _ => "",
            };
            bail!(
                "`{setting}` in [release] of slipway.toml names {name}, which is not a file{or_directory} in the project"
            );
        }
        Ok(source)
    }
}

/// Whether a path leads to something below the directory that it is relative to.
fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty()
        && !path.contains('\n')
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

impl Artifact {
    fn of(
        path: &Path,
        name: &str,
        kind: &'static str,
        programs: Option<&Programs>,
    ) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let file = fs::File::open(path).with_context(reading)?;
        let size = file.metadata().with_context(reading)?.len();
        let hash = Sha256::of_reader(file).with_context(reading)?;
        Ok(Self {
            name: name.to_owned(),
            platform: programs.map(|it| it.platform.to_string()),
            libc: programs.and_then(Programs::needed_libc),
            kind,
            digest: format!("{SHA256}{hash}"),
            size,
        })
    }

    fn hex(&self) -> &str {
        self.digest.trim_start_matches(SHA256)
    }
}

/// A setting that packages or manifests need.
fn field<'a>(what: &str, key: &str, value: Option<&'a str>) -> Result<&'a str> {
    let example = match key {
        "homepage" => "https://example.com",
        "license" => "MIT",
        "maintainer" => "Ada Lovelace <ada@example.com>",
        _ => "counts words",
    };
    match value.map(str::trim) {
        Some(value) if !value.is_empty() && !value.contains(char::is_control) => Ok(value),
        _ => bail!(
            "{what} need {key} in [release] of slipway.toml, in one line, such as: {key} = {example:?}"
        ),
    }
}

/// Calls a function with each item, as many at once as there are processors. The results are in the order of the
/// items.
fn in_parallel<T: Sync, R: Send>(items: &[T], call: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let call = &call;
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let mut results = Vec::new();
    for group in items.chunks(count) {
        thread::scope(|scope| {
            let threads: Vec<_> = group
                .iter()
                .map(|item| scope.spawn(move || call(item)))
                .collect();
            for thread in threads {
                results.push(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
        });
    }
    results
}

/// The C libraries of programs for Linux. There is at least one.
pub fn libcs(settings: &config::Release) -> Result<Vec<&str>> {
    const KNOWN: [&str; 2] = ["glibc", "musl"];
    let named: Vec<&str> = settings.libc.iter().map(String::as_str).collect();
    if let Some(unknown) = named.iter().find(|it| !KNOWN.contains(it)) {
        bail!(
            "{unknown:?} in libc in [release] of slipway.toml is not a C library to link with; these are: {}",
            KNOWN.join(", ")
        );
    }
    match named.is_empty() {
        true => Ok(vec![KNOWN[0]]),
        false => Ok(named),
    }
}

/// Fails if `libraries` in `[release]` is not one of the ways to get libraries.
pub fn check_libraries(settings: &config::Release) -> Result<()> {
    match settings.libraries.as_deref() {
        Some(other) if !LIBRARIES.contains(&other) => bail!(
            "libraries in [release] of slipway.toml is {other:?}, which is no way to get libraries; these are: {}",
            LIBRARIES.join(", ")
        ),
        _ => Ok(()),
    }
}

/// The directory of the programs in an archive, with a slash after it. Shared libraries are relative to that, so if any
/// platform has some, all archives have it, for manifests that install several of them in one way.
fn program_directory(programs: &[Programs], platform: &Platform) -> &'static str {
    let has_libraries = programs.iter().any(|it| !it.libraries.is_empty());
    match has_libraries && platform.os() != "windows" {
        true => "bin/",
        false => "",
    }
}

/// The architecture with its variant, such as `armv7`, as goreleaser writes it in file names.
fn architecture(platform: &Platform) -> String {
    let variant = platform.variant().unwrap_or_default();
    format!("{}{variant}", platform.architecture())
}

/// Whether a directory has the files of a release.
pub fn is_release(directory: &Path) -> bool {
    directory.join(ARTIFACTS).is_file() && directory.join(METADATA).is_file()
}

/// Fails if there is a directory that Slipway did not write.
fn check_replaceable(dist: &Path) -> Result<()> {
    let is_there = dist.symlink_metadata().is_ok();
    let is_empty = || fs::read_dir(dist).is_ok_and(|mut entries| entries.next().is_none());
    if is_there && !is_release(dist) && !is_empty() {
        bail!(
            "{} exists, and slipway release did not write it; move it away, or name another directory with --output",
            dist.display()
        );
    }
    Ok(())
}

fn replace(dist: &Path, new: &Path, old: &Path) -> Result<()> {
    let renaming = || format!("renaming the finished files to {}", dist.display());
    if dist.exists() {
        fs::rename(dist, old).with_context(renaming)?;
    }
    fs::rename(new, dist).with_context(renaming)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", directory.display());
    let mut paths = fs::read_dir(directory)
        .with_context(reading)?
        .map(|entry| Ok(entry.with_context(reading)?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
