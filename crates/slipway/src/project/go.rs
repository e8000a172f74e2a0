//! Runs the go command, which knows what a program is made of. It is that of Slipway, with the user's
//! own settings of Go. If a project wants another version, it downloads that (`GOTOOLCHAIN`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use slipway_debian::lock::{GoProgram, Lock};
use slipway_nix::Nix;

use crate::cli::progress;
use crate::project::Project;
use crate::project::platform_table::Row;
use crate::project::seeds;
use crate::project::self_flake;

/// The go command of a project.
pub struct Go {
    program: PathBuf,
    /// The toolchain that the program runs as: `local`, its own, or one that it downloads, such as
    /// `go1.27.4`.
    toolchain: String,
    /// Directory of go.mod or go.work.
    root: PathBuf,
    tags: Vec<String>,
}

/// Whether a directory has Go modules.
pub fn is_go(directory: &Path) -> bool {
    ["go.mod", "go.work"]
        .iter()
        .any(|file| directory.join(file).is_file())
}

/// Whether the modules that a project uses are in its directory (`go mod vendor`).
pub fn is_vendored(root: &Path) -> bool {
    root.join("vendor/modules.txt").exists()
}

/// Builds a go command from Slipway's flake: its package `go`, the default toolchain, or `golang`,
/// Debian's go. Returns the path of the program.
pub fn built(
    nix: &Nix,
    project: &Project,
    flake: &str,
    package: &str,
    options: &seeds::Options,
) -> Result<PathBuf> {
    let (plan, _) = options.seed(nix, project, &[format!("{flake}#{package}")])?;
    nix.build(&plan, progress::for_stderr().as_ref())?;
    let Some(target) = plan.targets.first() else {
        bail!("{flake} has no package {package}");
    };
    Ok(PathBuf::from(target.output.as_str()).join("bin/go"))
}

/// The flake of Slipway that a project uses, and its slipway.lock.
pub fn slipway_of(nix: &Nix, root: &Path) -> Result<(String, Lock)> {
    let source = if self_flake::is_slipway(root) {
        nix.flake_source(".")?
    } else {
        let inputs = nix.flake_inputs(".").unwrap_or_default();
        match inputs
            .into_iter()
            .find(|input| self_flake::is_slipway(input))
        {
            Some(input) => input,
            None => nix.flake_source(&self_flake::flake_of_this_program()?)?,
        }
    };
    let lock = Lock::read(&source.join("slipway.lock"))?;
    Ok((format!("path:{}", source.display()), lock))
}

/// A package, as printed by `go list -json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Package {
    import_path: String,
    name: String,
    dir: String,
    standard: bool,
    dep_only: bool,
    module: Option<Module>,
    imports: Vec<String>,
    import_map: BTreeMap<String, String>,
    go_files: Vec<String>,
    cgo_files: Vec<String>,
    #[serde(rename = "CgoPkgConfig")]
    pkg_config: Vec<String>,
    #[serde(rename = "CgoLDFLAGS")]
    ldflags: Vec<String>,
    swig_files: Vec<String>,
    #[serde(rename = "SwigCXXFiles")]
    swig_cxx_files: Vec<String>,
    #[serde(rename = "FFiles")]
    fortran_files: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Module {
    path: String,
    main: bool,
    replace: Option<Box<Module>>,
    version: String,
    dir: String,
}

const FIELDS: &str = "ImportPath,Name,Dir,Standard,DepOnly,Module,Imports,ImportMap,GoFiles,CgoFiles,\
                      CgoPkgConfig,CgoLDFLAGS,SwigFiles,SwigCXXFiles,FFiles";

/// What `go list` tells of a project, for all of its platforms.
#[derive(Debug, Default)]
pub struct Packages {
    pub programs: BTreeSet<GoProgram>,
    /// Packages that the project's own packages import from elsewhere.
    pub imports: BTreeSet<String>,
    /// Packages that use cgo, outside the standard library, with what they link.
    pub cgo: BTreeMap<String, Links>,
    /// Those of them that cannot be compiled without cgo.
    pub needs_cgo: BTreeSet<String>,
}

