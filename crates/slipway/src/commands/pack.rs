use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, ArgGroup};
use slipway_nix::{Nix, PathInfo};
use slipway_oci::accounts::Account;
use slipway_oci::compression::Method;
use slipway_oci::config::{self, RuntimeConfig};
use slipway_oci::contents::{Content, Contents as Files, Directory};
use slipway_oci::healthcheck::{Healthcheck, HealthcheckOptions};
use slipway_oci::layer_plan::{MAX_LAYERS, Planned, plan};
use slipway_oci::{
    Closure, Image, LayerDir, LayerSource, Layout, Platform, StorePath, SystemFiles, Timestamp,
};
use slipway_registry::Reference;

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::key_value::name_and_value;
use crate::cli::progress;
use crate::image::entrypoint_detection;
use crate::image::export::{Destination, Export};
use crate::image::image_source::{self, Source};
use crate::image::image_table::{self, Row};
use crate::image::layer_cache::{LayerCache, Packing, Wanted};
use crate::project::{self, base_images};

/// Make an image from Nix store paths and their dependencies
///
/// No project is needed: slipway pack $(nix build --print-out-paths nixpkgs#hello) -o image
#[derive(clap::Args)]
#[command(group(ArgGroup::new("destination").args(["tags", "outputs", "load"]).required(true).multiple(true)))]
pub struct Pack {
    /// Store paths, or links to them such as ./result
    #[arg(required = true, value_name = "STORE_PATH")]
    paths: Vec<PathBuf>,

    /// Program to run instead of the first path's: a word (repeatable) or a JSON list; bin/NAME is
    /// looked up in the given store paths
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    entrypoint: Vec<Words>,

    /// Default arguments: a word (repeatable) or a JSON list
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    cmd: Vec<Words>,

    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    env: Vec<(String, String)>,

    /// User to run as: USER or USER:GROUP, as names or numbers
    #[arg(long)]
    user: Option<String>,

    /// Working directory
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,

    /// Copy a file or a tree to PATH in the image
    #[arg(long, value_name = "PATH=SOURCE[,mode=0640][,owner=USER:GROUP]", value_parser = content)]
    contents: Vec<(String, Content)>,

    /// Add an empty directory that the user may write to
    #[arg(long, value_name = "PATH[,mode=0700][,owner=USER:GROUP]", value_parser = directory)]
    writable: Vec<(String, Directory)>,

    /// Add a user to /etc/passwd and /etc/group
    #[arg(long, value_name = "NAME=UID[:GID[:HOME]]")]
    account: Vec<Account>,

    /// Add certificate authorities: a file in PEM format, or a directory with .crt files
    #[arg(long, value_name = "FILE")]
    certificates: Vec<PathBuf>,

    /// Port that the program listens on: 80, 80/tcp, 53/udp
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,

    /// Directory that engines mount a volume on
    #[arg(long, value_name = "DIR")]
    volume: Vec<String>,

    /// Signal that ends the program: SIGINT, 2
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,

    /// Docker's health check: {"test": ["CMD", "bin/app", "--check"], "interval": "30s"}
    #[arg(long, value_name = "JSON", value_parser = healthcheck)]
    healthcheck: Option<Healthcheck>,

    /// Shell of health checks: a word (repeatable) or a JSON list
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    shell: Vec<Words>,

    /// Set a label; org.opencontainers.* labels become annotations as well
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    label: Vec<(String, String)>,

    /// Set an annotation of the manifest
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    annotation: Vec<(String, String)>,

    /// Put the layers of this image below the others, and keep its settings: a layout, an archive or a
    /// reference in a registry
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,

    /// Maximum number of layers; the paths that the fewest others need share the last one
    #[arg(long, value_name = "N", default_value_t = MAX_LAYERS as u64, value_parser = RangedU64ValueParser::<u64>::new().range(1..=127))]
    max_layers: u64,

    /// zstd or gzip, with an optional level: gzip:9
    #[arg(long, value_name = "METHOD", default_value = "zstd:3", value_parser = packing_of, action = ArgAction::Set)]
    compression: Packing,

    /// Platform of the image, instead of that of its programs
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Creation time: seconds since 1970, or `now`
    #[arg(long, value_name = "SECONDS", default_value = "1", env = "SOURCE_DATE_EPOCH", value_parser = created)]
    created: Timestamp,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    export: Export,
}

