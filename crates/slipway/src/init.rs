use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use slipway_debian::config::Config;
use slipway_debian::edit::add_packages;
use slipway_debian::lock::Lock;
use slipway_nix::Nix;

use crate::cargo::{self, Crate, Workspace};
use crate::checkout;
use crate::native_libraries::{NativeLibraries, Needs};
use crate::platforms::{Row, Table};
use crate::project;
use crate::scratch::Scratch;
use crate::sources;

/// Write a flake for the cargo workspace in a directory, with what its programs are linked with
///
/// The crates that need a C library are found by asking cargo; the Debian packages that have it are
/// pinned.
#[derive(clap::Args)]
pub struct Init {
    /// The directory of the workspace
    #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
    workspace: PathBuf,

    /// The flake that Slipway itself is, such as git+file:///path/to/checkout [default: the one that
    /// this program belongs to]
    #[arg(long, value_name = "FLAKE", env = "SLIPWAY_FLAKE")]
    slipway: Option<String>,

    /// Platforms to build for, such as linux/amd64,linux/arm64 [default: Slipway's]
    #[arg(long = "platform", value_name = "OS/ARCH", value_delimiter = ',')]
    platforms: Vec<String>,

    /// Replace files that are there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sources: sources::Options,
}

/// What is written, the flake last: with it the rest takes effect.
const FILES: [&str; 4] = ["slipway.toml", "slipway.lock", "flake.lock", "flake.nix"];

const FLAKE: &str = include_str!("../template/flake.nix");
const CONFIG: &str = include_str!("../template/slipway.toml");
/// What stands in the templates for what depends on the workspace.
const TEMPLATE_URL: &str = "git+https://slipway.example/slipway";
const TEMPLATE_PLATFORMS: &str = "platforms = [\"linux/amd64\" \"linux/arm64\"];\n";
const TEMPLATE_ARCHITECTURES: &str = "architectures = [\"amd64\", \"arm64\"]\n";
const TEMPLATE_RELEASE: &str = "trixie";

impl Init {
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
        let directory = directory.join(&self.workspace);
        let directory = directory
            .canonicalize()
            .with_context(|| format!("the directory {} cannot be entered", directory.display()))?;
        self.refuse_to_overwrite(&directory)?;
        let flake = match &self.slipway {
            Some(flake) => flake.clone(),
            None => checkout::flake_of_this_program()?,
        };
        let nix = Nix::find(&directory, verbose)?;
        let table = Table::of(&nix, &flake)?;
        let rows = match &self.platforms[..] {
            [] => table.defaults(),
            names => names
                .iter()
                .map(|name| table.find(name))
                .collect::<Result<_>>()?,
        };
        let own = Lock::read(&nix.flake_source(&flake)?.join("slipway.lock"))?;

        let main_target = rows.first().map_or("", |row| row.name_in("rust"));
        let workspace = Workspace::read(&directory, main_target)?;
        let mut crates = Vec::new();
        for row in &rows {
            crates.extend(workspace.crates(&directory, row.name_in("rust"))?);
        }
        let needs = NativeLibraries::read()?.needs(&crates);
        let config = config_text(&own.release, &rows, &needs)?;
        let mut settings = settings(&workspace, &own, &crates, &rows);
        if !needs.tools.is_empty() {
            let tools: Vec<String> = needs
                .tools
                .iter()
                .map(|name| format!("target.{name}"))
                .collect();
            settings.push("# what the builds of crates run".into());
            settings.push(format!(
                "nativeBuildInputs = target: [{}];",
                tools.join(" ")
            ));
        }

