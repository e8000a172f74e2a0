//! Pins Go modules and toolchains. Proxies may serve archives with different bytes for one module,
//! so that slipway.lock records a hash of its files. The hash of go.sum, `h1:`, is checked as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use slipway_debian::config::{self, Config};
use slipway_debian::hash::{Hasher, Sha256};
use slipway_debian::lock::{self, GoModFile, GoModule, GoToolchain, Lock};
use slipway_debian::nar;
use slipway_nix::Nix;

use crate::cli::temp_dir::TempDir;
use crate::project::Project;
use crate::project::go::{self, Downloaded, Go, Packages};
use crate::project::platform_table::{Row, Table};
use crate::project::seeds;

/// The module of Go toolchains.
const TOOLCHAIN: &str = "golang.org/toolchain";
/// Architectures of build machines.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// The version that the go command uses for a toolchain as a module.
fn toolchain_version(version: &str, architecture: &str) -> String {
    format!("v0.0.1-go{version}.linux-{architecture}")
}

/// What Slipway itself pins for a project.
pub struct Defaults<'a> {
    /// Path of the go command.
    program: PathBuf,
    /// Its version, such as `1.27.4`, if Slipway pins one.
    version: Option<&'a str>,
}

impl<'a> Defaults<'a> {
    /// Builds the go command of a Slipway with these pins.
    pub fn build(
        nix: &Nix,
        project: &Project,
        flake: &str,
        lock: &'a Lock,
        options: &seeds::Options,
    ) -> Result<Self> {
        let version = lock.go.as_ref().and_then(|go| go.version.as_deref());
        // A Slipway that pins its first Go downloads it with Debian's.
        let is_first = lock
            .packages
            .iter()
            .any(|row| row.sets.iter().any(|it| it == "go"));
        let package = match (version, is_first) {
            (Some(_), _) => "go",
            (None, true) => "golang",
            (None, false) => bail!(
                "the Slipway of this flake knows no Go; update it: nix flake lock --update-input slipway"
            ),
        };
        Ok(Self {
            program: go::built(nix, project, flake, package, options)?,
            version,
        })
    }

    /// The name that selects a toolchain.
    fn toolchain(&self, version: &str) -> String {
        match self.version == Some(version) {
            true => "local".to_owned(),
            false => format!("go{version}"),
        }
    }
}

/// Whether a project has Go modules, or pins a Go toolchain for others.
pub fn is_wanted(root: &Path, config: &Config) -> bool {
    go::is_go(root) || config.go.version.is_some()
}

/// Pins the toolchain and the modules of a project. Keeps pins that still fit.
pub fn relock(
    nix: &Nix,
    project: &Project,
    config: &Config,
    old: Option<&lock::Go>,
    options: &seeds::Options,
) -> Result<lock::Go> {
    let (flake, own) = go::slipway_of(nix, &project.root)?;
    let defaults = Defaults::build(nix, project, &flake, &own, options)?;
    let table = Table::of(nix, &flake)?;
    let rows: Vec<&Row> = match config.sets.get("libraries") {
        Some(set) => {
            let is_in = |row: &&Row| {
                set.architectures
                    .iter()
                    .any(|it| it == row.name_in("debian"))
            };
            table.rows().filter(is_in).collect()
        }
        None => table.defaults(),
    };
    Ok(pin(&project.root, &config.go, &rows, old, &defaults)?.0)
}

/// Pins the toolchain and the modules of a project.
pub fn pin(
    root: &Path,
    config: &config::Go,
    rows: &[&Row],
    old: Option<&lock::Go>,
    defaults: &Defaults,
) -> Result<(lock::Go, Packages)> {
    let version = version(root, config, defaults)?;
    let is_default = defaults.version == Some(version.as_str()) && go::is_go(root);
    let mut pins = lock::Go::default();
    if !is_default {
        pins.toolchains = match old {
            Some(old) if old.version.as_ref() == Some(&version) => old.toolchains.clone(),
            _ => toolchains(&defaults.program, &version)?,
        };
        pins.version = Some(version.clone());
    }
    if !go::is_go(root) {
        return Ok((pins, Packages::default()));
    }
    let go = Go::new(
        defaults.program.clone(),
        defaults.toolchain(&version),
        root,
        &config.tags,
    );
    let vendored = go::is_vendored(root);
    let mut downloads = match vendored {
        true => Vec::new(),
        false => go.download()?,
    };
    // go.sum needs no line for a module that no package is imported from.
    let sums = Sums::read(root)?;
    downloads.retain(|row| sums.has(row));
    let packages = go.packages(rows)?;
    pins.tags.clone_from(&config.tags);
    pins.cgo = !packages.cgo.is_empty();
    pins.needs_cgo = packages.needs_cgo.iter().cloned().collect();
    pins.imports = packages.imports.iter().cloned().collect();
    pins.programs = packages.programs.iter().cloned().collect();
    if !vendored {
        let old = old.map_or(&[][..], |old| &old.modules);
        let found = modules(&go, &downloads, rows, old, &sums)?;
        pins.modules = found.modules.into_iter().collect();
        pins.mod_files = found.mod_files.into_iter().collect();
    }
    Ok((pins, packages))
}

