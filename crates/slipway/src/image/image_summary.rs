//! Summarizes an image from its manifest and configuration. It needs no layers, so an image in a
//! registry can be inspected without a download of its layers. If the layers are here, it also tells
//! how a program in Go was built, and on request what each byte of the layers is for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};
use slipway_oci::{Digest, Document, Image, Index, Layout, MediaType, Platform, StorePath};
use slipway_progress::{count as counted, size};
use slipway_verify::{GoBuild, Printable};

use crate::image::go_build;
use crate::image::layer_contents::{File, LayerContents, Part};
use crate::image::layer_provenance::{Origin, Package, origins};

/// Maximum length, in columns, of a build step of another tool.
const STEP_WIDTH: usize = 100;

/// How much is told of the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What the manifest and the configuration tell.
    Documents,
    /// The sizes of what they contain.
    Layers,
    /// All files, too.
    Files,
}

/// An image, or an index of images.
pub struct ImageSummary {
    /// The index, if the layout contains one.
    index: Option<Document<Index>>,
    images: Vec<Image>,
    /// Layers that the images of several platforms share.
    shared: BTreeSet<Digest>,
    /// How the programs in Go that the images run were built, by the digest of the manifest.
    go: BTreeMap<Digest, GoBuild>,
    detail: Detail,
    /// What the layers contain, unless only documents are read.
    contents: BTreeMap<Digest, LayerContents>,
}

