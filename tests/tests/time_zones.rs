//! Time zones in the images of programs in Go and C, with Debian's tzdata. The example rust-web shows them in
//! Rust.

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::project::Project;
use end_to_end::requirement::{Requirement, met};

/// Prints noon of a summer's day (UTC) in a zone by its name, and in the zone of the container as Go and C
/// have it.
const PROGRAM: &str = r#"package main

/*
#include <time.h>

static void local(time_t when, char *text, size_t size) {
	struct tm parts;
	tzset();
	localtime_r(&when, &parts);
	strftime(text, size, "%H:%M %Z", &parts);
}
*/
import "C"

import (
	"fmt"
	"time"
)

func main() {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		panic(err)
	}
	var text [64]C.char
	C.local(C.time_t(noon.Unix()), &text[0], 64)
	fmt.Println(noon.In(zone).Format("15:04 MST"), noon.Local().Format("15:04 MST"), C.GoString(&text[0]))
}
"#;

#[test]
fn programs_in_go_and_c_know_time_zones() -> Result<()> {
    if !met(&[Requirement::Podman])? {
        return Ok(());
    }
    let project = Project::of(&[
        ("go.mod", "module example.com/zones\n\ngo 1.24\n"),
        ("main.go", PROGRAM),
    ])?;
    let platform = Platform::own()?;
    project.slipway(&["init"])?.text()?;
    project.slipway(&["add", "tzdata"])?.text()?;
    project.edit("flake.nix", |text| {
        text.replace(
            "src = ./.;",
            "src = ./.;\n      image.env.TZ = \"Europe/Berlin\";",
        )
    })?;
    project
        .slipway(&["build", "--platform", &platform.oci])?
        .text()?;
    let podman = Podman::new()?;
    let image = podman.load(&project.file("result").canonicalize()?, &platform)?;
    let printed = podman.run(&["--network=none"], &image, &[]).text()?;
    assert_eq!(printed, "21:00 JST 14:00 CEST 14:00 CEST\n");
    Ok(())
}
