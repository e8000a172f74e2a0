//! Runs skopeo(1), an independent reader of image layouts.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::CommandExt;
use crate::platform::Platform;
use crate::requirement::Requirement;

pub const SKOPEO: Requirement = Requirement::Program("skopeo", "skopeo");

pub fn skopeo(arguments: &[&str]) -> Result<String> {
    Command::new("skopeo").args(arguments).text()
}

/// The options that choose the image of a platform.
pub fn choosing(platform: &Platform) -> Vec<&str> {
    let mut options = vec![
        "--override-os=linux",
        "--override-arch",
        platform.architecture(),
    ];
    if let Some(variant) = platform.variant() {
        options.extend(["--override-variant", variant]);
    }
    options
}

/// Runs `skopeo inspect` with options on an image layout.
pub fn inspect(layout: &Path, options: &[&str]) -> Result<Value> {
    let name = format!("oci:{}", layout.display());
    let text = skopeo(&[&["inspect"], options, &[&name]].concat())?;
    serde_json::from_str(&text).with_context(|| format!("skopeo inspect {name} printed: {text}"))
}