/// The version of Go to use: the newest of what the project asks for and Slipway's default, if
/// slipway.toml does not name one.
fn version(root: &Path, config: &config::Go, defaults: &Defaults) -> Result<String> {
    if let Some(version) = &config.version {
        return Ok(version.clone());
    }
    let wanted = go::wanted_version(root)?;
    let known = defaults.version.map(String::from);
    known
        .into_iter()
        .chain(wanted)
        .max_by_key(|version| go::version_key(version))
        .context("no version of Go is known; name one as version in [go] of slipway.toml")
}

/// Downloads and pins a toolchain for each kind of build machine.
fn toolchains(client: &Path, version: &str) -> Result<Vec<GoToolchain>> {
    eprintln!("fetching Go {version}");
    let place = TempDir::new()?;
    let mut command = go::command(client, "local");
    command
        .current_dir(place.path())
        .args(["mod", "download", "-json"]);
    command.args(ARCHITECTURES.map(|it| format!("{TOOLCHAIN}@{}", toolchain_version(version, it))));
    let downloads = go::downloaded(&mut command).map_err(|error| {
        anyhow::anyhow!(
            "Go {version} could not be fetched; name a version that exists, in go.mod or as version in [go] of \
             slipway.toml: {error:#}"
        )
    })?;
    let mut pins = Vec::new();
    for (row, architecture) in downloads.iter().zip(ARCHITECTURES) {
        check_h1(row, &row.sum)?;
        let tree = place.path().join(architecture);
        copy_toolchain(&row.dir, &tree)?;
        pins.push(GoToolchain {
            architecture: architecture.to_owned(),
            h1: row.sum.clone(),
            sha256: nar::hash_of_tree(&tree)?,
        });
    }
    Ok(pins)
}

/// The pins of modules.
#[derive(Default)]
struct Pins {
    modules: BTreeSet<GoModule>,
    mod_files: BTreeSet<GoModFile>,
}

impl Pins {
    fn add(&mut self, row: &Downloaded, old: &[GoModule]) -> Result<()> {
        let is_same = |pin: &&GoModule| {
            pin.path == row.path && pin.version == row.version && pin.h1 == row.sum
        };
        let pin = match old.iter().find(is_same) {
            Some(pin) => pin.clone(),
            None => {
                check_h1(row, &row.sum)?;
                GoModule {
                    path: row.path.clone(),
                    version: row.version.clone(),
                    h1: row.sum.clone(),
                    sha256: nar::hash_of_tree(&row.dir).with_context(|| label(row))?,
                }
            }
        };
        self.modules.insert(pin);
        // Builds take go.mod from the module's files, and make one up for a module without it.
        let own = match fs::read(row.dir.join("go.mod")) {
            Ok(bytes) => bytes,
            Err(_) => format!("module {}\n", row.path).into_bytes(),
        };
        match fs::read(&row.go_mod).with_context(|| label(row))? == own {
            true => Ok(()),
            false => self.add_mod_file(row),
        }
    }

    fn add_mod_file(&mut self, row: &Downloaded) -> Result<()> {
        let bytes = fs::read(&row.go_mod).with_context(|| label(row))?;
        self.mod_files.insert(GoModFile {
            path: row.path.clone(),
            version: row.version.clone(),
            sha256: Sha256::of(&bytes),
        });
        Ok(())
    }
}