/// Source: OCI image-spec, annotations.md, "Pre-Defined Annotation Keys".
const CREATED: &str = "org.opencontainers.image.created";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// Words of a command line.
#[derive(Clone)]
struct Words(Vec<String>);

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('[') {
            return Ok(Self(vec![text.to_owned()]));
        }
        serde_json::from_str(text)
            .map(Self)
            .map_err(|e| format!("it is not a JSON list of strings: {e}"))
    }
}

/// Parses `METHOD[:LEVEL]`. The default levels are lower than those of images that Nix builds,
/// because the user waits for this command.
fn packing_of(text: &str) -> Result<Packing, String> {
    let (method, level) = match text.split_once(':') {
        Some((method, level)) => (method, Some(level)),
        None => (text, None),
    };
    let method: Method = method.parse().map_err(|e| format!("{e}"))?;
    let level = match (level, method) {
        (Some(level), _) => level
            .parse()
            .map_err(|_| format!("{level:?} is not a level"))?,
        (None, Method::Zstd) => 3,
        (None, Method::Gzip) => 6,
    };
    let packing = Packing { method, level };
    packing.compression().map_err(|e| e.to_string())?;
    Ok(packing)
}

/// Parses `PATH=SOURCE[,mode=MODE][,owner=OWNER]`.
fn content(text: &str) -> Result<(String, Content), String> {
    let (text, Directory { mode, owner }) = attributes(text)?;
    match text.split_once('=') {
        Some((path, source)) if !path.is_empty() && !source.is_empty() => Ok((
            path.to_owned(),
            Content {
                source: source.into(),
                mode,
                owner,
            },
        )),
        _ => Err("it is not PATH=SOURCE".to_owned()),
    }
}

/// Parses `PATH[,mode=MODE][,owner=OWNER]`.
fn directory(text: &str) -> Result<(String, Directory), String> {
    let (path, directory) = attributes(text)?;
    Ok((path.to_owned(), directory))
}

/// Splits what begins with the first comma off a path.
fn attributes(text: &str) -> Result<(&str, Directory), String> {
    let mut parts = text.split(',');
    let path = parts.next().unwrap_or_default();
    let mut attributes = Directory::default();
    for part in parts {
        match part.split_once('=') {
            Some(("mode", mode)) => attributes.mode = Some(mode.to_owned()),
            Some(("owner", owner)) => attributes.owner = Some(owner.to_owned()),
            _ => {
                return Err(format!(
                    "{part:?} is neither mode=MODE nor owner=USER:GROUP"
                ));
            }
        }
    }
    Ok((path, attributes))
}

fn healthcheck(json: &str) -> Result<Healthcheck, String> {
    HealthcheckOptions::parse(json)
        .and_then(|options| options.healthcheck())
        .map_err(|e| e.to_string())
}

fn created(text: &str) -> Result<Timestamp, String> {
    let seconds = match text {
        "now" => SystemTime::UNIX_EPOCH
            .elapsed()
            .map_err(|e| e.to_string())?
            .as_secs()
            .try_into()
            .ok(),
        text => text.parse().ok(),
    };
    seconds
        .map(Timestamp::from_unix_seconds)
        .ok_or_else(|| "it is neither seconds since 1970 nor now".to_owned())
}

