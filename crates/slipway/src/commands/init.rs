mod go;
mod goreleaser;
mod rust;

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
use crate::commands::init::goreleaser::Moved;
use crate::project::git_crates;
use crate::project::go as go_command;
use crate::project::native_libraries::Needs;
use crate::project::package_sources::{self, ONE_TRY};
use crate::project::platform_table::{Row, Table};
use crate::project::self_flake;
use crate::project::template::{self, Call};

/// Write a flake for a cargo workspace or Go modules, and pin what their programs need
///
/// Asks cargo and go which crates and packages need a C library, and pins the Debian packages that have it. Takes over what
/// goreleaser's configuration file says of releases.
#[derive(clap::Args)]
pub struct Init {
    /// Directory of Cargo.toml, go.mod or go.work
    #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
    workspace: PathBuf,

    /// Flake URL of Slipway itself, such as git+file:///path/to/checkout [default: the flake of
    /// this program]
    #[arg(long, value_name = "FLAKE", env = "SLIPWAY_FLAKE")]
    slipway: Option<String>,

    /// Platforms to build for, such as linux/amd64,linux/arm64 [default: those of Slipway]
    #[arg(long = "platform", value_name = "OS/ARCH", value_delimiter = ',')]
    platforms: Vec<String>,

    /// Build tags of Go packages
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,

    /// Replace existing files
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sources: package_sources::Options,
}

/// What the languages look at.
struct Place<'a> {
    directory: &'a Path,
    rows: &'a [&'a Row],
    /// Slipway's own pins.
    own: &'a Lock,
    /// Slipway's flake.
    flake: &'a str,
    nix: &'a Nix,
    sources: &'a package_sources::Options,
}

/// What is found out about the programs of one language.
struct Found {
    /// The function of Slipway's `lib` that makes the outputs of a flake.
    function: &'static str,
    /// Further arguments of the function, as lines.
    settings: Vec<String>,
    needs: Needs,
    /// Files that tell the language's command what to build.
    manifests: &'static [&'static str],
    go: Option<slipway_debian::lock::Go>,
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

        let place = Place {
            directory: &directory,
            rows: &rows,
            own: &own,
            flake: &flake,
            nix: &nix,
            sources: &self.sources,
        };
        let mut moved = Moved::read(&directory);
        let mut tags = self.tags.clone();
        for tag in moved.iter().flat_map(|it| it.tags()) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let mut found = self.find(&place, &tags, moved.as_mut())?;
        for one in &mut found {
            self.look_up(&place, &mut one.needs);
        }
        let mut config = template::config(&own.release, &rows, found.iter().map(|one| &one.needs))?
            + &template::tags(&tags);
        if let Some(moved) = &mut moved {
            let go = found.iter().find_map(|one| one.go.as_ref());
            moved.fit(&directory, &rows, go, &nix, &flake)?;
            config += &moved.table();
        }
        let platforms: Vec<String> = rows
            .iter()
            .map(|row| format!("{:?}", row.platform().to_string()))
            .collect();
        let calls: Vec<Call> = found
            .iter()
            .map(|one| {
                let platforms = format!("platforms = [{}];", platforms.join(" "));
                Call {
                    function: one.function,
                    settings: [vec![platforms], one.settings.clone()].concat(),
                }
            })
            .collect();

        let temp_dir = TempDir::beside(&directory.join(FILES[0]))?;
        let made = |name: &str| temp_dir.path().join(name);
        write(&made("slipway.toml"), &config)?;
        write(&made("flake.nix"), &template::flake(&flake, &calls))?;
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
        lock.go = found.iter_mut().find_map(|one| one.go.take());
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

        for one in &found {
            report(&one.needs);
        }
        for repository in &lock.repositories {
            println!("{} is pinned at {}", repository.url, repository.commit);
        }
        if let Some(moved) = &moved {
            moved.report();
        }
        println!("written: {}", written.join(", "));
        if !is_locked {
            eprintln!(
                "warning: no flake.lock: {flake} has changes that are not committed, and is taken as it is each time"
            );
        }
        let manifests: Vec<&str> = found
            .iter()
            .flat_map(|one| one.manifests)
            .copied()
            .collect();
        tell_git(&directory, &written, &manifests)?;
        println!("next: slipway build, or nix build .#image");
        Ok(ExitCode::SUCCESS)
    }

    /// What is found out of the programs in each language.
    fn find(
        &self,
        place: &Place,
        tags: &[String],
        moved: Option<&mut Moved>,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let is_go = go_command::is_go(place.directory);
        if place.directory.join("Cargo.toml").exists() {
            found.push(rust::find(place)?);
        } else if !is_go {
            return Err(no_programs(place.directory));
        }
        if is_go {
            found.push(go::find(place, tags, moved)?);
        } else if !self.tags.is_empty() {
            bail!(
                "--tags are for Go, and {} has no go.mod",
                place.directory.display()
            );
        }
        Ok(found)
    }

    /// Finds the packages of files that crates or Go packages look for. Leaves those that it cannot
    /// find to the user.
    fn look_up(&self, place: &Place, needs: &mut Needs) {
        if needs.modules.is_empty() {
            return;
        }
        let set = Set {
            architectures: place
                .rows
                .iter()
                .map(|row| row.name_in("debian").to_owned())
                .collect(),
            suites: vec![place.own.release.clone()],
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
            .open_with(place.directory, ONE_TRY)
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

/// The error for a directory without a manifest.
fn no_programs(directory: &Path) -> anyhow::Error {
    let shown = directory.display();
    let mut above = directory.ancestors().skip(1);
    match above.find(|above| go_command::is_go(above)) {
        Some(root) => {
            let root = root.display();
            anyhow::anyhow!("{shown} is part of the Go module in {root}; run: slipway init {root}")
        }
        None => anyhow::anyhow!(
            "no Cargo.toml and no go.mod in {shown}; name the directory of a cargo workspace or a Go module"
        ),
    }
}

/// The lines of flake.nix that name the program that `.#image` runs, if there are several.
fn main_program(programs: &[String], main: &str) -> Vec<String> {
    if programs.len() < 2 {
        return Vec::new();
    }
    let others: Vec<String> = programs
        .iter()
        .filter(|name| *name != main)
        .map(|name| format!(".#image-{name}"))
        .collect();
    vec![
        format!("# what .#image runs; the others are {}", others.join(", ")),
        format!("program = \"{main}\";"),
    ]
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
fn tell_git(directory: &Path, files: &[&str], manifests: &[&str]) -> Result<()> {
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
    for file in manifests {
        if directory.join(file).exists() && git(&["ls-files", "--error-unmatch", file]).is_none() {
            eprintln!(
                "warning: git does not track {file}, and Nix sees what git tracks; run: git add --force {file}"
            );
        }
    }
    Ok(())
}