impl ImageSummary {
    /// Reads all images of a layout, or only those for `platform`.
    pub fn read(layout: &Layout, platform: Option<&Platform>, detail: Detail) -> Result<Self> {
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
            Some(platform) => vec![layout.image(platform)?],
        };
        let go = images.iter().filter_map(|image| {
            let digest = image.manifest().descriptor().digest;
            Some((digest, slipway_verify::go_build(layout, image)?))
        });
        let go = go.collect();
        let mut contents = BTreeMap::new();
        if detail > Detail::Documents {
            for (layer, diff_id) in images.iter().flat_map(Image::layers) {
                if let Entry::Vacant(entry) = contents.entry(layer.digest) {
                    entry.insert(LayerContents::read(layout, layer, diff_id)?);
                }
            }
        }
        let is_index = top.media_type.meaning() == MediaType::Index;
        Ok(Self {
            index: match is_index {
                true => Some(layout.read_index(top)?),
                false => None,
            },
            images,
            shared,
            go,
            detail,
            contents,
        })
    }

    /// The total size of all distinct layers in bytes, and their number.
    fn layers(&self) -> (u64, usize) {
        let layers = self.images.iter().flat_map(Image::layers);
        let sizes: BTreeMap<Digest, u64> = layers.map(|(it, _)| (it.digest, it.size)).collect();
        (sizes.values().sum(), sizes.len())
    }

    /// `{"digest", "mediaType", "annotations", "size", "images": […]}`. `digest` and `mediaType`
    /// describe the index, or the image if there is no index. `annotations` are those of the index,
    /// or null. `size` is the total size of all distinct layers in bytes.
    ///
    /// An image is `{"platform", "digest", "mediaType", "config", "created", "entrypoint", "cmd",
    /// "env", "user", "workdir", "ports", "volumes", "stopSignal", "healthcheck", "shell", "labels",
    /// "annotations", "go", "size", "layers": […]}`. `healthcheck` is as in the config, or null. `go`
    /// is the build information of the program, if it is in Go and the layers are here.
    ///
    /// A layer is `{"digest", "diffId", "mediaType", "size", "shared", "storePaths", "packages",
    /// "step"}`: `storePaths` are the Nix store paths in it; `packages` are those of them that are
    /// Debian packages, as `{"name", "version", "architecture", "storePath"}`; `step` is the build
    /// step that made the layer, if another tool made it. Fields that the image does not set are
    /// null or empty.
    ///
    /// If layers are read, images and layers also have `unpacked`, the bytes of their files, and
    /// layers have `contents`: `{"storePath", "package", "size", "count", "files"}` for each store
    /// path, and one with null for the files outside of all. `files` is null if they are not asked
    /// for.
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
        let runtime = &config.config;
        let layers = image.layers().zip(origins(config));
        let layers = layers.map(|((layer, diff_id), origin)| {
            let (paths, step) = match &origin {
                Origin::StorePaths(paths) => (&paths[..], None),
                Origin::Step(step) => (&[][..], Some(step)),
                Origin::Unknown => (&[][..], None),
            };
            let packages = paths.iter().filter_map(package_json);
            let mut found = json!({
                "digest": layer.digest.to_string(),
                "diffId": diff_id.to_string(),
                "mediaType": layer.media_type.as_str(),
                "size": layer.size,
                "shared": self.shared.contains(&layer.digest),
                "storePaths": paths.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
                "packages": packages.collect::<Vec<_>>(),
                "step": step,
            });
            if let Some(contents) = self.contents.get(&layer.digest) {
                let parts = contents.parts.iter().map(|part| self.part_json(part));
                found["unpacked"] = json!(contents.size());
                found["contents"] = parts.collect();
            }
            found
        });
        let mut found = json!({
            "platform": image.platform().to_string(),
            "digest": manifest.descriptor().digest.to_string(),
            "mediaType": manifest.descriptor().media_type.as_str(),
            "config": image.config().descriptor().digest.to_string(),
            "created": config.created,
            "entrypoint": runtime.entrypoint,
            "cmd": runtime.cmd,
            "env": runtime.env,
            "user": runtime.user,
            "workdir": runtime.working_dir,
            "ports": runtime.exposed_ports.keys().collect::<Vec<_>>(),
            "volumes": runtime.volumes.keys().collect::<Vec<_>>(),
            "stopSignal": runtime.stop_signal,
            "healthcheck": runtime.healthcheck,
            "shell": runtime.shell,
            "labels": runtime.labels,
            "annotations": manifest.value().annotations,
            "go": self.go_build(image).map(go_build::to_json),
            "size": image.layers().map(|(layer, _)| layer.size).sum::<u64>(),
            "layers": layers.collect::<Vec<_>>(),
        });
        if self.detail > Detail::Documents {
            found["unpacked"] = json!(self.unpacked(image).0);
        }
        found
    }

    fn part_json(&self, part: &Part) -> Value {
        let files = || part.files.iter().map(File::to_json).collect::<Vec<_>>();
        json!({
            "storePath": part.store_path.as_ref().map(StorePath::as_str),
            "package": part.store_path.as_ref().and_then(package_json),
            "size": part.size(),
            "count": part.files.len(),
            "files": (self.detail >= Detail::Files).then(files),
        })
    }

    /// The bytes of all files in an image's layers, and their number.
    fn unpacked(&self, image: &Image) -> (u64, usize) {
        let layers = image
            .layers()
            .filter_map(|(layer, _)| self.contents.get(&layer.digest));
        layers.fold((0, 0), |(size, count), layer| {
            (size + layer.size(), count + layer.count())
        })
    }

    fn go_build(&self, image: &Image) -> Option<&GoBuild> {
        self.go.get(&image.manifest().descriptor().digest)
    }

    fn show_image(&self, image: &Image, f: &mut fmt::Formatter) -> fmt::Result {
        let config = image.config().value();
        let runtime = &config.config;
        let healthcheck = runtime.healthcheck.as_ref();
        let healthcheck = healthcheck.map_or(&[][..], |check| &check.test);
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
            ("entrypoint", words(&runtime.entrypoint)),
            ("cmd", words(&runtime.cmd)),
            ("env", runtime.env.clone()),
            ("user", runtime.user.iter().cloned().collect()),
            ("workdir", runtime.working_dir.iter().cloned().collect()),
            ("ports", words_of(runtime.exposed_ports.keys())),
            ("volumes", words_of(runtime.volumes.keys())),
            ("stop signal", runtime.stop_signal.iter().cloned().collect()),
            ("healthcheck", words(healthcheck)),
            ("shell", words(&runtime.shell)),
            ("labels", pairs(&runtime.labels, &BTreeMap::new())),
        ];
        // Skip annotations that repeat a label.
        let annotations = &image.manifest().value().annotations;
        fields.push((
            "built with",
            self.go_build(image)
                .map(GoBuild::to_string)
                .into_iter()
                .collect(),
        ));
        fields.push(("annotations", pairs(annotations, &runtime.labels)));
        for (name, values) in fields {
            show_field(f, name, &values)?;
        }
        let bytes: u64 = image.layers().map(|(layer, _)| layer.size).sum();
        let count = image.layers().count();
        write!(f, "  layers      {count}, {}", size(bytes))?;
        if self.detail > Detail::Documents {
            let (bytes, files) = self.unpacked(image);
            write!(f, "; {} in {}", size(bytes), counted(files, "file"))?;
        }
        writeln!(f)?;
        for ((layer, _), origin) in image.layers().zip(origins(config)) {
            let shared = match self.shared.contains(&layer.digest) {
                true => "shared",
                false => "",
            };
            if let Some(contents) = self.contents.get(&layer.digest) {
                writeln!(f, "  {}", format!("{}  {shared}", layer.digest).trim_end())?;
                if let Origin::Step(step) = &origin {
                    writeln!(f, "    {}", short(step))?;
                }
                writeln!(f, "    {:>10}  compressed", layer.size)?;
                self.show_contents(contents, f)?;
                continue;
            }
            let digest = &layer.digest.hex()[..12];
            let mut start = format!("{:>13}  {digest}  {shared:<6}", size(layer.size));
            for line in lines(&origin) {
                writeln!(f, "{start}  {line}")?;
                start = " ".repeat(start.len());
            }
        }
        Ok(())
    }

    /// Writes the sizes in bytes, so that they can be added up.
    fn show_contents(&self, contents: &LayerContents, f: &mut fmt::Formatter) -> fmt::Result {
        let files = counted(contents.count(), "file");
        writeln!(f, "    {:>10}  in {files}", contents.size())?;
        for part in &contents.parts {
            let name = match &part.store_path {
                Some(path) => name(path),
                None => "files outside of the store".to_owned(),
            };
            let files = counted(part.files.len(), "file");
            writeln!(f, "    {:>10}    {name}, {files}", part.size())?;
            let listed = match self.detail {
                Detail::Files => &part.files[..],
                _ => &[],
            };
            for file in listed {
                let path = Printable(part.relative(file));
                write!(f, "    {:>10}      {path}", file.size)?;
                match file.target() {
                    Some(target) => writeln!(f, " -> {}", Printable(target))?,
                    None => writeln!(f)?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for ImageSummary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(index) = &self.index {
            let (bytes, layers) = self.layers();
            let images = match self.images.len() {
                1 => "1 image".to_owned(),
                count => format!("{count} images"),
            };
            let size = size(bytes);
            writeln!(f, "index {}", index.descriptor().digest)?;
            writeln!(f, "  {images}, {layers} layers, {size}")?;
            let annotations = pairs(&index.value().annotations, &BTreeMap::new());
            show_field(f, "annotations", &annotations)?;
        }
        self.images.iter().try_for_each(|it| self.show_image(it, f))
    }
}

/// Writes one value per line, with the name before the first.
fn show_field(f: &mut fmt::Formatter, mut name: &str, values: &[String]) -> fmt::Result {
    for value in values.iter().filter(|value| !value.is_empty()) {
        writeln!(f, "  {name:<11} {}", Printable(value))?;
        name = "";
    }
    Ok(())
}

/// The content of a layer, one entry per line.
fn lines(origin: &Origin) -> Vec<String> {
    match origin {
        Origin::StorePaths(paths) => paths.iter().map(name).collect(),
        Origin::Step(step) => vec![short(step)],
        Origin::Unknown => vec!["-".to_owned()],
    }
}

/// The Debian package in a store path, or the path without its hash.
fn name(path: &StorePath) -> String {
    match Package::of(path) {
        Some(package) => package.to_string(),
        None => path.name().to_owned(),
    }
}

/// The start of a build step.
fn short(step: &str) -> String {
    let line = Printable(step).to_string();
    let short: String = line.chars().take(STEP_WIDTH).collect();
    let mark = if short.len() < line.len() { "…" } else { "" };
    format!("{short}{mark}")
}

fn package_json(path: &StorePath) -> Option<Value> {
    let package = Package::of(path)?;
    Some(json!({
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "storePath": path.as_str(),
    }))
}

/// The words of a command line, joined by spaces. Quotes a word that is empty or contains a space,
/// a quote or a backslash.
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