impl Pack {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let destination = self.export.check()?;
        let temp_dir = self.export.temp_dir()?;
        let layout = self.pack(directory, verbose, &temp_dir.path().join("layout"))?;
        let row = Row::read(layout.directory())?;
        match self.format {
            Format::Text => println!("{}\n{row}", image_table::head()),
            Format::Json => println!("{:#}", row.to_json()),
        }
        let push = self.export.push || destination == Some(Destination::Named);
        self.format.also(&self.export.export(&layout, push)?);
        Ok(ExitCode::SUCCESS)
    }

    fn pack(&self, directory: &Path, verbose: bool, place: &Path) -> Result<Layout> {
        let ports = config::ports(&self.expose)?;
        let nix = Nix::find(directory, verbose)?;
        let given = self
            .paths
            .iter()
            .map(|path| Ok(nix.store_path(&std::path::absolute(path)?)?))
            .collect::<Result<Vec<_>>>()?;
        if let Some(derivation) = given.iter().find(|path| path.name().ends_with(".drv")) {
            bail!("{derivation} is a derivation; build it, and pack what comes of it");
        }
        let infos = nix.closure(&given)?;
        let given: Vec<StorePath> = given
            .iter()
            .map(|path| path.as_str().parse())
            .collect::<Result<_, _>>()?;
        let closure = Contents::new(&infos)?;
        let runtime = RuntimeConfig {
            user: self.user.clone(),
            env: map_of(&self.env)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            entrypoint: self.entrypoint(&given, &closure)?,
            cmd: words(&self.cmd),
            working_dir: self.workdir.clone(),
            labels: map_of(&self.label),
            exposed_ports: ports,
            volumes: config::volumes(&self.volume),
            stop_signal: self.stop_signal.clone(),
            healthcheck: self.healthcheck(&given, &closure)?,
            shell: words(&self.shell),
        };
        runtime.check()?;
        let platform = self.platform(&given, &closure)?;

        let base = match &self.base {
            Some(name) => Some(Base::open(name, &platform)?),
            None => None,
        };
        let system = self.system(directory).transpose()?;
        let files = self.files(directory)?;
        let others = usize::from(system.is_some()) + usize::from(files.is_some());
        let (below, present) = base.as_ref().map_or_else(Default::default, |base| {
            let config = base.image.config().value();
            (config.rootfs.diff_ids.len(), config.store_paths())
        });
        let room = usize::try_from(self.max_layers)?.saturating_sub(others + below);
        let wanted = closure.layers(&present, room)?;
        let cache = project::cache()?.join("layers");
        let (mut writer, layers) = LayerCache::open(cache)?.layers(
            &wanted,
            self.compression,
            progress::for_stderr().as_ref(),
            place,
        )?;
        let sources: Vec<LayerSource> = system.iter().chain(&files).cloned().collect();
        let mut others = writer
            .pack(sources, self.compression.compression()?)?
            .into_iter();
        // Files that change with the project come last, as in images that Nix builds.
        let mut all = Vec::new();
        if system.is_some() {
            all.extend(others.next());
        }
        all.extend(layers.iter().map(LayerDir::layer).cloned());
        all.extend(others);
        let mut annotations = BTreeMap::new();
        if let Some(base) = &base {
            annotations.extend(base.annotations(self.base.as_deref())?);
        }
        annotations.extend(self.annotations());
        let mut image = Image::new(platform, runtime, self.created, annotations, &all)?;
        if let Some(base) = &base {
            writer.add_layers_of(base.source.layout(), &base.image)?;
            image = image.onto(&base.image)?;
        }
        let top = writer.add_image(&image)?;
        Ok(writer.finish(top)?)
    }

    /// The annotations. If the creation time was given, it is one.
    fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        if self.created != Timestamp::default() {
            annotations.insert(CREATED.to_owned(), self.created.to_string());
        }
        annotations.extend(map_of(&self.annotation));
        annotations
    }

    /// Users and certificates, if any are asked for.
    fn system(&self, directory: &Path) -> Option<slipway_oci::Result<LayerSource>> {
        if self.account.is_empty() && self.certificates.is_empty() {
            return None;
        }
        let certificates = self.certificates.iter();
        let system = SystemFiles {
            accounts: self.account.clone(),
            certificates: certificates.map(|file| directory.join(file)).collect(),
        };
        Some(system.files().map(LayerSource::Files))
    }

    /// The files of `--contents` and `--writable`, if there are any.
    fn files(&self, directory: &Path) -> Result<Option<LayerSource>> {
        let mut files = Files {
            accounts: self.account.iter().map(ToString::to_string).collect(),
            user: self.user.clone(),
            ..Files::default()
        };
        for (path, content) in &self.contents {
            let given = directory.join(&content.source);
            let source = given.canonicalize().with_context(|| {
                format!(
                    "{path} comes from {}, which cannot be read",
                    given.display()
                )
            })?;
            let content = Content {
                source,
                ..content.clone()
            };
            if let Some(first) = files.contents.insert(path.clone(), content.clone()) {
                bail!(
                    "{path} comes from {} and from {}; leave one of them out",
                    first.source.display(),
                    content.source.display()
                );
            }
        }
        files.writable.extend(self.writable.iter().cloned());
        let files = files.files()?;
        Ok((!files.is_empty()).then_some(LayerSource::Files(files)))
    }

    /// The entrypoint: the words of `--entrypoint`, or else the main program of the first path.
    fn entrypoint(&self, given: &[StorePath], closure: &Contents) -> Result<Vec<String>> {
        let mut entrypoint = words(&self.entrypoint);
        match entrypoint.first_mut() {
            Some(program) => *program = self.program("entrypoint", program, given, closure)?,
            None => {
                let program = given.first().and_then(entrypoint_detection::main_program);
                if let Some(program) = program {
                    let program = utf8(program)?;
                    eprintln!("entrypoint: {program}");
                    entrypoint.push(program);
                } else if self.cmd.is_empty() {
                    eprintln!(
                        "entrypoint: none, since {} does not say which program it is for; name one with --entrypoint",
                        self.paths[0].display()
                    );
                }
            }
        }
        Ok(entrypoint)
    }

    /// The health check. As `--entrypoint`, it can name a program by its path in a given path.
    fn healthcheck(&self, given: &[StorePath], closure: &Contents) -> Result<Option<Healthcheck>> {
        let mut healthcheck = self.healthcheck.clone();
        if let Some([kind, program, ..]) = healthcheck.as_mut().map(|check| &mut check.test[..]) {
            if kind == "CMD" && program.contains('/') {
                *program = self.program("health check", program, given, closure)?;
            }
        }
        Ok(healthcheck)
    }

    /// The path in the image of the program `name`, which is for `what`.
    fn program(
        &self,
        what: &str,
        name: &str,
        given: &[StorePath],
        closure: &Contents,
    ) -> Result<String> {
        if name.starts_with('/') {
            let path = Path::new(name);
            if !closure.holds(path) {
                bail!(
                    "{what} {name} is in none of the paths that are packed; give its store path too"
                );
            }
            if !entrypoint_detection::is_program(path) {
                bail!("{what} {name} is not an executable file");
            }
            return Ok(name.to_owned());
        }
        let below = match name.contains('/') {
            true => PathBuf::from(name),
            false => Path::new("bin").join(name),
        };
        let found = given
            .iter()
            .map(|path| path.as_path().join(&below))
            .find(|path| entrypoint_detection::is_program(path));
        match found {
            Some(program) => utf8(program),
            // The program may be found at run time through the given PATH.
            None if self.env.iter().any(|(name, _)| name == "PATH") => Ok(name.to_owned()),
            None => bail!(
                "{what} {name}: no path that is packed has a program {}",
                below.display()
            ),
        }
    }

    /// The platform of the image: the one given, else that of the programs, else this machine's.
    fn platform(&self, given: &[StorePath], closure: &Contents) -> Result<Platform> {
        let all = || closure.infos.keys().cloned().collect::<Vec<_>>();
        let of_programs = entrypoint_detection::platform(given)
            .or_else(|| entrypoint_detection::platform(&all()));
        match (&self.platform, of_programs) {
            (Some(named), Some(found)) if !found.matches(named) && !named.matches(&found) => {
                eprintln!("warning: the programs are for {found}, and the image says {named}");
                Ok(named.clone())
            }
            (Some(named), _) => Ok(named.clone()),
            (None, Some(found)) => {
                eprintln!("platform: {found}, which the programs are for");
                Ok(found)
            }
            (None, None) => {
                let own = entrypoint_detection::this_machine()?;
                eprintln!(
                    "platform: {own}, as this machine, since the programs name none or several"
                );
                Ok(own)
            }
        }
    }
}

