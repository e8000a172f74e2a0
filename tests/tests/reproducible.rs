//! Builds are reproducible: Nix builds existing outputs again, and compares the bytes.

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::nix::{nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::repository::repository;

fn same_when_built_again(attribute: &str) -> Result<()> {
    nix_build(repository(), attribute)?;
    nix(repository())
        .args(["build", "--no-link", "--rebuild", &format!(".#{attribute}")])
        .text()
        .map(drop)
}

#[test]
fn packing_an_image_again_gives_the_same_bytes() -> Result<()> {
    for platform in Platform::defaults()? {
        same_when_built_again(&platform.image())?;
    }
    same_when_built_again("image")
}

#[test]
fn compiling_the_reporter_again_gives_the_same_bytes() -> Result<()> {
    same_when_built_again(&format!("reporter-{}", Platform::own()?.name))
}