/// Pins the modules, and the go.mod files that the module graph needs besides.
fn modules(
    go: &Go,
    downloads: &[Downloaded],
    rows: &[&Row],
    old: &[GoModule],
    sums: &Sums,
) -> Result<Pins> {
    let mut pins = Pins::default();
    let place = TempDir::new()?;
    let cache = Cache(place.path());
    for row in downloads {
        pins.add(row, old)?;
        cache.link(row)?;
    }
    // List the packages with just these, as builds do. The go command adds what is missing.
    let before = cache.versions()?;
    let user = go::run(go.command().args(["env", "GOMODCACHE"]), "env")?;
    for row in rows {
        for cgo in ["0", "1"] {
            let mut command = go.command();
            command
                .args(["list", "-e", "-deps", "-test"])
                .args(go.selection())
                .arg(go.pattern())
                .envs(go::environment(row))
                .env("CGO_ENABLED", cgo)
                .env("GOFLAGS", "-modcacherw")
                .env("GOMODCACHE", cache.0)
                .env("GONOPROXY", "none")
                .env("GOPRIVATE", "")
                .env("GOPROXY", format!("file://{}/cache/download", user.trim()))
                .env("GOSUMDB", "off");
            go::run(&mut command, "list")?;
        }
    }
    for (row, has_files) in cache.versions()? {
        if before.contains_key(&row) {
            continue;
        }
        let row = cache.row(&row)?;
        match has_files {
            true => {
                sums.check(&row)?;
                pins.add(&row, old)?;
            }
            false => pins.add_mod_file(&row)?,
        }
    }
    Ok(pins)
}

/// A module cache. Source of the layout: The Go Reference, "Go Modules Reference", "Module cache".
struct Cache<'a>(&'a Path);

impl Cache<'_> {
    fn download(&self, path: &str, version: &str, kind: &str) -> PathBuf {
        let file = format!("{}.{kind}", escape(version));
        let directory = self.0.join("cache/download").join(escape(path));
        directory.join("@v").join(file)
    }

    fn files(&self, path: &str, version: &str) -> PathBuf {
        self.0.join(format!("{}@{}", escape(path), escape(version)))
    }

    /// Adds a module, as links.
    fn link(&self, row: &Downloaded) -> Result<()> {
        let files = self.files(&row.path, &row.version);
        let go_mod = self.download(&row.path, &row.version, "mod");
        for file in [&files, &go_mod] {
            let directory = file.parent().unwrap_or(self.0);
            fs::create_dir_all(directory)?;
        }
        symlink(&row.dir, files)?;
        symlink(&row.go_mod, go_mod)?;
        fs::write(self.download(&row.path, &row.version, "ziphash"), &row.sum)?;
        Ok(())
    }

    /// The paths and versions of which the cache has a go.mod, and whether it has the module's files.
    fn versions(&self) -> Result<BTreeMap<(String, String), bool>> {
        let mut found = BTreeMap::new();
        let top = self.0.join("cache/download");
        let mut directories = vec![top.clone()];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                    continue;
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                let below = directory.strip_prefix(&top)?.to_string_lossy().into_owned();
                if let (Some(version), Some(path)) =
                    (name.strip_suffix(".mod"), below.strip_suffix("/@v"))
                {
                    let (path, version) = (unescape(path), unescape(version));
                    let has_files = self.download(&path, &version, "ziphash").exists();
                    found.insert((path, version), has_files);
                }
            }
        }
        Ok(found)
    }

    fn row(&self, (path, version): &(String, String)) -> Result<Downloaded> {
        let ziphash = self.download(path, version, "ziphash");
        Ok(Downloaded {
            dir: self.files(path, version),
            go_mod: self.download(path, version, "mod"),
            sum: match ziphash.exists() {
                true => fs::read_to_string(ziphash)?,
                false => String::new(),
            },
            path: path.clone(),
            version: version.clone(),
            ..Downloaded::default()
        })
    }
}

/// Writes upper-case letters as the module cache does: an exclamation mark and the lower-case letter.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if letter.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(letter.to_ascii_lowercase());
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut unescaped = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '!' => unescaped.extend(letters.next().map(|letter| letter.to_ascii_uppercase())),
            _ => unescaped.push(letter),
        }
    }
    unescaped
}

/// The lines of go.sum and go.work.sum.
struct Sums(BTreeSet<String>);

impl Sums {
    fn read(root: &Path) -> Result<Self> {
        let mut lines = BTreeSet::new();
        for name in ["go.sum", "go.work.sum"] {
            match fs::read_to_string(root.join(name)) {
                Ok(text) => lines.extend(text.lines().map(|line| line.trim().to_owned())),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(e).with_context(|| format!("reading {name}")),
            }
        }
        Ok(Self(lines))
    }

    /// Whether go.sum has the module's hash.
    fn has(&self, row: &Downloaded) -> bool {
        let line = format!("{} {} {}", row.path, row.version, row.sum);
        self.0.contains(&line)
    }