        let scratch = Scratch::beside(&directory.join(FILES[0]))?;
        let made = |name: &str| scratch.path().join(name);
        write(&made("slipway.toml"), &config)?;
        write(&made("flake.nix"), &flake_text(&flake, &settings))?;
        // Slipway's own pins are taken over, as far as they go: what is pinned alike is built once.
        let parsed = Config::read(&made("slipway.toml"))?;
        let lock = match own.part(&parsed) {
            Some(lock) => lock,
            None => {
                let sources = self.sources.open(&project::cache()?)?;
                sources.relock(&parsed, Some(&own), &BTreeSet::new())?
            }
        };
        lock.write(&made("slipway.lock"))?;
        nix.lock_flake(scratch.path())?;
        let is_locked = made("flake.lock").exists();
        if !is_locked {
            // What is there from before names another Slipway.
            let _ = fs::remove_file(directory.join("flake.lock"));
        }
        let written: Vec<&str> = FILES
            .into_iter()
            .filter(|name| made(name).exists())
            .collect();
        for name in &written {
            fs::rename(made(name), directory.join(name))
                .with_context(|| format!("writing {name}"))?;
        }

        report(&needs);
        self.report_sources(&directory)?;
        println!("written: {}", written.join(", "));
        if !is_locked {
            eprintln!(
                "warning: no flake.lock: {flake} has changes that are not committed, and is taken as it is each time"
            );
        }
        tell_git(&directory, &written)?;
        println!("next: slipway build, or nix build .#image");
        Ok(ExitCode::SUCCESS)
    }

    fn refuse_to_overwrite(&self, directory: &Path) -> Result<()> {
        let there = |name: &&&str| directory.join(name).symlink_metadata().is_ok();
        let present: Vec<&str> = FILES.iter().filter(there).copied().collect();
        if !self.force && !present.is_empty() {
            bail!(
                "{} has {}; nothing is written. Replace what is there with: slipway init --force",
                directory.display(),
                present.join(", ")
            );
        }
        Ok(())
    }

    /// Says of crates that no build will find, while there is something to do about it.
    fn report_sources(&self, directory: &Path) -> Result<()> {
        let lock =
            fs::read_to_string(directory.join("Cargo.lock")).context("reading Cargo.lock")?;
        let vendored = [".cargo/config.toml", ".cargo/config"].iter().any(|name| {
            fs::read_to_string(directory.join(name)).is_ok_and(|text| text.contains("replace-with"))
        });
        if !vendored {
            let from_git = lock
                .lines()
                .find_map(|line| line.strip_prefix("source = \"git+"));
            if let Some(source) = from_git {
                eprintln!(
                    "warning: crates from git are not fetched ({}); put them into the tree: mkdir -p .cargo && cargo \
                     vendor >>.cargo/config.toml && git add --force .cargo vendor",
                    source.trim_end_matches('"')
                );
            }
        }
        Ok(())
    }
}

