//! Pushes images. A tag is visible to everyone as soon as it is uploaded. Tags therefore come last,
//! after all their content, and clients pull either the old or the new image, never a partial one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;

use serde::Deserialize;
use slipway_oci::compression::Method;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Compression, Descriptor, Digest, Layout};

use crate::client::{Client, lock};
use crate::docker_manifests::{self, Translation};
use crate::manifest_tree::{Node, Tree};
use crate::manifests::{digest_of, put};
use crate::retry::Work;
use crate::session::{Action, Session};
use crate::upload::{BlobOutcome, ensure_blob};
use crate::{Error, Reference, Repository, Result};
use slipway_progress::{Progress, Task, count, size};

/// Gzip level for layers that are recompressed during a push: a compromise, since the user is
/// waiting.
const GZIP_LEVEL: i32 = 6;

/// A reference that resolves to the image after the push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub reference: Reference,
    pub digest: Digest,
    pub outcome: Outcome,
    /// The image in Docker's formats, if the registry does not accept OCI images. `digest` then
    /// refers to it.
    pub translated: Option<Descriptor>,
}

/// What the push had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reference already resolved to the image.
    Unchanged,
    /// The repository had the image already; only the reference was added.
    Tagged,
    /// The missing parts of the image were uploaded.
    Sent,
}

/// Pushes `top`, an image or index in `layout`, under each of the references.
///
/// A reference without a tag is pushed by digest only. A reference with a digest must have the
/// digest of `top`. Content that the registry has is not uploaded again: blobs are mounted from the
/// repositories pushed to before, from those of [`Client::mounting`] and from those of base images, if
/// they are on the same registry. Tags are uploaded when all repositories are complete. Registries that do not accept
/// OCI images get the same configs and layers in Docker's formats.
///
/// A reference that already resolves to `top` takes one request, apart from the API version check
/// and authentication.
pub fn push(
    client: &Client,
    layout: &Layout,
    top: &Descriptor,
    references: &[Reference],
    progress: &dyn Progress,
) -> Result<Vec<Pushed>> {
    for reference in references {
        if reference.digest().is_some_and(|it| it != top.digest) {
            return Err(Error::OtherPin(Box::new(reference.clone()), top.digest));
        }
    }
    let work = Work::new(progress);
    let mut targets = targets(client, references, &work)?;
    for target in &mut targets {
        target.look(top)?;
    }
    let pushed = send(layout, top, &mut targets, &client.mount_from, &work);
    progress.end();
    pushed?;
    let pushed = |target: &Target| {
        let translated = target.translated.as_ref().and_then(Tree::top);
        let translated = translated.map(|node| node.descriptor.clone());
        let outcome = target.outcomes.clone();
        outcome.into_iter().map(move |(reference, outcome)| Pushed {
            reference,
            digest: translated.as_ref().unwrap_or(top).digest,
            outcome,
            translated: translated.clone(),
        })
    };
    let pushed: Vec<Pushed> = targets.iter().flat_map(pushed).collect();
    // In the order of `references`.
    let find = |wanted: &Reference| pushed.iter().find(|it| it.reference == *wanted).cloned();
    Ok(references.iter().filter_map(find).collect())
}

/// The references to push in one repository.
struct Target<'a> {
    session: Session<'a>,
    references: Vec<Reference>,
    outcomes: Vec<(Reference, Outcome)>,
    /// The image in Docker's formats, if it replaces the original.
    translated: Option<Tree>,
}

fn targets<'a>(
    client: &'a Client,
    references: &[Reference],
    work: &'a Work<'a>,
) -> Result<Vec<Target<'a>>> {
    let mut targets: Vec<Target> = Vec::new();
    for reference in references {
        let repository = reference.repository();
        let known = targets
            .iter_mut()
            .find(|it| it.session.repository == *repository);
        match known {
            Some(target) if target.references.contains(reference) => {}
            Some(target) => target.references.push(reference.clone()),
            None => targets.push(Target {
                session: Session::open(client, repository, Action::Push, work)?,
                references: vec![reference.clone()],
                outcomes: Vec::new(),
                translated: None,
            }),
        }
    }
    Ok(targets)
}

