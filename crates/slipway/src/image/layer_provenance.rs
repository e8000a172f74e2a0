//! Tells what each layer was made from, as recorded in the image's history.

use std::fmt;

use slipway_oci::config::History;
use slipway_oci::{ImageConfig, StorePath};

/// What the history records about a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The layer contains these paths of a Nix store.
    StorePaths(Vec<StorePath>),
    /// The layer was made by this build step, as quoted from the history.
    Step(String),
    Unknown,
}

/// A Debian package, parsed from the name of its store path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// Without the epoch, which Debian also omits from the names of package files.
    pub version: String,
    pub architecture: String,
}

/// The origin of each layer, lowest first. If the history does not match the number of layers, every
/// origin is unknown.
pub fn origins(config: &ImageConfig) -> Vec<Origin> {
    match config.steps() {
        Some(steps) => steps.into_iter().map(origin).collect(),
        None => vec![Origin::Unknown; config.rootfs.diff_ids.len()],
    }
}

fn origin(step: &History) -> Origin {
    let paths = step.store_paths();
    match step.text() {
        _ if !paths.is_empty() => Origin::StorePaths(paths),
        "" => Origin::Unknown,
        text => Origin::Step(text.to_owned()),
    }
}

impl Package {
    /// The package in a store path made by Slipway, such as `libc6_2.41-12+deb13u4_arm64`.
    pub fn of(path: &StorePath) -> Option<Package> {
        let parts: Vec<&str> = path.name().split('_').collect();
        let [name, version, architecture] = parts[..] else {
            return None;
        };
        let is_architecture = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = version.starts_with(|c: char| c.is_ascii_digit())
            && !architecture.is_empty()
            && architecture.chars().all(is_architecture);
        fits.then(|| Package {
            name: name.to_owned(),
            version: with_tilde(version),
            architecture: architecture.to_owned(),
        })
    }
}

/// Restores `~` in a version. A store path may not contain `~`, so Slipway replaces it with `-`.
/// Only the suffixes of Debian releases, such as `~deb13u1` and `~bpo13+1`, can be recognized.
fn with_tilde(version: &str) -> String {
    for release in ["-deb", "-bpo"] {
        if let Some((before, after)) = version.rsplit_once(release) {
            if after.starts_with(|c: char| c.is_ascii_digit()) {
                return format!("{before}~{}{after}", &release[1..]);
            }
        }
    }
    version.to_owned()
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Package {
            name,
            version,
            architecture,
        } = self;
        write!(f, "{name} {version} ({architecture})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBC: &str = "/nix/store/jlx0g5lkyl8ch666dy143gs5sq5f8ccj-libc6_2.41-12+deb13u4_arm64";
    const APP: &str = "/nix/store/200ja6d8p9fmz11a908gkihq2ip2f7ig-reporter";

    fn path(text: &str) -> StorePath {
        text.parse().unwrap()
    }

    fn config(layers: usize, history: serde_json::Value) -> ImageConfig {
        let digest = slipway_oci::Digest::of(b"").to_string();
        let config = serde_json::json!({
            "architecture": "arm64", "os": "linux", "history": history,
            "rootfs": {"type": "layers", "diff_ids": vec![digest; layers]},
        });
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn skips_steps_without_a_layer() {
        let history = serde_json::json!([
            {"created_by": "slipway-pack: files at /"},
            {"created_by": "ENV A=b", "empty_layer": true},
            {"created_by": format!("slipway-pack: {LIBC} {APP}")},
            {"created_by": "/bin/sh -c make"},
            {},
        ]);
        assert_eq!(
            origins(&config(4, history)),
            [
                Origin::Step("files at /".to_owned()),
                Origin::StorePaths(vec![path(LIBC), path(APP)]),
                Origin::Step("/bin/sh -c make".to_owned()),
                Origin::Unknown,
            ]
        );
    }

    #[test]
    fn reads_store_paths_from_the_comments_of_docker_tools() {
        let history = serde_json::json!([{"comment": format!("store paths: ['{LIBC}', '{APP}']")}]);
        assert_eq!(
            origins(&config(1, history)),
            [Origin::StorePaths(vec![path(LIBC), path(APP)])]
        );
    }

    #[test]
    fn origins_are_unknown_if_history_does_not_match_the_layers() {
        let history = serde_json::json!([{"created_by": "one"}]);
        assert_eq!(origins(&config(2, history)), vec![Origin::Unknown; 2]);
        assert_eq!(
            origins(&config(1, serde_json::json!([]))),
            [Origin::Unknown]
        );
    }

    #[test]
    fn parses_a_debian_package_from_its_store_path() {
        let shown = |name: &str| {
            let path = path(&format!("/nix/store/{}-{name}", "0".repeat(32)));
            Package::of(&path).map(|package| package.to_string())
        };
        for (name, package) in [
            (
                "libc6_2.41-12+deb13u4_arm64",
                "libc6 2.41-12+deb13u4 (arm64)",
            ),
            (
                "libssl3t64_3.5.7-1-deb13u3_amd64",
                "libssl3t64 3.5.7-1~deb13u3 (amd64)",
            ),
            (
                "zlib1g_1.3.dfsg+really1.3.1-1_all",
                "zlib1g 1.3.dfsg+really1.3.1-1 (all)",
            ),
        ] {
            assert_eq!(shown(name).as_deref(), Some(package));
        }
        for name in [
            "reporter",
            "librdkafka-2.12.1",
            "a_b",
            "a_b_c",
            "a_1_B",
            "a_1_b_c",
        ] {
            assert_eq!(shown(name), None, "{name}");
        }
    }
}
