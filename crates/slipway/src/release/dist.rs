//! The directory of release files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use slipway_debian::config;
use slipway_debian::hash::Sha256;
use slipway_oci::Platform;
use slipway_release::{File, Files, Format, Needs, Package, PackageFormat, checksums, notes};

use crate::cli::temp_dir::TempDir;
use crate::release::source::Source;

/// What `dist` lists its files in, for other programs. Tells that Slipway wrote the directory.
const ARTIFACTS: &str = "artifacts.json";
const CHECKSUMS: &str = "checksums.txt";
const METADATA: &str = "metadata.json";
const NOTES: &str = "release-notes.md";

/// The algorithm before a digest in hex. Source: OCI image-spec, descriptor.md, "Digests".
const SHA256: &str = "sha256:";

/// Starts of the names of files that go into every archive, in lower case.
const DOCUMENTS: [&str; 6] = [
    "changelog",
    "copying",
    "licence",
    "license",
    "notice",
    "readme",
];

/// The programs that were built for a platform.
pub struct Programs {
    pub platform: Platform,
    /// The output of the derivation, with `bin` and perhaps `share`.
    pub output: PathBuf,
    /// What the programs need of a Linux system. `None` for other systems.
    pub needs: Option<Needs>,
}

/// A row of `artifacts.json`.
#[derive(Debug, Serialize)]
pub struct Artifact {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// `archive`, `checksums`, `deb`, `notes` or `rpm`.
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
        for one in programs {
            artifacts.extend(self.archives(one, &new)?);
        }
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

    fn archives(&self, programs: &Programs, directory: &Path) -> Result<Vec<Artifact>> {
        let platform = &programs.platform;
        let base = format!(
            "{}_{}_{}_{}",
            self.name,
            self.source.version,
            platform.os(),
            architecture(platform)
        );
        let mut formats = Vec::new();
        match (platform.os(), &self.settings.archives[..]) {
            ("windows", _) => formats.push(Format::Zip),
            (_, []) => formats.push(Format::TarGz),
            (_, named) => {
                for name in named {
                    formats.push(name.parse()?);
                }
            }
        }
        let files = self.files(programs, &base)?;
        formats
            .into_iter()
            .map(|format| {
                let name = format!("{base}.{}", format.extension());
                let path = directory.join(&name);
                format.write(&path, &base, &files, self.source.time)?;
                Artifact::of(&path, &name, "archive", Some(platform))
            })
            .collect()
    }

    /// Fails before anything is built if the settings of archives and packages are wrong, or if
    /// `dist` must not be replaced.
    pub fn check(&self, dist: &Path) -> Result<()> {
        check_replaceable(dist)?;
        for format in &self.settings.archives {
            format.parse::<Format>()?;
        }
        for format in &self.settings.packages {
            format.parse::<PackageFormat>()?;
            self.field("maintainer", self.settings.maintainer.as_deref())?;
            self.field("description", self.settings.description.as_deref())?;
        }
        self.documents(self.name).map(drop)
    }

    /// A setting that packages need.
    fn field<'a>(&self, key: &str, value: Option<&'a str>) -> Result<&'a str> {
        let example = match key {
            "maintainer" => "Ada Lovelace <ada@example.com>",
            _ => "counts words",
        };
        match value {
            Some(value) if !value.trim().is_empty() && !value.contains('\n') => Ok(value.trim()),
            _ => bail!(
                "packages need {key} in [release] of slipway.toml, in one line, such as: {key} = {example:?}"
            ),
        }
    }

    fn packages(&self, programs: &Programs, directory: &Path) -> Result<Vec<Artifact>> {
        let Some(needs) = &programs.needs else {
            return Ok(Vec::new());
        };
        let mut artifacts = Vec::new();
        for format in &self.settings.packages {
            let format: PackageFormat = format.parse()?;
            let layout = slipway_release::Layout { name: self.name };
            let package = Package {
                name: self.name,
                version: &self.source.version,
                maintainer: self.field("maintainer", self.settings.maintainer.as_deref())?,
                summary: self.field("description", self.settings.description.as_deref())?,
                license: self.settings.license.as_deref(),
                homepage: self.settings.homepage.as_deref(),
                modified: self.source.time,
                needs,
                files: layout.files(&programs.output, &self.documents(self.name)?)?,
            };
            let platform = &programs.platform;
            let architecture = architecture(platform);
            let Some(architecture) = format.architecture(&architecture) else {
                bail!(
                    "no distribution with packages in the format {} has the platform {platform}",
                    format.name()
                );
            };
            let name = format.file_name(&package, architecture);
            let path = directory.join(&name);
            format.write(&path, &package, architecture)?;
            let kind = format.name();
            artifacts.push(Artifact::of(&path, &name, kind, Some(platform))?);
        }
        Ok(artifacts)
    }

    /// The files of an archive.
    fn files(&self, programs: &Programs, archive: &str) -> Result<Files> {
        let mut files = self.documents(archive)?;
        for entry in sorted(&programs.output.join("bin"))? {
            files.add(archive, name_of(&entry), File::read(&entry)?)?;
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
            let lower = name.to_lowercase();
            if entry.is_file() && DOCUMENTS.iter().any(|start| lower.starts_with(start)) {
                files.add(archive, name, File::read(&entry)?)?;
            }
        }
        for name in &self.settings.files {
            let is_outside = Path::new(name)
                .components()
                .any(|part| !matches!(part, std::path::Component::Normal(_)));
            let source = self.root.join(name);
            let path = name.trim_end_matches('/').to_owned();
            match (is_outside, source.is_dir(), source.is_file()) {
                (false, true, _) => files.add_tree(archive, &path, &source)?,
                (false, _, true) => files.add(archive, path, File::read(&source)?)?,
                _ => bail!(
                    "`files` in [release] of slipway.toml names {name}, which is not a file or a directory in the project"
                ),
            }
        }
        Ok(files)
    }
}

impl Artifact {
    fn of(
        path: &Path,
        name: &str,
        kind: &'static str,
        platform: Option<&Platform>,
    ) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let file = fs::File::open(path).with_context(reading)?;
        let size = file.metadata().with_context(reading)?.len();
        let hash = Sha256::of_reader(file).with_context(reading)?;
        Ok(Self {
            name: name.to_owned(),
            platform: platform.map(Platform::to_string),
            kind,
            digest: format!("{SHA256}{hash}"),
            size,
        })
    }

    fn hex(&self) -> &str {
        self.digest.trim_start_matches(SHA256)
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
