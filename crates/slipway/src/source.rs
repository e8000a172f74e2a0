//! An image is named by where it lies; what works on images works on layouts, wherever they came from.

use std::path::Path;

use anyhow::{Result, bail};
use slipway_oci::Layout;

/// What is wanted of an image that is not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Indexes, manifests and configs.
    Documents,
    /// The layers too.
    Everything,
}

/// Opens the image that a user named: a directory is an image layout.
pub fn open(image: &str, _contents: Contents) -> Result<Layout> {
    let path = Path::new(image);
    if !path.exists() {
        bail!("{image} is no directory; name an image layout, such as ./result");
    }
    Ok(Layout::open(path)?)
}