/// Lines of the flake that depend on the workspace.
fn settings(workspace: &Workspace, own: &Lock, crates: &[Crate], rows: &[&Row]) -> Vec<String> {
    let platforms: Vec<String> = rows
        .iter()
        .map(|row| format!("{:?}", row.platform().to_string()))
        .collect();
    let mut lines = vec![format!("platforms = [{}];", platforms.join(" "))];
    if let ([_, _, ..], Some(main)) = (&workspace.programs[..], &workspace.main) {
        lines.push(format!(
            "# what .#image runs; the others are {}",
            workspace
                .programs
                .iter()
                .filter(|name| *name != main)
                .map(|name| format!(".#image-{name}"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
        lines.push(format!("program = \"{main}\";"));
    }
    if let Some((asked, by)) = workspace.rust_version(crates) {
        let version_of = |package: &str| {
            let row = own.packages.iter().find(|row| row.name == package)?;
            let version = row.version.to_string();
            Some(version.split('+').next().unwrap_or(&version).to_owned())
        };
        let is_enough = |package: &str| {
            version_of(package).is_some_and(|own| cargo::numbers(&own) >= cargo::numbers(asked))
        };
        if !is_enough("rustc") {
            let newest = version_of(NEWER_RUST).unwrap_or_default();
            lines.push(format!("# {by} asks for Rust {asked}; this is {newest}"));
            lines.push(format!("rust = \"{NEWER_RUST}\";"));
            if !is_enough(NEWER_RUST) {
                eprintln!(
                    "warning: {by} asks for Rust {asked}, and the newest that is pinned is {newest}; it may not compile"
                );
            }
        }
    }
    lines
}

/// Debian's package of the newer of its two Rusts.
const NEWER_RUST: &str = "rustc-web";

fn flake_text(flake: &str, settings: &[String]) -> String {
    let lines = settings.join("\n      ") + "\n";
    FLAKE
        .replace(TEMPLATE_URL, flake)
        .replace(TEMPLATE_PLATFORMS, &lines)
}

fn config_text(release: &str, rows: &[&Row], needs: &Needs) -> Result<String> {
    let architectures: Vec<String> = rows
        .iter()
        .map(|row| format!("\"{}\"", row.name_in("debian")))
        .collect();
    let text = CONFIG.replace(TEMPLATE_RELEASE, release).replace(
        TEMPLATE_ARCHITECTURES,
        &format!("architectures = [{}]\n", architectures.join(", ")),
    );
    let packages: Vec<String> = needs
        .packages
        .iter()
        .flat_map(|(_, packages)| packages.clone())
        .collect();
    add_packages(&text, "libraries", &packages).map_err(anyhow::Error::msg)
}

fn report(needs: &Needs) {
    for (name, packages) in &needs.packages {
        println!("{name} needs {}", packages.join(", "));
    }
    for (name, packages) in &needs.own {
        println!(
            "{name} compiles a library that it brings; to link with Debian's instead: slipway add {}",
            packages.join(" ")
        );
    }
    for name in &needs.unknown {
        println!(
            "{name} may link with something that is not in the table; if it does not compile, name the Debian package: \
             slipway add PACKAGE"
        );
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Nix sees of a git repository what git tracks. Nothing is committed, nor staged but for the names.
fn tell_git(directory: &Path, files: &[&str]) -> Result<()> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(directory);
        git.output().ok().filter(|output| output.status.success())
    };
    if git(&["rev-parse", "--is-inside-work-tree"]).is_none() {
        return Ok(());
    }
    let add = [&["add", "--intent-to-add", "--"][..], files].concat();
    match git(&add) {
        Some(_) => println!(
            "git knows of them now (git add --intent-to-add), for Nix sees what git tracks"
        ),
        None => eprintln!(
            "warning: git would not track them, and Nix sees what git tracks; run: git add --force {}",
            files.join(" ")
        ),
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        if git(&["ls-files", "--error-unmatch", file]).is_none() {
            eprintln!(
                "warning: git does not track {file}, and Nix sees what git tracks; run: git add --force {file}"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_hold_what_is_put_in_place_of_it() {
        assert!(FLAKE.contains(TEMPLATE_URL) && FLAKE.contains(TEMPLATE_PLATFORMS));
        assert!(CONFIG.contains(TEMPLATE_ARCHITECTURES) && CONFIG.contains(TEMPLATE_RELEASE));
    }

    #[test]
    fn a_library_that_a_crate_needs_is_among_the_packages() {
        let needs = Needs {
            packages: vec![("openssl-sys".into(), vec!["libssl-dev".into()])],
            ..Needs::default()
        };
        let text = config_text("forky", &[], &needs).unwrap();
        let config = Config::parse(&text.replace("architectures = []", "architectures = [\"x\"]"));
        let config = config.unwrap();
        assert_eq!(config.release, "forky");
        assert!(
            config.sets["libraries"]
                .packages
                .contains(&"libssl-dev".into())
        );
        assert_eq!(config.sets["libraries"].suites, ["forky", "forky-security"]);
    }

    #[test]
    fn the_flake_has_the_settings_of_the_workspace() {
        let settings = [
            "platforms = [\"linux/arm64\"];".to_owned(),
            "program = \"x\";".into(),
        ];
        let text = flake_text("path:/slipway", &settings);
        assert!(
            text.contains("inputs.slipway.url = \"path:/slipway\";"),
            "{text}"
        );
        assert!(
            text.contains("\n      platforms = [\"linux/arm64\"];\n      program = \"x\";\n    };"),
            "{text}"
        );
    }
}