/// What a package with cgo links.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// pkg-config modules.
    pub modules: BTreeSet<String>,
    /// Libraries, as in the linker option `-lNAME`.
    pub libraries: BTreeSet<String>,
}

/// A module, as printed by `go mod download -json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Downloaded {
    pub path: String,
    pub version: String,
    pub error: Option<String>,
    pub go_mod: PathBuf,
    pub dir: PathBuf,
    pub sum: String,
    pub go_mod_sum: String,
}

impl Go {
    pub fn new(program: PathBuf, toolchain: String, root: &Path, tags: &[String]) -> Self {
        Self {
            program,
            toolchain,
            root: root.to_owned(),
            tags: tags.to_vec(),
        }
    }

    /// A go command in the project's directory. Nothing from the environment changes what is built.
    pub fn command(&self) -> Command {
        let mut command = command(&self.program, &self.toolchain);
        command.current_dir(&self.root);
        command
    }

    /// Arguments that select what is compiled.
    pub fn selection(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if !is_vendored(&self.root) {
            arguments.push("-mod=readonly".to_owned());
        }
        if !self.tags.is_empty() {
            arguments.push(format!("-tags={}", self.tags.join(",")));
        }
        arguments
    }

    /// A pattern of the packages of the project's modules.
    pub fn pattern(&self) -> &'static str {
        match self.root.join("go.work").is_file() {
            true => "work",
            false => "./...",
        }
    }

    /// Lists what the programs are made of.
    pub fn packages(&self, rows: &[&Row]) -> Result<Packages> {
        let mut packages = Packages::default();
        for row in rows {
            let with: Vec<Package> = self.list(row, Cgo::On)?;
            if with.iter().any(Package::uses_cgo) {
                let without = self.list(row, Cgo::Off)?;
                packages.needs_cgo.extend(needs_cgo(&with, &without));
            }
            for package in with {
                self.add(package, &mut packages)?;
            }
        }
        if packages.programs.is_empty() {
            let tags = match self.tags.is_empty() {
                true => String::new(),
                false => format!(" with the tags {}", self.tags.join(", ")),
            };
            bail!(
                "{} has no program{tags}: no package main is in it, only libraries",
                self.root.display()
            );
        }
        Ok(packages)
    }

    fn list(&self, row: &Row, cgo: Cgo) -> Result<Vec<Package>> {
        let mut command = self.command();
        command
            .args(["list", "-deps"])
            .arg(format!("-json={FIELDS}"))
            .args(self.selection())
            .envs(environment(row));
        match cgo {
            Cgo::On => command.env("CGO_ENABLED", "1"),
            // Lists packages without files as well.
            Cgo::Off => command.env("CGO_ENABLED", "0").arg("-e"),
        };
        command.arg(self.pattern());
        stream(&run(&mut command, "list")?)
    }

    fn add(&self, package: Package, packages: &mut Packages) -> Result<()> {
        if package.standard {
            return Ok(());
        }
        self.refuse(&package)?;
        let path = &package.import_path;
        if package.uses_cgo() {
            let links = packages.cgo.entry(path.clone()).or_default();
            links.modules.extend(modules(&package.pkg_config));
            links.libraries.extend(libraries(&package.ldflags));
        }
        let Some(module) = package.module.as_ref().filter(|it| self.is_local(it)) else {
            return Ok(());
        };
        if package.name == "main" && module.main && !package.dep_only {
            packages.programs.insert(GoProgram {
                name: program_name(path).to_owned(),
                package: self.relative(Path::new(&package.dir))?,
            });
        }
        for import in &package.imports {
            let import = package.import_map.get(import).unwrap_or(import);
            if !matches!(import.as_str(), "C" | "unsafe") && !is_within(import, &module.path) {
                packages.imports.insert(import.clone());
            }
        }
        Ok(())
    }

    /// Whether the sources of a module are in the project.
    fn is_local(&self, module: &Module) -> bool {
        let replaced = module.replace.as_ref();
        module.main || replaced.is_some_and(|it| it.version.is_empty())
    }

    /// Refuses what a build cannot have.
    fn refuse(&self, package: &Package) -> Result<()> {
        let path = &package.import_path;
        if !package.swig_files.is_empty() || !package.swig_cxx_files.is_empty() {
            bail!(
                "{path} has SWIG files, and builds have no swig; generate the Go files, commit them, and remove the \
                 SWIG files from the package"
            );
        }
        if !package.fortran_files.is_empty() {
            bail!("{path} has Fortran files, and Slipway has no Fortran compiler");
        }
        let Some(module) = &package.module else {
            return Ok(());
        };
        let root = self.root.canonicalize()?;
        if self.is_local(module) && !Path::new(&module.dir).canonicalize()?.starts_with(&root) {
            bail!(
                "{} is replaced by {}, which is outside {}; a build has only the files in the project's directory. Make a \
                 directory above both the project (go work init), or require a version of the module",
                module.path,
                module.dir,
                self.root.display()
            );
        }
        Ok(())
    }

    /// The directory of a package as an argument of the go command: `./cmd/server`.
    fn relative(&self, directory: &Path) -> Result<String> {
        let root = self.root.canonicalize()?;
        let below = directory.canonicalize()?;
        let below = below.strip_prefix(&root)?;
        Ok(match below.to_string_lossy().as_ref() {
            "" => ".".to_owned(),
            below => format!("./{below}"),
        })
    }

    /// Downloads the modules of the project.
    pub fn download(&self) -> Result<Vec<Downloaded>> {
        let mut command = self.command();
        command.args(["mod", "download", "-json"]);
        downloaded(&mut command)
    }
}

