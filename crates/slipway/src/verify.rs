use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use slipway_oci::Platform;
use slipway_registry::Contents;
use slipway_verify::Report;

use crate::format::Format;
use crate::source;

/// Prove that an image is whole and can run
///
/// Every digest and size is right; every ELF file is for the image's platform and finds its loader and
/// its libraries; the entrypoint is there and executable; nothing is setuid, setgid, a device, or
/// writable by everyone. Each fault is a line, and the exit code is 1 if there is one.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    source: source::Options,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Verify {
    pub fn run(&self) -> Result<ExitCode> {
        let source = self.source.open(Contents::Everything)?;
        let reports = slipway_verify::verify(source.layout(), self.source.platform.as_ref())?;
        match self.format {
            Format::Text => reports.iter().for_each(print_text),
            Format::Json => println!("{:#}", json(&reports)),
        }
        Ok(match is_sound(&reports) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// A layout without images proves nothing.
fn is_sound(reports: &[Report]) -> bool {
    !reports.is_empty() && reports.iter().all(|report| report.findings.is_empty())
}

fn print_text(report: &Report) {
    let platform = match &report.platform {
        Some(platform) => platform.to_string(),
        None => report.digest.to_string(),
    };
    for finding in &report.findings {
        println!("{platform}: {finding}");
    }
    let runs = match &report.entrypoint {
        Some(entrypoint) => format!("runs {entrypoint}"),
        None => "says no program to run".to_owned(),
    };
    let machine = match report.machine_known {
        true => "",
        false => {
            "; no machine is known for this platform, so its ELF files need only agree with each other"
        }
    };
    let result = match report.findings.len() {
        0 => "ok".to_owned(),
        faults => count(faults, "fault", "faults"),
    };
    println!(
        "{platform}: {result}: {}, {}, {}, {}; {runs}{machine}",
        count(report.layers, "layer", "layers"),
        count(report.files, "file", "files"),
        count(report.counts.programs, "ELF program", "ELF programs"),
        count(report.counts.libraries, "library", "libraries"),
    );
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `{"ok", "images": [{"platform", "digest", "ok", "machineKnown", "layers", "files", "programs",
/// "libraries", "entrypoint", "findings": [{"fault", "subject", "message"}]}]}`; `platform` and
/// `entrypoint` may be null, `fault` is a word that stays the same.
fn json(reports: &[Report]) -> Value {
    let image = |report: &Report| {
        let findings = report.findings.iter().map(|finding| {
            json!({
                "fault": finding.fault.name(),
                "subject": finding.subject,
                "message": finding.fault.to_string(),
            })
        });
        json!({
            "platform": report.platform.as_ref().map(Platform::to_string),
            "digest": report.digest.to_string(),
            "ok": report.findings.is_empty(),
            "machineKnown": report.machine_known,
            "layers": report.layers,
            "files": report.files,
            "programs": report.counts.programs,
            "libraries": report.counts.libraries,
            "entrypoint": report.entrypoint,
            "findings": findings.collect::<Vec<_>>(),
        })
    };
    json!({
        "ok": is_sound(reports),
        "images": reports.iter().map(image).collect::<Vec<_>>(),
    })
}
