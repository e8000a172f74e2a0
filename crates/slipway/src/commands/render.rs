use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Error, Result, bail};
use clap::ValueEnum;
use slipway_oci::Digest;
use slipway_registry::{Reference, Repository};

use crate::GlobalOptions;
use crate::cli::key_value::name_and_value;
use crate::cli::{progress, registry};
use crate::image::manifest_images::{self, name, scalar};
use crate::image::metadata_file::Metadata;

/// Print manifests of Kubernetes or Compose with images by their digests
///
/// Only images of containers and services change. Comments and formatting stay.
#[derive(clap::Args)]
pub struct Render {
    /// Manifest, directory of manifests or kustomization; - is standard input
    #[arg(value_name = "PATH")]
    manifests: PathBuf,

    /// Replace the image NAME, whatever its tag, with REF by the digest that the registry has for it
    /// (repeatable)
    #[arg(
        long = "image",
        value_name = "NAME=REF",
        value_parser = name_and_value,
        required_unless_present = "metadata_files"
    )]
    images: Vec<(String, String)>,

    /// Take digests from this file of `slipway build --metadata-file`, and replace the images that it
    /// names (repeatable)
    #[arg(long = "metadata-file", value_name = "FILE")]
    metadata_files: Vec<PathBuf>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Manifests)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,
}

/// The value of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The manifests
    Manifests,
    /// A component for kustomize, which replaces the images
    Kustomize,
}

/// Names of the file that makes a directory a kustomization. Source: kustomize,
/// `konfig.RecognizedKustomizationFileNames`.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The programs that render kustomizations, in the order in which they are tried.
const KUSTOMIZE: [[&str; 2]; 2] = [["kubectl", "kustomize"], ["kustomize", "build"]];

/// A text with manifests.
struct Manifests {
    /// For error messages.
    from: String,
    text: String,
}

impl Render {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let built = Built::read(&self.metadata_files)?;
        let manifests = read(&self.manifests)?;
        let mut used = BTreeMap::new();
        for one in &manifests {
            let images = manifest_images::images(&one.text).map_err(|error| one.fault(&error))?;
            used.extend(images.into_iter().map(|image| (image, None)));
        }
        let named = self.named(&used, &built)?;
        for (image, new) in &mut used {
            *new = match named.get(name(image)) {
                Some(new) => Some(new.clone()),
                None => built.find(image),
            };
        }
        if used.values().all(Option::is_none) {
            bail!(
                "{} uses no image that {} names; it uses {}",
                self.manifests.display(),
                shown(&self.metadata_files),
                list(&used)
            );
        }
        let text = match self.format {
            Format::Manifests => render(&manifests, &used)?,
            Format::Kustomize => component(&used),
        };
        print!("{text}");
        Ok(ExitCode::SUCCESS)
    }

    /// What the images of `--image` become, by name. Looks up each digest that is not known yet.
    fn named(
        &self,
        used: &BTreeMap<String, Option<Reference>>,
        built: &Built,
    ) -> Result<BTreeMap<String, Reference>> {
        let mut named = BTreeMap::new();
        for (name, reference) in &self.images {
            let reference: Reference = reference.parse().with_context(|| name.clone())?;
            if manifest_images::name(name) != name {
                bail!(
                    "--image {name}: it stands for every tag; write {}=…",
                    manifest_images::name(name)
                );
            }
            if !used
                .keys()
                .any(|image| manifest_images::name(image) == name)
            {
                let from = self.manifests.display();
                bail!("{from} uses no image {name}; it uses {}", list(used));
            }
            if named.insert(name.clone(), reference).is_some() {
                bail!("--image {name} is given twice");
            }
        }
        let unknown: Vec<Reference> = named
            .values()
            .filter(|it| it.digest().is_none() && built.digest(it).is_none())
            .cloned()
            .collect();
        let client = self.registry.client(&unknown)?;
        let progress = progress::for_stderr();
        for reference in named.values_mut() {
            let digest = match (reference.digest(), built.digest(reference)) {
                (Some(_), _) => continue,
                (None, Some(digest)) => digest,
                (None, None) => {
                    slipway_registry::resolve(&client, reference, progress.as_ref())?.digest
                }
            };
            // Some engines do not accept a tag beside a digest.
            *reference = reference.repository().pinned(digest);
        }
        Ok(named)
    }
}

/// The images that metadata files name.
struct Built {
    names: Vec<Reference>,
    digests: BTreeMap<Repository, Digest>,
}

