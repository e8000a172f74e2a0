//! A second build gives the same bytes: Nix builds again what it has, and compares.

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
fn images_are_the_same_when_packed_again() -> Result<()> {
    for platform in Platform::defaults()? {
        same_when_built_again(&platform.image())?;
    }
    same_when_built_again("image")
}

#[test]
fn the_reporter_is_the_same_when_compiled_again() -> Result<()> {
    same_when_built_again(&format!("reporter-{}", Platform::own()?.name))
}
