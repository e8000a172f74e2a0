//! Seeds: the derivations that stand for files from outside.
//!
//! The package URL (`purl`, the standard of the Package-URL project) in a derivation tells where
//! its file comes from; the rest of what fetching needs stands beside it.

use crate::derivation::Derivation;
use crate::error::Error;
use crate::nix::Nix;
use crate::path::StorePath;

/// A file that a build needs from outside.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Name that the file must have when it is added.
    pub name: String,
    /// Where it must come to be in the store.
    pub output: StorePath,
    pub kind: Kind,
}

/// Where a seed comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Deb(Deb),
    /// A crate of the registry that Cargo.lock names.
    Crate {
        name: String,
        version: String,
        sha256: String,
    },
}

/// A Debian package, or one executable out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deb {
    /// `libc6 2.41-12 (amd64)`
    pub label: String,
    /// `debian` or `debian-security`.
    pub archive: String,
    /// Below the root of the archive.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Of the package, in hex.
    pub sha256: String,
    /// Path within the package of the executable that is wanted in its place.
    pub executable: Option<String>,
}

impl Nix {
    /// The seeds among derivations, for example those that a plan would build: these are missing.
    pub fn seeds(&self, derivations: &[StorePath]) -> Result<Vec<Seed>, Error> {
        self.derivations(derivations)?
            .iter()
            .filter(|derivation| derivation.environment.contains_key("purl"))
            .map(|derivation| {
                parse(derivation).map_err(|reason| Error::Unexpected {
                    command: derivation.path.to_string(),
                    reason,
                })
            })
            .collect()
    }
}

fn parse(derivation: &Derivation) -> Result<Seed, String> {
    let attribute = |name: &str| {
        derivation
            .environment
            .get(name)
            .cloned()
            .ok_or_else(|| format!("the seed has no attribute {name}"))
    };
    let purl = attribute("purl")?;
    let bad = || format!("{purl} is not the URL of a Debian package or a crate");
    let (kind, rest) = purl
        .strip_prefix("pkg:")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(bad)?;
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, version) = path.rsplit_once('@').ok_or_else(bad)?;
    let name = decode(name.rsplit('/').next().unwrap_or(name)).ok_or_else(bad)?;
    let version = decode(version).ok_or_else(bad)?;
    let kind = match kind {
        "cargo" => Kind::Crate {
            name,
            version,
            sha256: attribute("outputHash")?,
        },
        "deb" => {
            let architecture = qualifiers
                .split('&')
                .find_map(|one| one.strip_prefix("arch="))
                .ok_or_else(bad)?;
            let executable = derivation.environment.get("executable").cloned();
            let hash = if executable.is_some() {
                "debSha256"
            } else {
                "outputHash"
            };
            Kind::Deb(Deb {
                label: format!("{name} {version} ({architecture})"),
                archive: attribute("archive")?,
                path: attribute("path")?,
                size: attribute("size")?
                    .parse()
                    .map_err(|e| format!("size: {e}"))?,
                sha256: attribute(hash)?,
                executable,
            })
        }
        _ => return Err(bad()),
    };
    let output = derivation.output.clone().ok_or("the seed has no output")?;
    Ok(Seed {
        name: output.name().to_owned(),
        output,
        kind,
    })
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivation(attributes: &[(&str, &str)]) -> Derivation {
        Derivation {
            path: "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-x.drv"
                .parse()
                .unwrap(),
            output: Some(
                "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-x.deb"
                    .parse()
                    .unwrap(),
            ),
            environment: attributes
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        }
    }

    const DEB: [(&str, &str); 5] = [
        (
            "purl",
            "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19~x?arch=arm64",
        ),
        ("archive", "debian"),
        ("path", "pool/main/g/gcc-14/libstdc++6.deb"),
        ("size", "12"),
        ("outputHash", "aa"),
    ];

    #[test]
    fn a_package_is_known_by_its_url() {
        let seed = parse(&derivation(&DEB)).unwrap();
        assert_eq!(seed.name, "x.deb");
        let Kind::Deb(deb) = seed.kind else {
            panic!("not a deb")
        };
        assert_eq!(deb.label, "libstdc++6 1:14.2.0-19~x (arm64)");
        assert_eq!(
            (deb.size, deb.sha256.as_str(), deb.executable),
            (12, "aa", None)
        );
    }

    #[test]
    fn the_hash_of_the_package_that_holds_an_executable_stands_apart() {
        let more = [("executable", "usr/bin/x"), ("debSha256", "bb")];
        let seed = parse(&derivation(&[&DEB[..], &more].concat())).unwrap();
        let Kind::Deb(deb) = seed.kind else {
            panic!("not a deb")
        };
        assert_eq!(
            (deb.sha256.as_str(), deb.executable.as_deref()),
            ("bb", Some("usr/bin/x"))
        );
    }

    #[test]
    fn a_crate_is_known_by_its_url() {
        let seed = parse(&derivation(&[
            ("purl", "pkg:cargo/lz4-sys@1.11.1%2Blz4-1.10.0"),
            ("outputHash", "aa"),
        ]))
        .unwrap();
        let expected = Kind::Crate {
            name: "lz4-sys".into(),
            version: "1.11.1+lz4-1.10.0".into(),
            sha256: "aa".into(),
        };
        assert_eq!(seed.kind, expected);
    }

    #[test]
    fn what_is_no_seed_of_a_known_kind_is_refused() {
        for purl in [
            "pkg:npm/x@1",
            "http://x",
            "pkg:deb/debian/x",
            "pkg:deb/debian/x@%zz?arch=a",
            "pkg:deb/debian/x@1",
        ] {
            assert!(parse(&derivation(&[("purl", purl)])).is_err(), "{purl}");
        }
    }
}
