//! What an image consists of, gathered from its documents alone: no layer is read, so that one in a
//! registry can be looked at without being fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};
use slipway_oci::{Digest, Document, Image, Index, Layout, MediaType, Platform};
use slipway_verify::Printable;

use crate::origin::{Origin, Package, origins};

/// Columns that a step of another tool may take on a line.
const STEP_WIDTH: usize = 100;

/// An image or an index of images.
pub struct Anatomy {
    /// What the layout holds, if that is an index.
    index: Option<Document<Index>>,
    images: Vec<Image>,
    /// Layers that images of several platforms have in common.
    shared: BTreeSet<Digest>,
}

impl Anatomy {
    /// Reads all images of a layout, or those for `platform`.
    pub fn read(layout: &Layout, platform: Option<&Platform>) -> Result<Self> {
        let top = layout.top()?;
        let all = layout.images()?;
        let mut seen = BTreeSet::new();
        let mut shared = BTreeSet::new();
        for image in &all {
            let own: BTreeSet<Digest> = image.layers().map(|(layer, _)| layer.digest).collect();
            shared.extend(own.iter().filter(|digest| !seen.insert(**digest)));
        }
        let images = match platform {
            None => all,
            Some(platform) => {
                // Says which there are, if there is none.
                layout.image(platform)?;
                let serves = |image: &Image| image.platform().serves(platform);
                all.into_iter().filter(serves).collect()
            }
        };
        let is_index = top.media_type.meaning() == MediaType::Index;
        Ok(Self {
            index: match is_index {
                true => Some(layout.read_index(top)?),
                false => None,
            },
            images,
            shared,
        })
    }

    /// Bytes of all layers, of which each counts once, and their number.
    fn layers(&self) -> (u64, usize) {
        let layers = self.images.iter().flat_map(Image::layers);
        let sizes: BTreeMap<Digest, u64> = layers.map(|(it, _)| (it.digest, it.size)).collect();
        (sizes.values().sum(), sizes.len())
    }

    /// `{"digest", "mediaType", "annotations", "size", "images": […]}`, where `digest` is that of the
    /// index, or else of the image, `annotations` are those of the index, null if there is none, and
    /// `size` the bytes of all layers, each counted once. An image is
    /// `{"platform", "digest", "mediaType", "config", "created", "entrypoint", "cmd", "env", "user",
    /// "workdir", "ports", "labels", "annotations", "size", "layers": […]}`, and a layer
    /// `{"digest", "diffId", "mediaType", "size", "shared", "storePaths", "packages", "step"}`: the
    /// paths of a Nix store in it, those of them that are Debian packages as `{"name", "version",
    /// "architecture", "storePath"}`, and for the layer of another tool the step that made it. What the
    /// image does not say is null or empty.
    pub fn to_json(&self) -> Value {
        let images: Vec<Value> = self.images.iter().map(|it| self.image_json(it)).collect();
        let index = self.index.as_ref();
        let image = self.images.first();
        let top = index.map(Document::descriptor);
        let top = top.or_else(|| image.map(|image| image.manifest().descriptor()));
        json!({
            "digest": top.map(|top| top.digest.to_string()),
            "mediaType": top.map(|top| top.media_type.as_str()),
            "annotations": index.map(|index| &index.value().annotations),
            "size": self.layers().0,
            "images": images,
        })
    }