    /// Fails if go.sum does not have the module's hash.
    fn check(&self, row: &Downloaded) -> Result<()> {
        if !self.has(row) {
            bail!(
                "go.sum has no line for {}; write it with: go mod tidy",
                label(row)
            );
        }
        Ok(())
    }
}

fn label(row: &Downloaded) -> String {
    format!("{} {}", row.path, row.version)
}

/// Fails if the files of a module in the module cache do not have this hash.
fn check_h1(row: &Downloaded, expected: &str) -> Result<()> {
    let prefix = format!("{}@{}", row.path, row.version);
    let got = h1(&row.dir, &prefix).with_context(|| format!("reading {}", row.dir.display()))?;
    if got != expected {
        bail!(
            "{} in Go's module cache was altered: its files have {got}, and {expected} is expected; remove it with: go \
             clean -modcache",
            label(row)
        );
    }
    Ok(())
}

/// The hash of a module's files. Source: `Hash1` of golang.org/x/mod/sumdb/dirhash.
fn h1(directory: &Path, prefix: &str) -> std::io::Result<String> {
    let mut files = Vec::new();
    collect(directory, prefix, &mut files)?;
    if prefix.starts_with(TOOLCHAIN) {
        files.retain(|(name, _)| !is_made_by_go(name));
    }
    files.sort();
    let mut hashes = Vec::new();
    for (name, path) in files {
        hashes.push((name, Sha256::of_reader(File::open(path)?)?));
    }
    Ok(hash_of_files(&hashes))
}

fn hash_of_files(hashes: &[(String, Sha256)]) -> String {
    let mut hasher = Hasher::default();
    for (name, hash) in hashes {
        hasher.update(format!("{hash}  {name}\n").as_bytes());
    }
    format!("h1:{}", STANDARD.encode(hasher.finish().as_bytes()))
}

fn collect(
    directory: &Path,
    name: &str,
    files: &mut Vec<(String, PathBuf)>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => collect(&entry.path(), &name, files)?,
            false => files.push((name, entry.path())),
        }
    }
    Ok(())
}

/// What a seed is, by its derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Toolchain,
    Files,
    ModFile,
}

/// A missing seed of Go.
pub struct Missing {
    pub path: String,
    pub version: String,
    pub part: Part,
    pub h1: String,
    pub sha256: Sha256,
}

impl Missing {
    fn label(&self) -> String {
        format!("{} {}", self.path, self.version)
    }
}

/// Downloads seeds with a go command, and calls `add` with each seed and its file or directory. The
/// user's settings of Go say where from; hashes were checked with the checksum database when they
/// were pinned, and are compared with the pins here.
pub fn fetch(
    client: &Path,
    missing: &[&Missing],
    mut add: impl FnMut(usize, &Path) -> Result<()>,
) -> Result<()> {
    let place = TempDir::new()?;
    write_sums(place.path(), missing)?;
    let command = || {
        let mut command = go::command(client, "local");
        command.current_dir(place.path()).env("GOSUMDB", "off");
        command
    };
    let argument = |it: &&&Missing| format!("{}@{}", it.path, it.version);
    let (files, mod_files): (Vec<&Missing>, Vec<&Missing>) =
        missing.iter().partition(|it| it.part != Part::ModFile);
    let mut rows = Vec::new();
    for chunk in files.chunks(CHUNK) {
        let mut command = command();
        command.args(["mod", "download", "-json"]);
        command.args(chunk.iter().map(|it| argument(&it)));
        rows.extend(go::downloaded(&mut command)?);
    }
    for chunk in mod_files.chunks(CHUNK) {
        let mut command = command();
        command.args(["list", "-m", "-json"]);
        command.args(chunk.iter().map(|it| argument(&it)));
        rows.extend(go::listed(&mut command)?);
    }
    for (number, it) in missing.iter().enumerate() {
        let is_it = |row: &&Downloaded| row.path == it.path && row.version == it.version;
        let wanted = rows.iter().filter(is_it);
        let Some(row) = wanted.max_by_key(|row| it.part != Part::ModFile && row.dir.exists())
        else {
            bail!("go did not download {}", it.label());
        };
        let copy = place.path().join(number.to_string());
        let got = match it.part {
            Part::ModFile => {
                fs::copy(&row.go_mod, &copy)?;
                Sha256::of(&fs::read(&copy)?)
            }
            Part::Files => {
                check_h1(row, &it.h1)?;
                copy_files(&row.dir, &copy, &|_| false)?;
                nar::hash_of_tree(&copy)?
            }
            Part::Toolchain => {
                check_h1(row, &it.h1)?;
                copy_toolchain(&row.dir, &copy)?;
                nar::hash_of_tree(&copy)?
            }
        };
        if got != it.sha256 {
            bail!(
                "{} does not have the files that slipway.lock pins: expected sha256 {}, got {got}; pin it again with: \
                 slipway lock",
                it.label(),
                it.sha256
            );
        }
        add(number, &copy)?;
    }
    Ok(())
}