impl Built {
    fn read(files: &[PathBuf]) -> Result<Self> {
        let (mut names, mut digests) = (Vec::new(), BTreeMap::new());
        for file in files {
            let metadata = Metadata::read(file)?;
            let new = metadata
                .names()
                .with_context(|| file.display().to_string())?;
            if new.is_empty() {
                bail!(
                    "{} has no name of an image; build it with --tag",
                    file.display()
                );
            }
            for name in new {
                let repository = name.repository().clone();
                let old = digests.insert(repository, metadata.digest);
                if old.is_some_and(|old| old != metadata.digest) {
                    bail!(
                        "{} and another metadata file have different images of {}",
                        file.display(),
                        name.repository()
                    );
                }
                names.push(name);
            }
        }
        Ok(Self { names, digests })
    }

    /// The digest of a name.
    fn digest(&self, name: &Reference) -> Option<Digest> {
        let repository = self.names.contains(name).then_some(name.repository())?;
        self.digests.get(repository).copied()
    }

    /// What an image of a manifest becomes, if it is from the same repository.
    fn find(&self, image: &str) -> Option<Reference> {
        let repository: Repository = name(image).parse().ok()?;
        let digest = self.digests.get(&repository)?;
        Some(repository.pinned(*digest))
    }
}

impl Manifests {
    fn fault(&self, error: &str) -> Error {
        anyhow::anyhow!("{}: {error}", self.from)
    }
}

fn read(path: &Path) -> Result<Vec<Manifests>> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("reading standard input")?;
        let from = "standard input".to_owned();
        return Ok(vec![Manifests { from, text }]);
    }
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    if KUSTOMIZATIONS.iter().any(|name| path.join(name).is_file()) {
        return Ok(vec![kustomize(path)?]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| {
        let end = file.extension().and_then(|end| end.to_str());
        file.is_file() && matches!(end, Some("yaml" | "yml" | "json"))
    });
    files.sort();
    if files.is_empty() {
        bail!(
            "{} has no .yaml, .yml or .json file; name the directory or file with the manifests",
            path.display()
        );
    }
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Result<Manifests> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Manifests {
        from: file.display().to_string(),
        // A byte order mark may only be at the start of a stream.
        text: text.trim_start_matches('\u{feff}').to_owned(),
    })
}

/// Runs kustomize. A kustomization puts its manifests together from those of other directories.
fn kustomize(directory: &Path) -> Result<Manifests> {
    let shown = directory.display();
    for [program, command] in KUSTOMIZE {
        let output = Command::new(program).arg(command).arg(directory).output();
        let output = match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            output => output.with_context(|| format!("running {program}"))?,
        };
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("{program} {command} {shown}: {}", message.trim());
        }
        return Ok(Manifests {
            from: format!("the output of {program} {command} {shown}"),
            text: String::from_utf8(output.stdout).context(program)?,
        });
    }
    bail!(
        "{shown} is a kustomization, and there is neither kubectl nor kustomize; install one of them"
    )
}

/// The manifests as one stream.
fn render(manifests: &[Manifests], used: &BTreeMap<String, Option<Reference>>) -> Result<String> {
    let mut stream = String::new();
    for one in manifests {
        let text = manifest_images::replace(&one.text, |image| {
            Some(used.get(image)?.as_ref()?.to_string())
        });
        let text = text.map_err(|error| one.fault(&error))?;
        if !stream.is_empty() {
            if !stream.ends_with('\n') {
                stream.push('\n');
            }
            if !text.starts_with("---") {
                stream += "---\n";
            }
        }
        stream += &text;
    }
    Ok(stream)
}

/// Source: kustomize, the kind Component and the field `images`.
fn component(used: &BTreeMap<String, Option<Reference>>) -> String {
    let mut text =
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n".to_owned();
    let new: BTreeMap<&str, &Reference> = used
        .iter()
        .filter_map(|(image, new)| Some((name(image), new.as_ref()?)))
        .collect();
    for (name, new) in new {
        let repository = new.repository().to_string();
        text += &format!("  - name: {}\n", scalar(name));
        text += &format!("    newName: {}\n", scalar(&repository));
        if let Some(digest) = new.digest() {
            text += &format!("    digest: {digest}\n");
        }
    }
    text
}

fn list(used: &BTreeMap<String, Option<Reference>>) -> String {
    match used.is_empty() {
        true => "none".to_owned(),
        false => used.keys().cloned().collect::<Vec<_>>().join(", "),
    }
}

fn shown(files: &[PathBuf]) -> String {
    let files = files.iter().map(|file| file.display().to_string());
    files.collect::<Vec<_>>().join(", ")
}
