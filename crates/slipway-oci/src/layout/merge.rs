//! Merges layouts into a multi-platform image. Each platform is built separately, possibly on
//! another machine.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Layout, LayoutWriter};
use crate::{
    Descriptor, Digest, Document, Error, Image, Index, MediaType, Platform, Result,
    shared_annotations,
};

/// One input of a merge.
pub struct Part {
    /// The user's name for it, for error messages.
    pub name: String,
    pub layout: Layout,
    /// Which of its blobs are copied.
    pub taken: Taken,
    /// Whether its images are dropped when another part has an image for the same platform.
    pub gives_way: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Everything,
    /// Everything except layers, which exist already where the index will be stored.
    Documents,
}

/// Creates the layout `directory` with one image index of all images in `layouts`: see
/// [`merge_parts`].
pub fn merge(directory: &Path, layouts: &[Layout]) -> Result<Layout> {
    let part = |layout: &Layout| Part {
        name: layout.directory().display().to_string(),
        layout: layout.clone(),
        taken: Taken::Everything,
        gives_way: false,
    };
    let parts: Vec<Part> = layouts.iter().map(part).collect();
    merge_parts(directory, &parts, BTreeMap::new())
}

/// Creates the layout `directory` with one image index of all images in the parts.
///
/// `index.json` contains only that index. The index lists the manifests sorted by platform, so the
/// order of the parts does not matter, and then the attestations of those images. Each blob
/// is copied once and checked, so the result is self-contained. Only the layers of parts with
/// [`Taken::Documents`] are not copied.
///
/// The index has the annotations that all images share, and `annotations`, which replace them.
pub fn merge_parts(
    directory: &Path,
    parts: &[Part],
    annotations: BTreeMap<String, String>,
) -> Result<Layout> {
    let mut images: BTreeMap<Platform, (&Part, Image)> = BTreeMap::new();
    for part in parts {
        for image in part.layout.images()? {
            let platform = image.platform().clone();
            let same = |other: &&Platform| other.matches(&platform) && platform.matches(other);
            let earlier = images.keys().find(same).and_then(|it| images.get(it));
            match earlier {
                None => {}
                Some(_) if part.gives_way => continue,
                Some((first, other)) if first.gives_way => {
                    let other = other.platform().clone();
                    images.remove(&other);
                }
                Some((first, _)) => {
                    return Err(Error::PlatformTwice {
                        platform: Box::new(platform),
                        first: first.name.clone(),
                        second: part.name.clone(),
                    });
                }
            }
            images.insert(platform, (part, image));
        }
    }

    let mut writer = LayoutWriter::create(directory)?;
    let mut manifests = Vec::new();
    for (part, image) in images.values() {
        manifests.push(match part.taken {
            Taken::Everything => writer.add_image_of(&part.layout, image)?,
            Taken::Documents => writer.add_image(image)?,
        });
    }
    let mut attestations: BTreeMap<Digest, Descriptor> = BTreeMap::new();
    for Part { layout, taken, .. } in parts {
        let mut attached = layout.about_images()?;
        attached.retain(|it| {
            let subject = it.subject();
            subject.is_none_or(|subject| manifests.iter().any(|it| it.digest == subject))
        });
        for blob in layout.blobs(&attached)? {
            let path = layout.blob_path(&blob);
            if *taken == Taken::Everything || path.exists() {
                writer.add_blob(&blob, &path)?;
            }
        }
        attestations.extend(attached.into_iter().map(|it| (it.digest, it)));
    }
    manifests.extend(attestations.into_values());
    let mut index = Index::new(manifests);
    index.annotations = shared_annotations(images.values().map(|(_, image)| image));
    index.annotations.extend(annotations);
    let top = writer.add_document(&Document::new(MediaType::Index, index)?)?;
    writer.finish(top)
}