/// Whether packages are listed with their files for cgo (`CGO_ENABLED`).
#[derive(Clone, Copy)]
enum Cgo {
    Off,
    On,
}

impl Package {
    /// Whether it has C code, and is not of the standard library, which can do without.
    fn uses_cgo(&self) -> bool {
        !self.standard && !self.cgo_files.is_empty()
    }
}

/// The packages that have no other files in place of those with C code.
fn needs_cgo(with: &[Package], without: &[Package]) -> BTreeSet<String> {
    let files: BTreeMap<&str, &[String]> = without
        .iter()
        .map(|it| (it.import_path.as_str(), &it.go_files[..]))
        .collect();
    with.iter()
        .filter(|package| package.uses_cgo())
        .filter(|package| {
            let files = files.get(package.import_path.as_str());
            let is_other = |file: &String| !package.go_files.contains(file);
            // A dependency that is not reached without cgo is not needed.
            let is_needed = package.name == "main" && !package.dep_only;
            files.map_or(is_needed, |files| !files.iter().any(is_other))
        })
        .map(|package| package.import_path.clone())
        .collect()
}

/// A go command without a project, which must be run with a toolchain such as `go1.27.4` or `local`.
pub fn command(program: &Path, toolchain: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("GOTOOLCHAIN", toolchain)
        .env("GO111MODULE", "on")
        .env("GOTELEMETRY", "off")
        .env("GOFLAGS", "");
    command
}

/// Runs `go mod download -json`.
pub fn downloaded(command: &mut Command) -> Result<Vec<Downloaded>> {
    let output = output(command)?;
    let rows: Vec<Downloaded> = stream(&String::from_utf8_lossy(&output.stdout))?;
    if let Some((row, error)) = rows.iter().find_map(|row| Some((row, row.error.as_ref()?))) {
        bail!(
            "{} {} could not be downloaded: {}{}",
            row.path,
            row.version,
            one_line(error),
            hint(error)
        );
    }
    if !output.status.success() {
        bail!(failure("mod download", &output.stderr));
    }
    Ok(rows)
}

/// Runs `go list -m -json`, which downloads go.mod files.
pub fn listed(command: &mut Command) -> Result<Vec<Downloaded>> {
    stream(&run(command, "list")?)
}

/// The variables with which Go compiles for a platform.
pub fn environment(row: &Row) -> Vec<(String, String)> {
    let variables = row.fields.get("go").and_then(|it| it.as_object());
    let variables = variables.into_iter().flatten();
    variables
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .chain([("GOOS".to_owned(), "linux".to_owned())])
        .collect()
}

/// Runs a go command. Returns what it prints.
pub fn run(command: &mut Command, name: &str) -> Result<String> {
    let output = output(command)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => bail!(failure(name, &output.stderr)),
    }
}