/// The image of `--base`.
struct Base {
    source: Source,
    image: Image,
}

impl Base {
    fn open(name: &str, platform: &Platform) -> Result<Self> {
        let context = || format!("base image {name}");
        let client = base_images::client();
        let source = image_source::anywhere(name, &client, slipway_registry::Contents::Everything)
            .with_context(context)?;
        let image = source.layout().image(platform).with_context(context)?;
        Ok(Self { source, image })
    }

    /// What annotations say about a base image in a registry.
    fn annotations(&self, name: Option<&str>) -> Result<Vec<(String, String)>> {
        let reference = name.filter(|name| !image_source::is_local(name));
        let Some(reference) = reference.and_then(|name| name.parse::<Reference>().ok()) else {
            return Ok(Vec::new());
        };
        let digest = self.source.layout().top()?.digest;
        let name = match reference.tag() {
            Some(tag) => format!("{}:{tag}", reference.repository()),
            None => reference.repository().to_string(),
        };
        Ok(vec![
            (BASE_DIGEST.to_owned(), digest.to_string()),
            (BASE_NAME.to_owned(), name),
        ])
    }
}

/// The store paths in the image.
struct Contents<'a> {
    infos: BTreeMap<StorePath, &'a PathInfo>,
}

impl<'a> Contents<'a> {
    fn new(infos: &'a [PathInfo]) -> Result<Self> {
        let infos = infos
            .iter()
            .map(|info| Ok((info.path.as_str().parse()?, info)));
        Ok(Self {
            infos: infos.collect::<Result<_>>()?,
        })
    }

