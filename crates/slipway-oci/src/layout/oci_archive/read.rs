//! Reads image archives from files: the tar of a layout, or the output of `docker save`, optionally
//! compressed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tar::EntryType;

use super::{DockerManifest, named};
use crate::compression::decoder;
use crate::layout::{DOCUMENT_LIMIT, Layout, LayoutWriter, check_document_size, parse};
use crate::staging::Staging;
use crate::{Descriptor, Digest, Document, Error, ImageConfig, Manifest, MediaType, Result};

/// Most files in an archive that are not blobs. Docker writes three for each layer.
const FILE_LIMIT: usize = 10_000;
/// Longest chain of links to a file in an archive.
const LINK_LIMIT: usize = 8;

/// Unpacks an archive, optionally compressed with gzip or zstd, into the new layout `directory`.
///
/// Files that do not belong to an image are skipped. Blobs are checked when they are read.
pub fn read(archive: &Path, directory: &Path) -> Result<Layout> {
    let files = Files::unpack(archive, Staging::beside(directory)?)?;
    let has = |name| files.staging.path().join(name).exists();
    if has("oci-layout") && has("index.json") {
        files.remove_others()?;
        // Open the layout at its final path, so that error messages name that path.
        files.staging.finish()?;
        return Layout::open(directory);
    }
    if files.others.contains_key(MANIFEST) {
        return files.translate(archive, directory);
    }
    Err(Error::NotAnArchive {
        archive: archive.to_path_buf(),
        reason: "it has neither the file oci-layout nor manifest.json".to_owned(),
    })
}

/// Lists the images in a Docker archive.
const MANIFEST: &str = "manifest.json";
/// Directory for files that are not blobs of a layout, until it is known what they are.
const OTHERS: &str = "others";

/// The files of an archive.
struct Files {
    /// Holds the blobs at their paths in a layout.
    staging: Staging,
    /// Files that do not belong to a layout, by name.
    others: BTreeMap<String, Other>,
}

enum Other {
    File(PathBuf),
    /// Target of a symbolic or hard link.
    Link(String),
}

impl Files {
    fn unpack(archive: &Path, staging: Staging) -> Result<Files> {
        let failed = || Error::io("read", archive);
        let mut files = Files {
            staging,
            others: BTreeMap::new(),
        };
        let others = files.staging.path().join(OTHERS);
        fs::create_dir(&others).map_err(Error::io("create", &others))?;
        let mut tar = tar::Archive::new(open(archive).map_err(failed())?);
        let entries = tar.entries().map_err(failed())?;
        for (number, entry) in entries.enumerate() {
            let mut entry = entry.map_err(failed())?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = plain(&name);
            let target = entry.link_name_bytes().unwrap_or_default();
            let target = String::from_utf8_lossy(&target).into_owned();
            let (path, is_other) = match (entry.header().entry_type(), blob(&name)) {
                (EntryType::Regular, Some(digest)) => (digest.blob_path().into(), false),
                (EntryType::Regular, None) if name == "oci-layout" || name == "index.json" => {
                    (PathBuf::from(&name), false)
                }
                (EntryType::Regular, None) => (Path::new(OTHERS).join(number.to_string()), true),
                (EntryType::Symlink, _) => {
                    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
                    files.add(archive, &name, Other::Link(format!("{directory}/{target}")))?;
                    continue;
                }
                (EntryType::Link, _) => {
                    files.add(archive, &name, Other::Link(target))?;
                    continue;
                }
                _ => continue,
            };
            let path = files.staging.path().join(path);
            let parent = path.parent().unwrap_or(&path);
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            let mut to = File::create(&path).map_err(Error::io("create", &path))?;
            io::copy(&mut entry, &mut to).map_err(Error::io("unpack", archive))?;
            if is_other {
                files.add(archive, &name, Other::File(path))?;
            }
        }
        Ok(files)
    }

    fn add(&mut self, archive: &Path, name: &str, other: Other) -> Result<()> {
        if self.others.len() == FILE_LIMIT {
            return Err(Error::TooMany {
                dir: archive.to_path_buf(),
                what: "files in an archive",
                limit: FILE_LIMIT,
            });
        }
        self.others.insert(name.to_owned(), other);
        Ok(())
    }

    fn remove_others(&self) -> Result<()> {
        let others = self.staging.path().join(OTHERS);
        fs::remove_dir_all(&others).map_err(Error::io("remove", &others))
    }

