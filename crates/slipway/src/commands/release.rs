use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use serde::Deserialize;
use slipway_debian::config::Config;
use slipway_nix::Nix;
use slipway_oci::Platform;
use slipway_progress::size;
use slipway_registry::Reference;
use slipway_release::{Library, Needs, nix_string};
use slipway_verify::{GlibcVersion, portable};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::progress;
use crate::cli::registry;
use crate::cli::temp_dir::TempDir;
use crate::project::Project;
use crate::project::build_hints;
use crate::project::seeds;
use crate::project::self_flake::git_reference;
use crate::release::artifact;
use crate::release::dist::{self, Artifact, Programs, Release as Dist};
use crate::release::source::Source;

/// Write release files: archives for each platform, checksums, manifests and notes
///
/// The version is the tag of the commit.
#[derive(clap::Args)]
pub struct Release {
    /// Platforms to release for, such as linux/amd64,windows/amd64 [default: `platforms` in
    /// [release] of slipway.toml, or else those that the flake marks]
    #[arg(long = "platform", value_name = "OS/ARCH", value_delimiter = ',')]
    platforms: Vec<Platform>,

    /// Release a commit without a tag, or with changes that are not committed
    #[arg(long)]
    snapshot: bool,

    /// Directory for the files; if slipway release wrote it before, it is replaced
    #[arg(short, long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,

    /// Push the files to a registry as an artifact, such as registry.example/tool:v1.2.3 (repeatable)
    #[arg(long = "push", value_name = "REFERENCE")]
    references: Vec<Reference>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,

    #[command(flatten)]
    seeding: seeds::Options,
}

/// A row of the flake's `lib.releasePlatforms`.
#[derive(Deserialize)]
struct Row {
    default: bool,
    glibc: Option<String>,
    /// `glibc` or `musl`, of programs for Linux.
    libc: Option<String>,
    /// `static` or `bundled`, of programs for Linux with glibc.
    libraries: Option<String>,
    oci: String,
}

/// The flake's `lib.release`.
#[derive(Deserialize)]
struct Defaults {
    name: String,
    description: Option<String>,
    homepage: Option<String>,
    license: Option<String>,
}

/// A platform to release for.
struct Wanted {
    /// The package of the flake.
    package: String,
    platform: Platform,
    /// `glibc` or `musl`, if the programs are for Linux.
    libc: Option<String>,
    /// The oldest glibc that the programs must run with. `None` for musl, whose programs are static.
    glibc: Option<GlibcVersion>,
}

