//! A layer is a digest to look at; what it was made of stands in the image's history, in the words of
//! whoever made it.

use std::fmt;

use slipway_oci::config::History;
use slipway_oci::{ImageConfig, StorePath};

/// What is known of a layer's making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It holds these paths of a Nix store.
    StorePaths(Vec<StorePath>),
    /// It was made by this step, in the words of the image.
    Step(String),
    Unknown,
}

/// A Debian package, as the name of its store path has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// Without the epoch, which is not in the names of package files either.
    pub version: String,
    pub architecture: String,
}

/// Where each layer comes from, the lowest first.
///
/// Steps that changed no file have no layer. If what is left does not fit the layers, the history says
/// nothing of them. Source: OCI image-spec, config.md, `history` and `empty_layer`.
pub fn origins(config: &ImageConfig) -> Vec<Origin> {
    let layers = config.rootfs.diff_ids.len();
    let steps: Vec<&History> = config
        .history
        .iter()
        .filter(|step| !step.empty_layer)
        .collect();
    match steps.len() == layers {
        true => steps.into_iter().map(origin).collect(),
        false => vec![Origin::Unknown; layers],
    }
}

/// Slipway writes `slipway-pack: PATH PATH`, nixpkgs' dockerTools a comment `store paths: ['PATH', …]`.
fn origin(step: &History) -> Origin {
    let created_by = step.created_by.as_deref().unwrap_or_default();
    let comment = step.comment.as_deref().unwrap_or_default();
    let listed = created_by.strip_prefix("slipway-pack: ");
    let Some(list) = listed.or_else(|| comment.strip_prefix("store paths: ")) else {
        let mut texts = [created_by, comment].into_iter();
        let text = texts.find(|text| !text.is_empty());
        return text.map_or(Origin::Unknown, |text| Origin::Step(text.to_owned()));
    };
    let words = list.split(|c: char| c.is_whitespace() || "[]',\"".contains(c));
    let words = words.filter(|word| !word.is_empty());
    let paths: Result<Vec<StorePath>, _> = words.map(str::parse).collect();
    match paths {
        Ok(paths) if !paths.is_empty() => Origin::StorePaths(paths),
        // Slipway's own files at /, such as certificates and users.
        _ => Origin::Step(list.to_owned()),
    }
}

impl Package {
    /// The package that a store path of Slipway's holds: `libc6_2.41-12+deb13u4_arm64`.
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

/// A store path may not hold `~`, so Slipway writes `-` for it. Debian's own use of it can be told:
/// `~deb13u1` and `~bpo13+1` end a version that was made for a release.
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
    fn steps_without_a_layer_are_passed_over() {
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
    fn the_history_of_nixpkgs_names_store_paths_in_a_comment() {
        let history = serde_json::json!([{"comment": format!("store paths: ['{LIBC}', '{APP}']")}]);
        assert_eq!(
            origins(&config(1, history)),
            [Origin::StorePaths(vec![path(LIBC), path(APP)])]
        );
    }

    #[test]
    fn a_history_that_does_not_fit_the_layers_says_nothing() {
        let history = serde_json::json!([{"created_by": "one"}]);
        assert_eq!(origins(&config(2, history)), vec![Origin::Unknown; 2]);
        assert_eq!(
            origins(&config(1, serde_json::json!([]))),
            [Origin::Unknown]
        );
    }

    #[test]
    fn a_debian_package_is_told_by_the_name_of_its_store_path() {
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