    fn holds(&self, path: &Path) -> bool {
        self.infos
            .keys()
            .any(|store_path| path.starts_with(store_path.as_path()))
    }

    /// The layers to make, lowest first, of what is not in `present`.
    fn layers(&self, present: &BTreeSet<StorePath>, limit: usize) -> Result<Vec<Wanted>> {
        let references = self.infos.iter().map(|(path, info)| {
            let references = info.references.iter().map(|path| path.as_str().parse());
            Ok((path.clone(), references.collect::<Result<_, _>>()?))
        });
        let closure = Closure::new(references.collect::<Result<_>>()?)?.beyond(present);
        let mut layers = Vec::new();
        for planned in plan(&closure, &[], limit)? {
            // No layers are ready-made here; the cache replaces them.
            let Planned::Pack(paths) = planned else {
                continue;
            };
            let infos: Vec<_> = paths
                .into_iter()
                .filter_map(|path| self.infos.get_key_value(&path))
                .collect();
            layers.push(Wanted {
                size: infos.iter().map(|(_, info)| info.nar_size).sum(),
                paths: infos
                    .into_iter()
                    .map(|(path, info)| (path.clone(), info.nar_hash.clone()))
                    .collect(),
            });
        }
        Ok(layers)
    }
}

fn words(given: &[Words]) -> Vec<String> {
    given.iter().flat_map(|words| words.0.clone()).collect()
}

/// A sorted map of the pairs. If a name is given twice, the last value counts.
fn map_of(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    pairs.iter().cloned().collect()
}

fn utf8(path: PathBuf) -> Result<String> {
    path.into_os_string()
        .into_string()
        .map_err(|path| anyhow!("{path:?} is not UTF-8, and an entrypoint must be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_a_method_with_an_optional_level() {
        let of = |text: &str| packing_of(text).map(|it| (it.method, it.level));
        assert_eq!(of("zstd"), Ok((Method::Zstd, 3)));
        assert_eq!(of("gzip"), Ok((Method::Gzip, 6)));
        assert_eq!(of("zstd:19"), Ok((Method::Zstd, 19)));
        for bad in ["", "xz", "zstd:", "zstd:x", "gzip:0", "gzip:10", "zstd:23"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn created_is_a_time_in_seconds_or_now() {
        assert_eq!(created("0").unwrap().to_string(), "1970-01-01T00:00:00Z");
        assert!(!created("now").unwrap().to_string().starts_with("1970"));
        for bad in ["", "-1", "2024-01-01", "4294967296"] {
            assert!(created(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_have_a_path_a_source_and_attributes() {
        let (path, file) = content("/etc/x=a=b,mode=0640,owner=1:2").unwrap();
        assert_eq!(
            (path.as_str(), file.source.to_str()),
            ("/etc/x", Some("a=b"))
        );
        assert_eq!(file.mode.as_deref(), Some("0640"));
        assert_eq!(file.owner.as_deref(), Some("1:2"));
        assert!(content("/x=y").unwrap().1.mode.is_none());
        for bad in ["/x", "=y", "/x=", "/x=y,", "/x=y,mode", "/x=y,user=1"] {
            assert!(content(bad).is_err(), "{bad}");
        }
        let (path, made) = directory("/var/lib/app,owner=app").unwrap();
        assert_eq!(
            (path.as_str(), made.owner.as_deref()),
            ("/var/lib/app", Some("app"))
        );
    }

    #[test]
    fn words_are_a_word_or_a_json_list() {
        let of = |text: &str| text.parse::<Words>().map(|words| words.0);
        assert_eq!(of("a b").unwrap(), ["a b"]);
        assert_eq!(of(r#"["a", "b"]"#).unwrap(), ["a", "b"]);
        assert!(of("[1]").is_err() && of("[a").is_err());
    }
}