/// Writes a go.sum with the hashes of toolchains. Without it, the go command takes toolchains only
/// with the checksum database.
fn write_sums(directory: &Path, missing: &[&Missing]) -> Result<()> {
    fs::write(directory.join("go.mod"), "module seeds\n")?;
    let go_mod = hash_of_files(&[("go.mod".to_owned(), Sha256::of(TOOLCHAIN_MOD))]);
    let mut sums = String::new();
    for it in missing.iter().filter(|it| it.part == Part::Toolchain) {
        let (path, version, h1) = (&it.path, &it.version, &it.h1);
        sums += &format!("{path} {version} {h1}\n{path} {version}/go.mod {go_mod}\n");
    }
    Ok(fs::write(directory.join("go.sum"), sums)?)
}

/// The go.mod of every toolchain.
const TOOLCHAIN_MOD: &[u8] = b"module golang.org/toolchain\n";

/// Most modules for one command, far below the limit of a command line.
const CHUNK: usize = 200;

/// Whether a file of a toolchain in the module cache is not in the module. A module has no go.mod
/// below its root, so that a toolchain has files `_go.mod`. The go command copies each of them to
/// `go.mod` when it first uses the toolchain.
fn is_made_by_go(name: &str) -> bool {
    name.ends_with("/go.mod")
}

/// Copies a toolchain, with the names and modes that the go command gives it when it uses it.
fn copy_toolchain(from: &Path, to: &Path) -> Result<()> {
    copy_files(from, to, &|below| {
        below.starts_with("bin") || below.starts_with("pkg/tool")
    })?;
    rename_mod_files(to)?;
    Ok(())
}

fn rename_mod_files(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            rename_mod_files(&entry.path())?;
        } else if entry.file_name() == "_go.mod" {
            fs::rename(entry.path(), directory.join("go.mod"))?;
        }
    }
    Ok(())
}

/// Copies a tree of files. `is_executable` gets the path below the tree.
fn copy_files(from: &Path, to: &Path, is_executable: &dyn Fn(&Path) -> bool) -> Result<()> {
    let mut files = Vec::new();
    collect(from, "", &mut files).with_context(|| format!("reading {}", from.display()))?;
    fs::create_dir(to)?;
    for (name, path) in files {
        let below = Path::new(name.trim_start_matches('/'));
        let copy = to.join(below);
        fs::create_dir_all(copy.parent().unwrap_or(to))?;
        fs::copy(&path, &copy).with_context(|| format!("copying {}", path.display()))?;
        let mode = if is_executable(below) { 0o755 } else { 0o644 };
        fs::set_permissions(&copy, Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_that_of_go_sum() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("sub")).unwrap();
        fs::write(place.path().join("go.mod"), "module example.com/m\n").unwrap();
        fs::write(place.path().join("sub/x.go"), "package sub\n").unwrap();
        // sha256 of the lines "HASH  example.com/m@v1.0.0/FILE", sorted by file
        assert_eq!(
            h1(place.path(), "example.com/m@v1.0.0").unwrap(),
            "h1:yvIZE/zCKQh+OgHNNAzERxd2RUy4wW47gkLm5AIN2iw="
        );
    }

    #[test]
    fn upper_case_is_escaped_as_in_the_module_cache() {
        let path = "github.com/BurntSushi/toml";
        assert_eq!(escape(path), "github.com/!burnt!sushi/toml");
        assert_eq!(unescape(&escape(path)), path);
    }

    #[test]
    fn module_without_its_line_in_go_sum_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("go.sum"), "example.com/m v1.0.0 h1:abc\n").unwrap();
        let sums = Sums::read(place.path()).unwrap();
        let mut row = Downloaded {
            path: "example.com/m".into(),
            version: "v1.0.0".into(),
            sum: "h1:abc".into(),
            ..Downloaded::default()
        };
        sums.check(&row).unwrap();
        row.sum = "h1:other".into();
        let error = sums.check(&row).unwrap_err().to_string();
        assert!(error.contains("go mod tidy"), "{error}");
    }
}
