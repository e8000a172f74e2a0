use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Deserialize;
use slipway_debian::config::Config;
use slipway_nix::Nix;
use slipway_oci::Platform;
use slipway_progress::size;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::progress;
use crate::project::Project;
use crate::project::build_hints;
use crate::project::seeds;
use crate::project::self_flake::git_reference;
use crate::release::dist::{Artifact, Programs, Release as Dist};
use crate::release::source::Source;

/// Write release files: archives for each platform, checksums and notes
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

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    seeding: seeds::Options,
}

/// A row of the flake's `lib.releasePlatforms`.
#[derive(Deserialize)]
struct Row {
    default: bool,
    oci: String,
}

impl Release {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let project = Project::find(&global.directory)?;
        let config = Config::read(&project.config())?;
        let output = std::path::absolute(&self.output)?;
        let source = Source::read(&project.root, &output, self.snapshot)?;
        let nix = project.nix(global.verbose, &[])?;
        let release = nix.evaluate(".#lib.release")?;
        let name = match &config.release.name {
            Some(name) => name.as_str(),
            None => release["name"].as_str().unwrap_or_default(),
        };
        let rows = self.rows(&nix, &config)?;
        let (nix, prefix) = match source.tag {
            Some(_) if !self.snapshot => {
                let flake = git_reference(&source.repository, &project.root);
                let packages = of_version(&flake, &source.version.to_string());
                (nix.of_expression(packages), "")
            }
            _ => (nix, ".#"),
        };
        let names: Vec<String> = rows
            .iter()
            .map(|(name, _)| format!("{prefix}{name}"))
            .collect();
        let (plan, seeded) = self.seeding.seed(&nix, &project, &names)?;
        if seeded.count > 0 {
            eprintln!("{seeded}");
        }
        nix.build(&plan, progress::for_stderr().as_ref())
            .map_err(|error| build_hints::explain(error, &nix, &project, &self.seeding))?;
        let programs: Vec<Programs> = rows
            .into_iter()
            .zip(&plan.targets)
            .map(|((_, platform), target)| Programs {
                platform,
                output: target.output.as_path().to_owned(),
            })
            .collect();
        let dist = Dist {
            root: &project.root,
            name,
            settings: &config.release,
            source: &source,
        };
        let artifacts = dist.write(&programs, &output)?;
        match self.format {
            Format::Text => print_table(&artifacts),
            Format::Json => println!("{:#}", serde_json::to_value(&artifacts)?),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The names of packages of the flake, each with its platform, sorted by name.
    fn rows(&self, nix: &Nix, config: &Config) -> Result<Vec<(String, Platform)>> {
        let table: BTreeMap<String, Row> =
            Deserialize::deserialize(nix.evaluate(".#lib.releasePlatforms")?)?;
        let known = table
            .values()
            .map(|row| Ok((row.oci.parse()?, row.default)))
            .collect::<Result<Vec<(Platform, bool)>>>()?;
        let mut wanted = self.platforms.clone();
        if wanted.is_empty() {
            for text in &config.release.platforms {
                wanted.push(text.parse()?);
            }
        }
        if let Some(unknown) = wanted
            .iter()
            .find(|wanted| !known.iter().any(|(platform, _)| platform.matches(wanted)))
        {
            let names: Vec<String> = known.iter().map(|(it, _)| it.to_string()).collect();
            bail!(
                "{unknown} is not a platform that the project can be released for; these are: {}",
                names.join(", ")
            );
        }
        let names = table.keys().map(|name| format!("release-{name}"));
        let rows: Vec<(String, Platform)> = names
            .zip(known)
            .filter(|(_, (platform, is_default))| match &wanted[..] {
                [] => *is_default,
                wanted => wanted.iter().any(|wanted| platform.matches(wanted)),
            })
            .map(|(name, (platform, _))| (name, platform))
            .collect();
        if rows.is_empty() {
            bail!("the flake marks no platform to release for; name some with --platform");
        }
        Ok(rows)
    }
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

/// A string in Nix's syntax.
fn nix_string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${");
    format!("\"{escaped}\"")
}

fn print_table(artifacts: &[Artifact]) {
    let width = artifacts.iter().map(|it| it.name.len()).max().unwrap_or(0);
    println!("{:<width$} {:>9}  digest", "file", "size");
    for one in artifacts {
        println!("{:<width$} {:>9}  {}", one.name, size(one.size), one.digest);
    }
}
