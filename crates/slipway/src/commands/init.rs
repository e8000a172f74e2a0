use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use slipway_debian::config::{Config, Set};
use slipway_debian::contents_index::File;
use slipway_debian::lock::Lock;
use slipway_nix::Nix;

use crate::GlobalOptions;
use crate::cli::error_display;
use crate::cli::temp_dir::TempDir;
use crate::project::cargo::{self, Crate, Workspace};
use crate::project::git_crates;
use crate::project::native_libraries::{NativeLibraries, Needs};
use crate::project::package_sources::{self, ONE_TRY};
use crate::project::platform_table::{Row, Table};
use crate::project::self_flake;
use crate::project::template;

/// Write a flake for a cargo workspace, and pin the libraries that its programs need
///
/// Asks cargo which crates need a C library, and pins the Debian packages that have it.
#[derive(clap::Args)]
pub struct Init {
    /// Directory of the workspace
    #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
    workspace: PathBuf,

    /// Flake URL of Slipway itself, such as git+file:///path/to/checkout [default: the flake of
    /// this program]
    #[arg(long, value_name = "FLAKE", env = "SLIPWAY_FLAKE")]
    slipway: Option<String>,

    /// Platforms to build for, such as linux/amd64,linux/arm64 [default: those of Slipway]
    #[arg(long = "platform", value_name = "OS/ARCH", value_delimiter = ',')]
    platforms: Vec<String>,

    /// Replace existing files
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sources: package_sources::Options,
}

/// The files to write. The flake is last, because the project takes effect with it.
const FILES: [&str; 4] = ["slipway.toml", "slipway.lock", "flake.lock", "flake.nix"];

impl Init {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let directory = directory.join(&self.workspace);
        let directory = directory
            .canonicalize()
            .with_context(|| format!("the directory {} cannot be entered", directory.display()))?;
        self.refuse_to_overwrite(&directory)?;
        let flake = match &self.slipway {
            Some(flake) => flake.clone(),
            None => self_flake::flake_of_this_program()?,
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
        let mut needs = NativeLibraries::read()?.needs(&crates);
        self.look_up(&directory, &own.release, &rows, &mut needs);
        let config = template::config(&own.release, &rows, &needs)?;
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

        let temp_dir = TempDir::beside(&directory.join(FILES[0]))?;
        let made = |name: &str| temp_dir.path().join(name);
        write(&made("slipway.toml"), &config)?;
        write(&made("flake.nix"), &template::flake(&flake, &settings))?;
        // Reuse Slipway's own pins where they fit, so that packages with the same pin are built
        // once.
        let parsed = Config::read(&made("slipway.toml"))?;
        let mut lock = match own.part(&parsed) {
            Some(lock) => lock,
            None => {
                let sources = self.sources.open(&directory)?;
                sources.relock(&parsed, Some(&own), &BTreeSet::new())?
            }
        };
        lock.repositories = git_crates::pin(&directory, &[])?;
        lock.write(&made("slipway.lock"))?;
        nix.lock_flake(temp_dir.path())?;
        let is_locked = made("flake.lock").exists();
        if !is_locked {
            // An old flake.lock names another Slipway.
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
        for repository in &lock.repositories {
            println!("{} is pinned at {}", repository.url, repository.commit);
        }
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

    /// Finds the packages of pkg-config modules that crates look for. Leaves modules that it cannot
    /// find to the user.
    fn look_up(&self, directory: &Path, release: &str, rows: &[&Row], needs: &mut Needs) {
        if needs.modules.is_empty() {
            return;
        }
        let set = Set {
            architectures: rows
                .iter()
                .map(|row| row.name_in("debian").to_owned())
                .collect(),
            suites: vec![release.to_owned()],
            packages: Vec::new(),
            ignore: Vec::new(),
            executables: BTreeMap::new(),
        };
        let files: Vec<File> = needs
            .modules
            .iter()
            .flat_map(|(_, files)| files.clone())
            .collect();
        let found = self
            .sources
            .open_with(directory, ONE_TRY)
            .and_then(|sources| sources.packages_with(&files, &set));
        let packages: BTreeMap<File, String> = match found {
            Ok(found) => files
                .into_iter()
                .zip(found)
                .filter_map(|(file, it)| Some((file, it.ok()?)))
                .collect(),
            Err(error) => {
                eprintln!("warning: {}", error_display::one_line(&error));
                BTreeMap::new()
            }
        };
        for (name, files) in &needs.modules {
            let known: Vec<String> = files
                .iter()
                .filter_map(|file| packages.get(file).cloned())
                .collect();
            if !known.is_empty() {
                needs.packages.push((name.clone(), known));
            }
        }
        for (_, files) in &mut needs.modules {
            files.retain(|file| !packages.contains_key(file));
        }
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
}

/// The lines of flake.nix that depend on the workspace.
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

/// Debian's package of the newer of its two Rust compilers.
const NEWER_RUST: &str = "rustc-web";

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
    for (name, files) in needs.modules.iter().filter(|(_, files)| !files.is_empty()) {
        let files: Vec<String> = files.iter().map(File::to_string).collect();
        println!(
            "{name} looks for what no package was found for; run: slipway add {}",
            files.join(" ")
        );
    }
    for (name, library) in &needs.unknown {
        println!(
            "{name} may link with a library that is not in the table; if it does not compile, name the library or its \
             Debian package: slipway add {library}, slipway add PACKAGE"
        );
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Adds the files to git's index with `--intent-to-add`, because Nix sees only files that git
/// tracks. Does not stage contents and does not commit.
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