    fn image_json(&self, image: &Image) -> Value {
        let manifest = image.manifest();
        let config = image.config().value();
        let execution = &config.config;
        let layers = image.layers().zip(origins(config));
        let layers = layers.map(|((layer, diff_id), origin)| {
            let (paths, step) = match &origin {
                Origin::StorePaths(paths) => (&paths[..], None),
                Origin::Step(step) => (&[][..], Some(step)),
                Origin::Unknown => (&[][..], None),
            };
            let packages = paths.iter().filter_map(|path| {
                let package = Package::of(path)?;
                Some(json!({
                    "name": package.name,
                    "version": package.version,
                    "architecture": package.architecture,
                    "storePath": path.as_str(),
                }))
            });
            json!({
                "digest": layer.digest.to_string(),
                "diffId": diff_id.to_string(),
                "mediaType": layer.media_type.as_str(),
                "size": layer.size,
                "shared": self.shared.contains(&layer.digest),
                "storePaths": paths.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
                "packages": packages.collect::<Vec<_>>(),
                "step": step,
            })
        });
        json!({
            "platform": image.platform().to_string(),
            "digest": manifest.descriptor().digest.to_string(),
            "mediaType": manifest.descriptor().media_type.as_str(),
            "config": image.config().descriptor().digest.to_string(),
            "created": config.created,
            "entrypoint": execution.entrypoint,
            "cmd": execution.cmd,
            "env": execution.env,
            "user": execution.user,
            "workdir": execution.working_dir,
            "ports": execution.exposed_ports.keys().collect::<Vec<_>>(),
            "labels": execution.labels,
            "annotations": manifest.value().annotations,
            "size": image.layers().map(|(layer, _)| layer.size).sum::<u64>(),
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    fn show_image(&self, image: &Image, f: &mut fmt::Formatter) -> fmt::Result {
        let config = image.config().value();
        let execution = &config.config;
        writeln!(f, "{}", image.platform())?;
        let mut fields: Vec<(&str, Vec<String>)> = vec![
            (
                "manifest",
                vec![image.manifest().descriptor().digest.to_string()],
            ),
            (
                "config",
                vec![image.config().descriptor().digest.to_string()],
            ),
            ("created", config.created.iter().cloned().collect()),
            ("entrypoint", words(&execution.entrypoint)),
            ("cmd", words(&execution.cmd)),
            ("env", execution.env.clone()),
            ("user", execution.user.iter().cloned().collect()),
            ("workdir", execution.working_dir.iter().cloned().collect()),
            ("ports", words_of(execution.exposed_ports.keys())),
            ("labels", pairs(&execution.labels, &BTreeMap::new())),
        ];
        // Those that are labels too need not be read twice.
        let annotations = &image.manifest().value().annotations;
        fields.push(("annotations", pairs(annotations, &execution.labels)));
        for (name, values) in fields {
            show_field(f, name, &values)?;
        }
        let size: u64 = image.layers().map(|(layer, _)| layer.size).sum();
        let count = image.layers().count();
        writeln!(f, "  layers      {count}, {} MB", megabytes(size))?;
        for ((layer, _), origin) in image.layers().zip(origins(config)) {
            let shared = match self.shared.contains(&layer.digest) {
                true => "shared",
                false => "",
            };
            let digest = &layer.digest.hex()[..12];
            let mut start = format!("{:>10} MB  {digest}  {shared:<6}", megabytes(layer.size));
            for line in lines(&origin) {
                writeln!(f, "{start}  {line}")?;
                start = " ".repeat(start.len());
            }
        }
        Ok(())
    }
}

impl fmt::Display for Anatomy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(index) = &self.index {
            let (size, layers) = self.layers();
            let images = match self.images.len() {
                1 => "1 image".to_owned(),
                count => format!("{count} images"),
            };
            let size = megabytes(size);
            writeln!(f, "index {}", index.descriptor().digest)?;
            writeln!(f, "  {images}, {layers} layers, {size} MB")?;
            let annotations = pairs(&index.value().annotations, &BTreeMap::new());
            show_field(f, "annotations", &annotations)?;
        }
        self.images.iter().try_for_each(|it| self.show_image(it, f))
    }
}

/// A value a line, the name before the first.
fn show_field(f: &mut fmt::Formatter, mut name: &str, values: &[String]) -> fmt::Result {
    for value in values.iter().filter(|value| !value.is_empty()) {
        writeln!(f, "  {name:<11} {}", Printable(value))?;
        name = "";
    }
    Ok(())
}

/// What is in a layer, a line each.
fn lines(origin: &Origin) -> Vec<String> {
    match origin {
        Origin::StorePaths(paths) => {
            let line = |path| match Package::of(path) {
                Some(package) => package.to_string(),
                None => path.name().to_owned(),
            };
            paths.iter().map(line).collect()
        }
        Origin::Step(step) => {
            let line = Printable(step).to_string();
            let short: String = line.chars().take(STEP_WIDTH).collect();
            let mark = if short.len() < line.len() { "…" } else { "" };
            vec![format!("{short}{mark}")]
        }
        Origin::Unknown => vec!["-".to_owned()],
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

/// The words of a command line, so that they can be told apart.
fn words(words: &[String]) -> Vec<String> {
    let quoted = |word: &String| match word.is_empty() || word.contains([' ', '\'', '"', '\\']) {
        true => format!("{word:?}"),
        false => word.clone(),
    };
    vec![words.iter().map(quoted).collect::<Vec<_>>().join(" ")]
}

fn words_of<'a>(words: impl Iterator<Item = &'a String>) -> Vec<String> {
    vec![words.cloned().collect::<Vec<_>>().join(" ")]
}

fn pairs(map: &BTreeMap<String, String>, without: &BTreeMap<String, String>) -> Vec<String> {
    let new = map
        .iter()
        .filter(|(name, value)| without.get(*name) != Some(value));
    new.map(|(name, value)| format!("{name}={value}")).collect()
}