impl Release {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let project = Project::find(&global.directory)?;
        let config = Config::read(&project.config())?;
        let output = std::path::absolute(&self.output)?;
        let source = Source::read(&project.root, &output, self.snapshot)?;
        let nix = project.nix(global.verbose, &[])?;
        let defaults = Defaults::deserialize(nix.evaluate(".#lib.release")?)?;
        let mut settings = config.release.clone();
        let name = settings.name.take().unwrap_or(defaults.name);
        settings.description = settings.description.or(defaults.description);
        settings.homepage = settings.homepage.or(defaults.homepage);
        settings.license = settings.license.or(defaults.license);
        let dist = Dist {
            root: &project.root,
            name: &name,
            settings: &settings,
            source: &source,
        };
        let wanted = self.wanted(&nix, &config)?;
        dist.check(&output, wanted.iter().map(|it| &it.platform))?;
        let (nix, prefix) = match source.tag {
            Some(_) if !self.snapshot => {
                let flake = git_reference(&source.repository, &project.root);
                let packages = of_version(&flake, &source.version.to_string());
                (nix.of_expression(packages), "")
            }
            _ => (nix, ".#"),
        };
        let packages: Vec<String> = wanted
            .iter()
            .map(|it| format!("{prefix}{}", it.package))
            .collect();
        let (plan, seeded) = self.seeding.seed(&nix, &project, &packages)?;
        if seeded.count > 0 {
            eprintln!("{seeded}");
        }
        nix.build(&plan, progress::for_stderr().as_ref())
            .map_err(|error| build_hints::explain(error, &nix, &project, &self.seeding))?;
        let programs = wanted
            .into_iter()
            .zip(&plan.targets)
            .map(|(wanted, target)| {
                let output = target.output.as_path().to_owned();
                let (needs, libraries) = match &wanted.libc {
                    Some(_) => {
                        let (needs, libraries) = needs(&wanted, &output)?;
                        (Some(needs), libraries)
                    }
                    None => (None, Vec::new()),
                };
                Ok(Programs {
                    platform: wanted.platform,
                    libc: wanted.libc,
                    output,
                    needs,
                    libraries,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let artifacts = dist.write(&programs, &output)?;
        match self.format {
            Format::Text => print_table(&artifacts),
            Format::Json => println!("{:#}", serde_json::to_value(&artifacts)?),
        }
        if !self.references.is_empty() {
            let place = TempDir::new()?;
            let layout =
                artifact::pack(&output, &artifacts, &source, &place.path().join("layout"))?;
            let client = self.registry.client(&self.references)?;
            let pushed = registry::push(&client, &layout, &self.references)?;
            self.format.also(&registry::lines(&pushed));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What to release for, sorted by package.
    fn wanted(&self, nix: &Nix, config: &Config) -> Result<Vec<Wanted>> {
        dist::check_libraries(&config.release)?;
        let table: BTreeMap<String, Row> =
            Deserialize::deserialize(nix.evaluate(".#lib.releasePlatforms")?)?;
        let libcs = dist::libcs(&config.release)?;
        let mut known = Vec::new();
        for (name, row) in table {
            if row
                .libc
                .as_deref()
                .is_some_and(|libc| !libcs.contains(&libc))
            {
                continue;
            }
            match (&config.release.libraries, &row.libraries) {
                (Some(wanted), Some(built)) if wanted != built => bail!(
                    "libraries in [release] of slipway.toml is {wanted:?}, but the flake says {built:?}; set the argument \
                     libraries of mkRelease instead"
                ),
                _ => {}
            }
            let glibc = row.glibc.as_deref().map(str::parse).transpose();
            let wanted = Wanted {
                package: format!("release-{name}"),
                platform: row.oci.parse()?,
                libc: row.libc,
                glibc: glibc.map_err(Error::msg)?,
            };
            known.push((wanted, row.default));
        }
        let mut named = self.platforms.clone();
        if named.is_empty() {
            for text in &config.release.platforms {
                named.push(text.parse()?);
            }
        }
        let is_known = |named: &Platform| known.iter().any(|(it, _)| it.platform.matches(named));
        if let Some(unknown) = named.iter().find(|named| !is_known(named)) {
            let names: Vec<String> = known
                .iter()
                .map(|(it, _)| it.platform.to_string())
                .collect();
            bail!(
                "{unknown} is not a platform that the project can be released for; these are: {}{}",
                names.join(", "),
                match unknown.os() {
                    "darwin" =>
                        "; programs with C need Apple's SDK for macOS, which the argument macosSdk in flake.nix names",
                    _ => "",
                }
            );
        }
        let is_wanted = |(it, is_default): &(Wanted, bool)| match &named[..] {
            [] => *is_default,
            named => named.iter().any(|named| it.platform.matches(named)),
        };
        let wanted: Vec<Wanted> = known
            .into_iter()
            .filter(is_wanted)
            .map(|(it, _)| it)
            .collect();
        if wanted.is_empty() {
            bail!("the flake marks no platform to release for; name some with --platform");
        }
        Ok(wanted)
    }
}

/// What programs need of a Linux system, and the shared libraries that come with them: paths in the output of the build.
/// Fails if they do not run on every system that they should.
fn needs(wanted: &Wanted, output: &Path) -> Result<(Needs, Vec<String>)> {
    let platform = &wanted.platform;
    let reading = |path: &Path| format!("reading {}", path.display());
    let output = fs::canonicalize(output).with_context(|| reading(output))?;
    let directory = output.join("bin");
    // A library that several programs need is checked once.
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&directory).with_context(|| reading(&directory))? {
        let path = entry.with_context(|| reading(&directory))?.path();
        let read = portable(&path, wanted.glibc.as_ref()).with_context(|| reading(&path))?;
        files.extend(read.into_iter().map(|file| (file.path.clone(), file)));
    }
    let (mut oldest, mut sonames, mut bundled) = (None, BTreeSet::new(), Vec::new());
    for (path, file) in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_library = !path.starts_with(&directory);
        match (file.faults.first(), &wanted.glibc) {
            (Some(fault), Some(glibc)) => bail!(
                "{name} for {platform} does not run on every system with glibc {glibc}: {fault}; if a later version will \
                 do, set glibc in [release] of slipway.toml, or the argument of mkRelease{}",
                match is_library {
                    true => "; else link to the library statically",
                    false => "",
                }
            ),
            (Some(fault), None) => bail!(
                "{name} for {platform} with musl does not run on every system: {fault}; link it statically, or leave \
                 musl out of libc in [release] of slipway.toml"
            ),
            (None, _) => {}
        }
        if is_library {
            let inner = path.strip_prefix(&output);
            let inner = inner.ok().and_then(Path::to_str).with_context(|| {
                format!(
                    "a program for {platform} needs {}, which the build did not install; copy it to lib",
                    path.display()
                )
            })?;
            bundled.push(inner.to_owned());
        }
        if !file.libraries.is_empty() {
            eprintln!(
                "note: {name} for {platform} needs {} of the system",
                file.libraries.join(", ")
            );
        }
        oldest = oldest.max(file.glibc);
        sonames.extend(file.libraries);
    }
    // nix/toolchain/portable.nix describes the file. Static programs have none.
    let list = fs::read_to_string(output.join("libraries")).unwrap_or_default();
    let packages: BTreeMap<&str, &str> = list
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let libraries = sonames.into_iter().map(|soname| Library {
        debian: packages.get(soname.as_str()).map(|name| (*name).to_owned()),
        soname,
    });
    let needs = Needs {
        glibc: oldest.map(|version| version.to_string()),
        libraries: libraries.collect(),
    };
    Ok((needs, bundled))
}

/// A Nix expression of a flake's packages, whose programs know their version.
fn of_version(flake: &str, version: &str) -> String {
    let flake = nix_string(flake);
    let version = nix_string(version);
    format!(
        "builtins.mapAttrs (_: package: if package ? ofVersion then package.ofVersion {version} else package) \
         (builtins.getFlake {flake}).packages.${{builtins.currentSystem}}"
    )
}

fn print_table(artifacts: &[Artifact]) {
    let width = artifacts.iter().map(|it| it.name.len()).max().unwrap_or(0);
    println!("{:<width$} {:>9}  digest", "file", "size");
    for one in artifacts {
        println!("{:<width$} {:>9}  {}", one.name, size(one.size), one.digest);
    }
}
