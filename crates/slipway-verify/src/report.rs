//! Reports: what was checked in an image, and the findings.

use std::{fmt, io};

use slipway_oci::{Descriptor, Digest, Image, Layout, Platform, Result};

use crate::finding::{Fault, Finding, Findings, MAX_LAYERS};
use crate::go_build::GoBuild;
use crate::image_contents;
use crate::library_search::{self, Counts};
use crate::tree::Kind;
use crate::{Machine, entrypoint, modes, paths};

/// The result for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// The platform of the image, or else of its index entry; `None` if neither can be read.
    pub platform: Option<Platform>,
    /// Whether the platform's machine is known. Otherwise the ELF files only have to agree with
    /// each other.
    pub machine_known: bool,
    pub layers: usize,
    /// Number of files, links and directories.
    pub files: usize,
    pub counts: Counts,
    /// The program that the image runs, escaped for printing.
    pub entrypoint: Option<String>,
    /// How that program was built, if it is in Go.
    pub go: Option<GoBuild>,
    /// Faults and warnings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The number of faults. An image without faults is sound.
    pub fn faults(&self) -> usize {
        let faults = self.findings.iter().filter(|it| !it.fault.is_warning());
        faults.count()
    }
}

/// Whether all images are sound. `false` for a layout without images.
pub fn is_sound(reports: &[Report]) -> bool {
    !reports.is_empty() && reports.iter().all(|report| report.faults() == 0)
}

/// One line for each finding, then one for the image.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let platform = match &self.platform {
            Some(platform) => platform.to_string(),
            None => self.digest.to_string(),
        };
        for finding in &self.findings {
            writeln!(f, "{platform}: {finding}")?;
        }
        let runs = match &self.entrypoint {
            Some(entrypoint) => format!("runs {entrypoint}"),
            None => "says no program to run".to_owned(),
        };
        let go = match &self.go {
            Some(go) => format!(" ({go})"),
            None => String::new(),
        };
        let machine = match self.machine_known {
            true => "",
            false => {
                "; no machine is known for this platform, so its ELF files need only agree with each other"
            }
        };
        let result = match self.faults() {
            0 => "ok".to_owned(),
            faults => count(faults, "fault", "faults"),
        };
        write!(
            f,
            "{platform}: {result}: {}, {}, {}, {}; {runs}{go}{machine}",
            count(self.layers, "layer", "layers"),
            count(self.files, "file", "files"),
            count(self.counts.programs, "ELF program", "ELF programs"),
            count(self.counts.libraries, "library", "libraries"),
        )
    }
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Checks the images in `layout`: all, or those for `platform`.
///
/// Faults of an image are in its report. It is an error if the images cannot be found at all.
pub fn verify(layout: &Layout, platform: Option<&Platform>) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for manifest in layout.manifests()? {
        let report = verify_image(layout, &manifest, platform)?;
        reports.extend(report);
    }
    if let (Some(platform), []) = (platform, &reports[..]) {
        // Fails with the list of available platforms.
        layout.image(platform)?;
    }
    Ok(reports)
}

fn verify_image(
    layout: &Layout,
    manifest: &Descriptor,
    wanted: Option<&Platform>,
) -> Result<Option<Report>> {
    let mut findings = Findings::default();
    let mut report = Report {
        digest: manifest.digest,
        platform: manifest.platform.clone(),
        machine_known: true,
        layers: 0,
        files: 0,
        counts: Counts::default(),
        entrypoint: None,
        go: None,
        findings: Vec::new(),
    };
    let unwanted = |platform: &Option<Platform>| match (wanted, platform) {
        (Some(wanted), Some(platform)) => !platform.matches(wanted),
        _ => false,
    };
    match layout.read_image(manifest) {
        Err(error) => {
            let subject = format!("image {}", manifest.digest);
            findings.add(subject, Fault::Unreadable(error.to_string()));
        }
        Ok(image) => {
            report.platform = Some(image.platform().clone());
            if !unwanted(&report.platform) {
                check_platforms(manifest, &image, &mut findings);
                check_image(layout, &image, &mut report, &mut findings);
            }
        }
    }
    report.findings = findings.finish();
    Ok((!unwanted(&report.platform)).then_some(report))
}

fn check_platforms(manifest: &Descriptor, image: &Image, findings: &mut Findings) {
    if let Some(index) = &manifest.platform {
        let image = image.platform();
        // Many images omit the variant that their index has.
        if !image.matches(index) && !index.matches(image) {
            let (index, image) = (index.clone(), image.clone());
            findings.add(
                "the image".to_owned(),
                Fault::OtherPlatform { index, image },
            );
        }
    }
}

fn check_image(layout: &Layout, image: &Image, report: &mut Report, findings: &mut Findings) {
    report.layers = image.layers().count();
    // Attestations are listed next to images in an index, but their layers are documents.
    if image.platform().os() == "unknown" {
        for (number, (blob, _)) in image.layers().enumerate() {
            if let Err(error) = layout.copy_blob(blob, &mut io::sink()) {
                findings.add(
                    format!("layer {}", number + 1),
                    Fault::Unreadable(error.to_string()),
                );
            }
        }
        return;
    }
    let machine = Machine::of(image.platform());
    report.machine_known = machine.is_some();
    let Some(contents) = image_contents::read(layout, image, findings) else {
        return;
    };
    let runtime = &image.config().value().config;
    if report.layers > MAX_LAYERS {
        let layers = report.layers;
        findings.add("the image".to_owned(), Fault::TooManyLayers { layers });
    }
    contents.tree.for_each(|_, _, node| {
        report.files += usize::from(!matches!(node.kind, Kind::Directory(_)));
    });
    modes::check(&contents.tree, findings);
    paths::check(&contents.tree, findings);
    if image.platform().os() != "linux" {
        return;
    }
    let library_path = entrypoint::variable(runtime, "LD_LIBRARY_PATH").unwrap_or_default();
    let library_path: Vec<Vec<u8>> = library_path
        .split([':', ';'])
        .filter(|it| !it.is_empty())
        .map(|it| it.as_bytes().to_vec())
        .collect();
    report.counts = library_search::check(&contents, machine, &library_path, findings);
    if let Some(entrypoint) = entrypoint::check(&contents.tree, runtime, findings) {
        report.entrypoint = Some(entrypoint.name);
        report.go = entrypoint.go;
    }
    entrypoint::check_surroundings(&contents, runtime, findings);
    let base = base_layers(image);
    findings.set_aside(|subject| {
        let layer = contents.tree.layer_of(subject.as_bytes());
        layer.is_some_and(|layer| layer < base)
    });
}

/// The number of layers that are below the first one of Slipway's.
fn base_layers(image: &Image) -> usize {
    let steps = image.config().value().steps();
    let own = steps.and_then(|steps| steps.iter().position(|step| step.is_own()));
    own.unwrap_or(0)
}
