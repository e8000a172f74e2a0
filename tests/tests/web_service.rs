//! The example rust-web in a container engine, on this machine and, with an emulator, for another one:
//! its image has files, users, time zones, a font and a directory to write to.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use end_to_end::address::free_address;
use end_to_end::command::CommandExt;
use end_to_end::http;
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};

/// The body of a page, once the service is there.
fn page(address: &str, path: &str) -> Result<String> {
    for _ in 0..600 {
        match http::get(address, path) {
            Ok((200, body)) => return Ok(body),
            Ok((status, body)) => bail!("{path}: {status} {body}"),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
    bail!("the service does not answer")
}

fn serves_what_its_image_has(platform: &Platform) -> Result<()> {
    if !met(&[Requirement::Podman, Requirement::Runs(platform)])? {
        return Ok(());
    }
    let podman = Podman::new()?;
    let image = podman.load(&nix_build(repository(), "example-rust-web")?, platform)?;
    let address = free_address()?;
    let options = ["--detach", "--network=host"];
    let id = podman.run(&options, &image, &[&address]).text()?;

    // The template, the time zones, and the directory that the user may write to.
    let first = page(&address, "/?zone=Asia/Tokyo")?;
    assert!(first.contains(" JST</p>"), "{first}");
    assert!(first.contains("Visit 1<"), "{first}");
    assert!(page(&address, "/")?.contains("Visit 2<"));
    // A tree of static files, and the font.
    assert!(page(&address, "/clock.css")?.contains("font-family"));
    assert!(page(&address, "/time.png?zone=Europe/Berlin")?.contains("PNG"));
    assert_eq!(http::get(&address, "/?zone=Nowhere")?.0, 404);

    podman.command(&["stop", id.trim()]).text()?;
    let code = podman.command(&["wait", id.trim()]).text()?;
    assert_eq!(code.trim(), "0");
    let settings = "{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}}";
    let settings = podman
        .command(&["image", "inspect", "--format", settings, &image])
        .text()?;
    assert!(settings.starts_with("1000:1000 /srv/www "), "{settings}");
    Ok(())
}

#[test]
fn serves_what_its_image_has_on_this_machine() -> Result<()> {
    serves_what_its_image_has(&Platform::own()?)
}

#[test]
fn serves_what_its_image_has_for_another_machine() -> Result<()> {
    serves_what_its_image_has(&Platform::foreign()?)
}