fn output(command: &mut Command) -> Result<Output> {
    let output = command.output();
    let program = Path::new(command.get_program());
    output.with_context(|| format!("{} could not be run", program.display()))
}

fn failure(name: &str, stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    format!("go {name}: {}{}", one_line(&said), hint(&said))
}

/// Joins the lines of an error of the go command. Leaves out downloads and long explanations.
fn one_line(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("go: downloading"))
        .take_while(|line| !line.starts_with("SECURITY ERROR"))
        .take(6)
        .collect();
    lines.join("; ").trim_start_matches("go: ").to_owned()
}

/// What to do after known errors.
fn hint(said: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["checksum mismatch"]) {
        ". The proxy has other files than go.sum; look at both, and name another proxy with GOPROXY if it is wrong"
    } else if says(&[
        "missing go.sum entry",
        "updates to go.mod needed",
        "updates to go.sum needed",
        "no required module provides package",
        "cannot find module providing package",
    ]) {
        ". Write go.mod and go.sum with: go mod tidy"
    } else if says(&[
        "could not read Username",
        "Permission denied",
        "401 Unauthorized",
        "terminal prompts disabled",
    ]) {
        ". If the module is private, set GOPRIVATE, and log in with git or a netrc file"
    } else if says(&["(replaced by "]) {
        ". A build has only the files in the project's directory; replace it by a directory in that, or require a version \
         of the module"
    } else if says(&["toolchain not available"]) {
        ". Name a version of Go that exists: version in [go] of slipway.toml, or the go line of go.mod"
    } else {
        ""
    }
}

/// Reads a sequence of JSON values.
fn stream<T: for<'a> Deserialize<'a>>(text: &str) -> Result<Vec<T>> {
    let rows: Result<Vec<T>, _> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect();
    rows.context("go printed what it should not")
}

/// The file name that `go build` gives a program. Source: `DefaultExecName` of cmd/go.
fn program_name(import_path: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|number| !number.starts_with('0') && number.parse::<u32>().is_ok())
    };
    match import_path.rsplit_once('/') {
        Some((rest, last)) if is_version(last) => rest.rsplit('/').next().unwrap_or(rest),
        Some((_, last)) => last,
        None => import_path,
    }
}

/// Whether a package is in the module.
fn is_within(package: &str, module: &str) -> bool {
    package
        .strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names of pkg-config modules, without options and conditions.
fn modules(arguments: &[String]) -> impl Iterator<Item = String> {
    let words = arguments.iter().flat_map(|it| it.split_whitespace());
    let mut is_operand = false;
    words
        .filter(move |word| {
            let is_operator = matches!(*word, ">=" | "<=" | "=" | ">" | "<");
            let skip = is_operator || is_operand || word.starts_with("--");
            is_operand = is_operator;
            !skip
        })
        .map(String::from)
}

/// Libraries that the C library and the compiler have.
const KNOWN: [&str; 12] = [
    "anl", "c", "crypt", "dl", "gcc", "gcc_s", "m", "pthread", "resolv", "rt", "stdc++", "util",
];

/// The libraries of linker options, without those that every program can link. A package that names
/// directories brings its own.
fn libraries(options: &[String]) -> Vec<String> {
    if options.iter().any(|option| option.starts_with("-L")) {
        return Vec::new();
    }
    options
        .iter()
        .filter_map(|option| option.strip_prefix("-l"))
        .filter(|name| !KNOWN.contains(name) && !name.starts_with(':'))
        .map(String::from)
        .collect()
}

/// The newest of the versions that go.mod and go.work ask for, in their lines `go` and `toolchain`.
/// Source of the formats: The Go Reference, "Go Modules Reference".
pub fn wanted_version(root: &Path) -> Result<Option<String>> {
    let mut wanted: Option<String> = None;
    for file in ["go.mod", "go.work"].map(|name| root.join(name)) {
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
        };
        for line in text.lines() {
            let words: Vec<&str> = line
                .split("//")
                .next()
                .unwrap_or(line)
                .split_whitespace()
                .collect();
            let version = match words[..] {
                ["go", version] => version,
                ["toolchain", name] => match name.strip_prefix("go") {
                    Some(version) => version.split('-').next().unwrap_or(version),
                    None => continue,
                },
                _ => continue,
            };
            let version = release_of(version);
            if wanted
                .as_ref()
                .is_none_or(|it| version_key(it) < version_key(&version))
            {
                wanted = Some(version);
            }
        }
    }
    Ok(wanted)
}

