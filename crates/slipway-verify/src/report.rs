//! What was looked at in an image, and what is wrong with it.

use std::io;

use slipway_oci::{Descriptor, Digest, Image, Layout, Platform, Result};

use crate::contents;
use crate::finding::{Fault, Finding};
use crate::loader::{self, Counts};
use crate::tree::Kind;
use crate::{Machine, entrypoint, modes};

/// Findings that are kept of an image: nobody reads more.
const FINDING_LIMIT: usize = 10_000;

/// The result for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The digest of its manifest.
    pub digest: Digest,
    /// As the image says, or else the index; none where neither can be read.
    pub platform: Option<Platform>,
    /// Whether the platform's machine is known; else its ELF files must only agree with each other.
    pub machine_known: bool,
    pub layers: usize,
    /// Files, links and directories.
    pub files: usize,
    pub counts: Counts,
    /// What it runs; fit to be printed.
    pub entrypoint: Option<String>,
    /// None if the image is sound.
    pub findings: Vec<Finding>,
}

/// Findings as they come up.
#[derive(Default)]
pub struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    pub fn add(&mut self, subject: String, fault: Fault) {
        match self.list.len() < FINDING_LIMIT {
            true => self.list.push(Finding { subject, fault }),
            false => self.left_out += 1,
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            self.list.push(Finding {
                subject: "the image".to_owned(),
                fault: Fault::More(self.left_out),
            });
        }
        self.list
    }
}

/// Checks the images in `layout`: all, or those for `platform`.
///
/// Faults of an image are in its report. An error is what keeps the images from being found at all.
pub fn verify(layout: &Layout, platform: Option<&Platform>) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for manifest in layout.manifests()? {
        let report = verify_image(layout, &manifest, platform)?;
        reports.extend(report);
    }
    if let (Some(platform), []) = (platform, &reports[..]) {
        // Says which there are.
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
        findings: Vec::new(),
    };
    let unwanted = |platform: &Option<Platform>| match (wanted, platform) {
        (Some(wanted), Some(platform)) => !platform.serves(wanted),
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
        // Many images leave out the variant that their index names.
        if !image.serves(index) && !index.serves(image) {
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
    // Attestations lie beside images in an index, and are none: their layers are documents.
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
    let Some(contents) = contents::read(layout, image, findings) else {
        return;
    };
    let execution = &image.config().value().config;
    contents.tree.for_each(|_, _, node| {
        report.files += usize::from(!matches!(node.kind, Kind::Directory(_)));
    });
    modes::check(&contents.tree, findings);
    if image.platform().os() != "linux" {
        return;
    }
    let library_path = entrypoint::variable(execution, "LD_LIBRARY_PATH").unwrap_or_default();
    let library_path: Vec<Vec<u8>> = library_path
        .split([':', ';'])
        .filter(|it| !it.is_empty())
        .map(|it| it.as_bytes().to_vec())
        .collect();
    report.counts = loader::check(&contents, machine, &library_path, findings);
    report.entrypoint = entrypoint::check(&contents.tree, execution, findings);
}
