//! Registries show a tag as soon as it is put, to everyone. So a tag comes last, when all that it
//! leads to is there, and whoever pulls meets the old image or the new one, never a part of one.

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;

use slipway_oci::compression::Method;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Compression, Descriptor, Digest, Layout};

use crate::client::{Client, lock};
use crate::docker::{self, Translation};
use crate::documents::Tree;
use crate::manifests::{digest_of, put};
use crate::patience::Work;
use crate::progress::Progress;
use crate::session::{Action, Session};
use crate::upload::{Arrival, ensure_blob};
use crate::{Error, Reference, Repository, Result};

/// Of layers that are compressed on the way, when someone waits.
const GZIP_LEVEL: i32 = 6;

/// A reference that now stands for the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub reference: Reference,
    pub digest: Digest,
    pub outcome: Outcome,
    /// The image in Docker's formats, if the registry takes no OCI image. The digest is of this then.
    pub translated: Option<Descriptor>,
}

/// What it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stood for that image already.
    Unchanged,
    /// The registry had the image, under another name in the repository.
    Tagged,
    /// The image was sent, at least what was not there of it.
    Sent,
}

/// Pushes `top`, an image or an index in `layout`, under each of the references.
///
/// A reference without a tag is put under its digest alone; one with a digest must have that of
/// `top`. What a registry has is not sent again: blobs of the repositories pushed to before, and
/// of [`Client::mounting`], are mounted where these are on the same registry. Tags are put when everything
/// is in all repositories. A registry that takes no OCI images gets the same configs and layers in
/// Docker's formats.
///
/// A reference that stands for `top` already takes one request, beyond those that find out how the
/// registry wants to be asked.
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
    // In the order that they were asked for.
    let find = |wanted: &Reference| pushed.iter().find(|it| it.reference == *wanted).cloned();
    Ok(references.iter().filter_map(find).collect())
}

/// The references in one repository.
struct Target<'a> {
    session: Session<'a>,
    references: Vec<Reference>,
    outcomes: Vec<(Reference, Outcome)>,
    /// What is put in place of the image.
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
    /// Finds out which references stand for `top` already.
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

    /// Puts all that the image consists of, but for itself, which its names are for.
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

    /// Goes over to Docker's formats, and puts everything in these but for the image itself.
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
        let Translation { tree, left_out } = docker::translate(&image.tree, &recompressed)?;
        for manifest in left_out {
            progress.note(&format!(
                "warning: {host} does not get manifest {manifest}, which is no image: Docker's formats have no \
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

    /// Sends layers in the compression that Docker's formats have, and gives what takes the place of
    /// which.
    fn recompress(&self, image: &Image) -> Result<BTreeMap<Digest, Descriptor>> {
        let layers: Vec<&Descriptor> = docker::layers_to_recompress(&image.tree).collect();
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
        progress.start(blobs.len(), blobs.iter().map(|it| it.size).sum());
        send_blobs(&self.session, &layout, &blobs, &[])?;
        Ok(recompressed)
    }
}

/// What is pushed.
struct Image<'a> {
    layout: &'a Layout,
    tree: Tree,
}

/// What a manifest is put under: the tag, or else its digest.
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
    let bytes: u64 = tree.blobs.iter().map(|blob| blob.size).sum();
    let times = targets.iter().filter(|it| it.lacks_content()).count();
    if times > 0 {
        work.progress
            .start(tree.blobs.len() * times, bytes * times as u64);
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

/// Several at a time; the first error ends all.
fn send_blobs(
    session: &Session,
    layout: &Layout,
    blobs: &[Descriptor],
    from: &[String],
) -> Result<()> {
    let mut queue: Vec<&Descriptor> = blobs.iter().collect();
    // With the largest first no connection is left alone with it at the end.
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
                        Arrival::Present => "present",
                        Arrival::Mounted => "mounted",
                        Arrival::Sent => "pushed",
                    };
                    let name = blob.digest.to_string();
                    work.progress.done(&name, blob.size, how);
                }
                Err(error) => {
                    work.stop.store(true, Ordering::Relaxed);
                    // Those that are stopped by it come later and say less.
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