    /// Path of the unpacked file `name`.
    fn find(&self, archive: &Path, name: &str) -> Result<PathBuf> {
        let mut name = plain(name);
        for _ in 0..LINK_LIMIT {
            if let Some(digest) = blob(&name) {
                return Ok(self.staging.path().join(digest.blob_path()));
            }
            match self.others.get(&name) {
                Some(Other::File(path)) => return Ok(path.clone()),
                Some(Other::Link(target)) => name = plain(target),
                None => break,
            }
        }
        Err(Error::NotAnArchive {
            archive: archive.to_path_buf(),
            reason: format!("it has no file {name}, which its {MANIFEST} names"),
        })
    }

    fn document<T: DeserializeOwned>(&self, archive: &Path, name: &str) -> Result<T> {
        let path = self.find(archive, name)?;
        let read = || {
            let mut bytes = Vec::new();
            let file = File::open(&path)?;
            file.take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(Error::io("read", archive))?;
        let shown = archive.join(name);
        check_document_size(&shown.display().to_string(), bytes.len() as u64)?;
        parse(&shown, &bytes)
    }

    /// Converts a Docker archive to a layout. Configs and layers are kept byte for byte.
    fn translate(self, archive: &Path, directory: &Path) -> Result<Layout> {
        let mut taken = Taken {
            writer: LayoutWriter::create(directory)?,
            blobs: BTreeMap::new(),
        };
        let mut tops = Vec::new();
        let all: Vec<DockerManifest> = self.document(archive, MANIFEST)?;
        if all.is_empty() {
            return Err(Error::NotAnArchive {
                archive: archive.to_path_buf(),
                reason: format!("its {MANIFEST} names no image"),
            });
        }
        // Several images may share a config file, and taking a blob moves it. So read them all
        // first.
        let configs: Result<Vec<ImageConfig>> = all
            .iter()
            .map(|one| self.document(archive, &one.config))
            .collect();
        for (one, config) in all.into_iter().zip(configs?) {
            let path = self.find(archive, &one.config)?;
            let mut manifest = Manifest {
                schema_version: 2,
                media_type: Some(MediaType::Manifest),
                config: taken.take(path, |_| Ok(MediaType::Config))?,
                layers: Vec::new(),
                annotations: BTreeMap::new(),
            };
            for layer in &one.layers {
                let path = self.find(archive, layer)?;
                manifest.layers.push(taken.take(path, compression)?);
            }
            let manifest = Document::new(MediaType::Manifest, manifest)?;
            let top = Descriptor {
                platform: Some(config.platform),
                ..taken.writer.add_document(&manifest)?
            };
            match &one.repo_tags[..] {
                [] => tops.push(top),
                tags => tops.extend(tags.iter().map(|tag| named(&top, tag))),
            }
        }
        taken.writer.finish_named(tops)
    }
}

/// A layout being written, and the files that were moved into it as blobs.
struct Taken {
    writer: LayoutWriter,
    blobs: BTreeMap<PathBuf, Descriptor>,
}

impl Taken {
    fn take(
        &mut self,
        file: PathBuf,
        media_type: impl Fn(&Path) -> io::Result<MediaType>,
    ) -> Result<Descriptor> {
        if let Some(blob) = self.blobs.get(&file) {
            return Ok(blob.clone());
        }
        let media_type = media_type(&file).map_err(Error::io("read", &file))?;
        let blob = self.writer.move_blob(media_type, &file)?;
        self.blobs.insert(file, blob.clone());
        Ok(blob)
    }
}

/// Parses the path of a blob in a layout.
fn blob(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Normalizes a name: resolves `.` and `..`.
fn plain(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Detects the compression of a tar by its magic number. Source: RFC 1952, section 2.3.1; RFC 8878,
/// section 3.1.1.
fn compression(file: &Path) -> io::Result<MediaType> {
    let mut start = Vec::new();
    File::open(file)?.take(4).read_to_end(&mut start)?;
    Ok(match &start[..] {
        [0x1f, 0x8b, ..] => MediaType::LayerGzip,
        [0x28, 0xb5, 0x2f, 0xfd] => MediaType::LayerZstd,
        _ => MediaType::LayerTar,
    })
}

fn open(archive: &Path) -> io::Result<Box<dyn Read>> {
    let media_type = compression(archive)?;
    let file = BufReader::with_capacity(128 * 1024, File::open(archive)?);
    decoder(&media_type, file).unwrap_or_else(|| Err(io::ErrorKind::Unsupported.into()))
}
