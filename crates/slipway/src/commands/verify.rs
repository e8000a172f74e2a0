use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slipway_oci::Platform;
use slipway_registry::Contents;
use slipway_verify::{GlibcVersion, Portable, PortableFault, Report, is_sound, portable};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::image::go_build;
use crate::image::image_source;

/// Check that an image is complete and can start
///
/// Checks every digest and size; that every ELF file is for the image's platform and finds its
/// loader, libraries and symbols; that the entrypoint exists and can be run; and that nothing is
/// setuid, setgid, a device or world-writable. Prints a line for each fault and warning, and exits
/// with 1 if there is a fault. With --glibc, checks a program outside an image, and the libraries
/// that it finds relative to itself.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    source: image_source::Options,

    /// Check that the file IMAGE is a program or shared library for Linux systems with this glibc or a
    /// later one
    #[arg(long, value_name = "VERSION", conflicts_with = "platform")]
    glibc: Option<GlibcVersion>,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Verify {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        if let Some(glibc) = &self.glibc {
            return self.verify_program(glibc);
        }
        let source = self.source.open(Contents::Everything)?;
        let reports = slipway_verify::verify(source.layout(), self.source.platform.as_ref())?;
        match self.format {
            Format::Text => reports.iter().for_each(|report| println!("{report}")),
            Format::Json => println!("{:#}", json(&reports)),
        }
        Ok(match is_sound(&reports) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    fn verify_program(&self, glibc: &GlibcVersion) -> Result<ExitCode> {
        let path = self.source.image.as_str();
        let files =
            portable(Path::new(path), Some(glibc)).with_context(|| format!("reading {path}"))?;
        let is_ok = files.iter().all(|file| file.faults.is_empty());
        match self.format {
            Format::Text => {
                for file in &files {
                    let path = file.path.display();
                    for fault in &file.faults {
                        println!("{path}: {fault}");
                    }
                    if file.faults.is_empty() {
                        println!("{path}: {}", needs(file));
                    }
                }
            }
            Format::Json => println!("{:#}", json_of_files(&files)),
        }
        Ok(match is_ok {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// What a file needs of a system, in a line.
fn needs(file: &Portable) -> String {
    let glibc = match &file.glibc {
        Some(glibc) => format!("needs glibc {glibc}"),
        None => "needs no glibc".to_owned(),
    };
    match &file.libraries[..] {
        [] => glibc,
        libraries => format!("{glibc} and {}", libraries.join(", ")),
    }
}

/// `{"ok", "loader", "glibc", "libraries", "bundled", "findings": [{"fault", "file", "message"}]}`, of a program and the
/// libraries that come with it. `glibc` is the oldest that all of them run with.
fn json_of_files(files: &[Portable]) -> Value {
    let findings = files.iter().flat_map(|file| {
        let of_fault = move |fault: &PortableFault| {
            json!({
                "fault": fault.name(),
                "file": file.path.display().to_string(),
                "message": fault.to_string(),
            })
        };
        file.faults.iter().map(of_fault)
    });
    let glibc = files.iter().filter_map(|file| file.glibc.as_ref()).max();
    let libraries: BTreeSet<&String> = files.iter().flat_map(|file| &file.libraries).collect();
    let bundled = files.iter().skip(1).map(|file| file.path.display());
    json!({
        "ok": files.iter().all(|file| file.faults.is_empty()),
        "loader": files.first().and_then(|file| file.loader.as_ref()),
        "glibc": glibc.map(GlibcVersion::to_string),
        "libraries": libraries,
        "bundled": bundled.map(|path| path.to_string()).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

/// `{"ok", "images": [{"platform", "digest", "ok", "machineKnown", "layers", "files", "programs",
/// "libraries", "entrypoint", "go", "findings": [{"fault", "subject", "message", "warning"}]}]}`.
/// `platform`, `entrypoint` and `go`, the build information of a program in Go, may be null. `fault` is a code that stays the same between versions.
fn json(reports: &[Report]) -> Value {
    let image = |report: &Report| {
        let findings = report.findings.iter().map(|finding| {
            json!({
                "fault": finding.fault.name(),
                "subject": finding.subject,
                "message": finding.fault.to_string(),
                "warning": finding.fault.is_warning(),
            })
        });
        json!({
            "platform": report.platform.as_ref().map(Platform::to_string),
            "digest": report.digest.to_string(),
            "ok": report.faults() == 0,
            "machineKnown": report.machine_known,
            "layers": report.layers,
            "files": report.files,
            "programs": report.counts.programs,
            "libraries": report.counts.libraries,
            "entrypoint": report.entrypoint,
            "go": report.go.as_ref().map(go_build::to_json),
            "findings": findings.collect::<Vec<_>>(),
        })
    };
    json!({
        "ok": is_sound(reports),
        "images": reports.iter().map(image).collect::<Vec<_>>(),
    })
}
