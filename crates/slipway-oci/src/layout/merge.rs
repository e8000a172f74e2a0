//! Each platform is built by itself, perhaps on another machine; merging is all that is left to
//! do for an image that runs on all of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Layout, LayoutWriter};
use crate::{Document, Error, Index, MediaType, Result};

/// Makes the new layout `directory` with one image index over all images of `layouts`.
///
/// `index.json` names the index alone, and that names the manifests, sorted by platform: the
/// order of `layouts` does not matter. Blobs are copied, for a result that stands by itself, each
/// once; and checked.
pub fn merge(directory: &Path, layouts: &[Layout]) -> Result<Layout> {
    let mut images = BTreeMap::new();
    for layout in layouts {
        for image in layout.images()? {
            let platform = image.platform().clone();
            if let Some((first, _)) = images.insert(platform.clone(), (layout, image)) {
                return Err(Error::PlatformTwice {
                    platform: Box::new(platform),
                    first: first.directory().to_path_buf(),
                    second: layout.directory().to_path_buf(),
                });
            }
        }
    }

    let mut writer = LayoutWriter::create(directory)?;
    let mut manifests = Vec::new();
    for (layout, image) in images.values() {
        manifests.push(writer.add_image_of(layout, image)?);
    }
    let index = Document::new(MediaType::Index, Index::new(manifests))?;
    let top = writer.add_document(&index)?;
    writer.finish(top)
}