/// Since Go 1.21 the first release of a language version has a third number.
fn release_of(version: &str) -> String {
    let (key, _) = version_key(version);
    match key[..] {
        [1, minor] if minor >= 21 && version.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            format!("{version}.0")
        }
        _ => version.to_owned(),
    }
}

/// A key that orders versions: 1.27rc1, 1.27.0, 1.27.4.
pub fn version_key(version: &str) -> (Vec<u64>, (u64, u64)) {
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (numbers, suffix) = version.split_at(end);
    let numbers = numbers.split('.').map(|part| part.parse().unwrap_or(0));
    let number = |text: &str| text.parse().unwrap_or(0);
    let pre = match suffix {
        "" => (2, 0),
        rc if rc.starts_with("rc") => (1, number(&rc[2..])),
        beta => (0, number(beta.trim_start_matches(char::is_alphabetic))),
    };
    (numbers.collect(), pre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_named_after_its_package_without_a_major_version() {
        for (path, name) in [
            ("example.com/reporter", "reporter"),
            ("example.com/tool/v2", "tool"),
            ("example.com/tool/v2/cmd/server", "server"),
            ("example.com/v0", "v0"),
            ("reporter", "reporter"),
        ] {
            assert_eq!(program_name(path), name);
        }
    }

    #[test]
    fn packages_with_other_files_do_not_need_cgo() {
        let package = |path: &str, go: &[&str], cgo: &[&str]| Package {
            import_path: path.into(),
            go_files: go.iter().map(|it| (*it).into()).collect(),
            cgo_files: cgo.iter().map(|it| (*it).into()).collect(),
            ..Package::default()
        };
        let with = [
            package("kafka", &["config.go"], &["producer.go"]),
            package("sqlite", &[], &["sqlite.go"]),
            package("pure", &["pure.go"], &[]),
            package("unreached", &[], &["x.go"]),
            Package {
                name: "main".into(),
                ..package("program", &[], &["main.go"])
            },
        ];
        let without = [
            package("kafka", &["config.go"], &[]),
            package("sqlite", &["stub.go"], &[]),
            package("pure", &["pure.go"], &[]),
        ];
        assert!(needs_cgo(&with, &without).iter().eq(["kafka", "program"]));
    }

    #[test]
    fn pkg_config_modules_have_no_options_and_versions() {
        let words = |text: &str| modules(&[text.to_owned()]).collect::<Vec<_>>();
        assert_eq!(words("--static rdkafka >= 2.0 zlib"), ["rdkafka", "zlib"]);
        assert_eq!(words("gtk+-3.0"), ["gtk+-3.0"]);
    }

    #[test]
    fn libraries_are_those_that_a_package_does_not_bring() {
        let words = |text: &str| libraries(&text.split(' ').map(String::from).collect::<Vec<_>>());
        assert_eq!(words("-lpcap -lm -lpthread"), ["pcap"]);
        assert!(words("-L/x -lrdkafka").is_empty());
    }

    #[test]
    fn versions_are_ordered_as_go_orders_them() {
        let order = [
            "1.9",
            "1.21",
            "1.27beta1",
            "1.27rc1",
            "1.27rc2",
            "1.27.0",
            "1.27.10",
        ];
        assert!(order.is_sorted_by(|a, b| version_key(a) < version_key(b)));
    }

    #[test]
    fn newest_version_of_go_mod_and_go_work_counts() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(wanted_version(root.path()).unwrap(), None);
        fs::write(
            root.path().join("go.mod"),
            "module x\n\ngo 1.24 // language\n\ntoolchain go1.25.1\n",
        )
        .unwrap();
        assert_eq!(
            wanted_version(root.path()).unwrap().as_deref(),
            Some("1.25.1")
        );
        fs::write(root.path().join("go.work"), "go 1.28\n").unwrap();
        assert_eq!(
            wanted_version(root.path()).unwrap().as_deref(),
            Some("1.28.0")
        );
    }
}
