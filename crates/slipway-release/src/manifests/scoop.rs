//! Manifests of Scoop, for Windows. Source: Scoop's wiki, "App Manifests".

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use slipway_oci::Platform;

use super::Published;

#[derive(Serialize)]
struct Manifest<'a> {
    version: String,
    description: &'a str,
    homepage: &'a str,
    license: String,
    architecture: BTreeMap<&'static str, Architecture<'a>>,
    bin: &'a [String],
}

#[derive(Serialize)]
struct Architecture<'a> {
    url: &'a str,
    hash: &'a str,
    extract_dir: &'a str,
}

/// Scoop's name of a platform.
pub(super) fn architecture(platform: &Platform) -> Option<&'static str> {
    match (platform.os(), platform.architecture()) {
        ("windows", "386") => Some("32bit"),
        ("windows", "amd64") => Some("64bit"),
        ("windows", "arm64") => Some("arm64"),
        _ => None,
    }
}

pub(super) fn manifest(release: &Published) -> String {
    let downloads = release.with(architecture);
    let programs = downloads.first().map_or(&[][..], |(_, it)| &it.programs);
    let manifest = Manifest {
        version: release.version.to_string(),
        description: release.description,
        homepage: release.homepage,
        license: license(release.license),
        architecture: downloads
            .iter()
            .map(|(name, it)| {
                let architecture = Architecture {
                    url: &it.url,
                    hash: &it.sha256,
                    extract_dir: &it.directory,
                };
                (*name, architecture)
            })
            .collect(),
        bin: programs,
    };
    let mut text = Vec::new();
    let indent = PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    // Strings and maps with strings as keys can always be written.
    let _ = manifest.serialize(&mut serializer);
    String::from_utf8_lossy(&text).into_owned() + "\n"
}

/// An SPDX expression in Scoop's syntax: `|` between licenses to choose from, `,` between those of
/// different files.
fn license(expression: &str) -> String {
    expression.replace(" OR ", "|").replace(" AND ", ",")
}

#[cfg(test)]
mod tests {
    use super::super::ManifestFormat;
    use super::super::tests::{DESCRIPTION, assert_snapshot, texts};

    #[test]
    fn manifest_has_both_architectures_of_windows() {
        let texts = texts(ManifestFormat::Scoop, "1.2.3");
        assert_snapshot("word-count.json", &texts[0]);
        let value: serde_json::Value = serde_json::from_str(&texts[0]).unwrap();
        assert_eq!(value["description"], DESCRIPTION);
        assert_eq!(value["license"], "MIT|Apache-2.0");
        assert_eq!(
            value["architecture"]["arm64"]["extract_dir"],
            "word-count_windows_arm64"
        );
    }
}