impl Target<'_> {
    /// Checks which references already resolve to `top`.
    fn look(&mut self, top: &Descriptor) -> Result<()> {
        let mut present = false;
        for reference in &self.references {
            let name = name_of(reference, top);
            let unchanged = digest_of(&self.session, &name)? == Some(top.digest);
            present |= unchanged;
            let outcome = match unchanged {
                true => Outcome::Unchanged,
                false => Outcome::Sent,
            };
            self.outcomes.push((reference.clone(), outcome));
        }
        for (_, outcome) in &mut self.outcomes {
            if present && *outcome == Outcome::Sent {
                *outcome = Outcome::Tagged;
            }
        }
        Ok(())
    }

    fn lacks_content(&self) -> bool {
        self.outcomes.iter().any(|(_, it)| *it == Outcome::Sent)
    }

    fn is_unchanged(&self) -> bool {
        let mut outcomes = self.outcomes.iter();
        outcomes.all(|(_, it)| *it == Outcome::Unchanged)
    }

    /// Uploads all manifests except the top one, which is uploaded under its names.
    fn put_children(&mut self, image: &Image) -> Result<()> {
        let putting = self.translated.as_ref().unwrap_or(&image.tree);
        let Some((_, children)) = putting.nodes.split_last() else {
            return Ok(());
        };
        for child in children {
            let name = child.descriptor.digest.to_string();
            match put(&self.session, &name, child) {
                Err(refused @ Error::FormatRefused { .. }) if self.translated.is_none() => {
                    return self.translate(image, refused);
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn put_names(&mut self, image: &Image) -> Result<()> {
        for (reference, outcome) in self.outcomes.clone() {
            if outcome == Outcome::Unchanged {
                continue;
            }
            match self.put_name(&reference, image) {
                Err(refused @ Error::FormatRefused { .. }) if self.translated.is_none() => {
                    self.translate(image, refused)?;
                    self.put_name(&reference, image)?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn put_name(&self, reference: &Reference, image: &Image) -> Result<()> {
        match self.translated.as_ref().unwrap_or(&image.tree).top() {
            Some(top) => put(&self.session, &name_of(reference, &top.descriptor), top),
            None => Ok(()),
        }
    }

    /// Switches to Docker's formats and uploads all manifests except the top one in them.
    fn translate(&mut self, image: &Image, refused: Error) -> Result<()> {
        let host = self.session.repository.host();
        if let Some(pinned) = self.references.iter().find(|it| it.digest().is_some()) {
            return Err(Error::PinnedFormat {
                reference: Box::new(pinned.clone()),
                host: host.to_owned(),
            });
        }
        let progress = self.session.work.progress;
        progress.note(&format!(
            "warning: {refused}; pushing the same config and layers in Docker's formats"
        ));
        let recompressed = self.recompress(image)?;
        let Translation { tree, left_out } =
            docker_manifests::translate(&image.tree, &recompressed)?;
        for manifest in left_out {
            progress.note(&format!(
                "warning: {host} does not get manifest {manifest}, which is not an image: Docker's formats have no \
                 form for it"
            ));
        }
        if let Some(top) = tree.top() {
            let digest = top.descriptor.digest;
            progress.note(&format!("warning: the image has the digest {digest} there"));
        }
        self.translated = Some(tree);
        self.put_children(image)
    }

    /// Recompresses layers with gzip and uploads them. Returns the replacements by the digest of
    /// the original.
    fn recompress(&self, image: &Image) -> Result<BTreeMap<Digest, Descriptor>> {
        let layers: Vec<&Descriptor> =
            docker_manifests::layers_to_recompress(&image.tree).collect();
        if layers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let progress = self.session.work.progress;
        progress.note(
            "warning: zstd layers are compressed with gzip, as Docker's formats have no zstd",
        );
        let directory = tempfile::tempdir().map_err(Error::io("write", &env::temp_dir()))?;
        let compression = Compression::new(Method::Gzip, Some(GZIP_LEVEL))?;
        let mut writer = LayoutWriter::create(&directory.path().join("layers"))?;
        let recompress = |layer: &&Descriptor| {
            let made = writer.add_recompressed(image.layout, layer, compression)?;
            Ok((layer.digest, made))
        };
        let recompressed: BTreeMap<_, _> = layers.iter().map(recompress).collect::<Result<_>>()?;
        let layout = writer.finish_named(Vec::new())?;
        let blobs: Vec<Descriptor> = recompressed.values().cloned().collect();
        progress.start(&Task {
            verb: "pushing",
            what: &count(blobs.len(), "blob"),
            bytes: blobs.iter().map(|it| it.size).sum(),
        });
        send_blobs(&self.session, &layout, &blobs, &[])?;
        Ok(recompressed)
    }
}

/// The image to push.
struct Image<'a> {
    layout: &'a Layout,
    tree: Tree,
}

/// Returns the name to upload a manifest under: the tag, or else the digest.
fn name_of(reference: &Reference, top: &Descriptor) -> String {
    match reference.tag() {
        Some(tag) => tag.to_owned(),
        None => top.digest.to_string(),
    }
}

fn send(
    layout: &Layout,
    top: &Descriptor,
    targets: &mut [Target],
    mount_from: &[Repository],
    work: &Work,
) -> Result<()> {
    if targets.iter().all(Target::is_unchanged) {
        return Ok(());
    }
    let tree = Tree::walk(top, |descriptor| {
        let mut bytes = Vec::new();
        layout.copy_blob(descriptor, &mut bytes)?;
        Ok(bytes)
    })?;
    let image = Image { layout, tree };
    let tree = &image.tree;

    let mut have: Vec<Repository> = mount_from.to_vec();
    have.extend(bases(tree));
    let bytes: u64 = tree.blobs.iter().map(|blob| blob.size).sum();
    let times = targets.iter().filter(|it| it.lacks_content()).count();
    if times > 0 {
        work.progress.start(&Task {
            verb: "pushing",
            what: &count(tree.blobs.len() * times, "blob"),
            bytes: bytes * times as u64,
        });
    }
    for target in targets.iter_mut().filter(|it| it.lacks_content()) {
        let repository = target.session.repository.clone();
        let from: Vec<String> = have
            .iter()
            .filter(|it| it.host() == repository.host() && it.path() != repository.path())
            .map(|it| it.path().to_owned())
            .collect();
        send_blobs(&target.session, layout, &tree.blobs, &from)?;
        target.put_children(&image)?;
        have.push(repository);
    }
    for target in targets {
        target.put_names(&image)?;
    }
    Ok(())
}

/// The repositories of the base images that the manifests name. Source: OCI image-spec,
/// annotations.md, "Pre-Defined Annotation Keys".
fn bases(tree: &Tree) -> BTreeSet<Repository> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let base = |node: &Node| {
        let manifest: Manifest = serde_json::from_slice(&node.bytes).ok()?;
        let name = manifest
            .annotations
            .get("org.opencontainers.image.base.name")?;
        let reference: Reference = name.parse().ok()?;
        Some(reference.repository().clone())
    };
    tree.nodes.iter().filter_map(base).collect()
}

/// Uploads blobs in parallel. The first error stops all uploads.
fn send_blobs(
    session: &Session,
    layout: &Layout,
    blobs: &[Descriptor],
    from: &[String],
) -> Result<()> {
    let mut queue: Vec<&Descriptor> = blobs.iter().collect();
    // Start with the largest, so that it does not finish long after the others.
    queue.sort_by_key(|blob| std::cmp::Reverse(blob.size));
    let queue = Mutex::new(VecDeque::from(queue));
    let first_error = Mutex::new(None);
    let work = session.work;
    let run = || {
        while !work.stopped() {
            let Some(blob) = lock(&queue).pop_front() else {
                return;
            };
            match ensure_blob(session, layout, blob, from) {
                Ok(arrival) => {
                    let how = match arrival {
                        BlobOutcome::Present => "present",
                        BlobOutcome::Mounted => "mounted",
                        BlobOutcome::Sent => "pushed",
                    };
                    let step = format!("{}, {}", blob.digest, size(blob.size));
                    work.progress.step(&step, how);
                }
                Err(error) => {
                    work.stop.store(true, Ordering::Relaxed);
                    // Later errors are only `Stopped`.
                    lock(&first_error).get_or_insert(error);
                }
            }
        }
    };
    let threads = session.client.options.jobs.clamp(1, blobs.len().max(1));
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    match lock(&first_error).take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
