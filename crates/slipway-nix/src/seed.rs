//! Seeds: derivations for files that are fetched from outside.
//!
//! The derivation's package URL (`purl`, a standard of the Package-URL project) identifies the
//! file. Other attributes contain what else is needed to fetch it.

use std::path::PathBuf;

use crate::derivation::Derivation;
use crate::error::Error;
use crate::nix::Nix;
use percent_encoding::percent_decode_str;
use slipway_store_path::StorePath;

/// A file that a build needs from outside.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Name under which the file must be added to the store.
    pub name: String,
    /// Expected store path.
    pub output: StorePath,
    pub kind: Kind,
}

/// Source of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Deb(Deb),
    /// A crate from the registry in Cargo.lock.
    Crate {
        name: String,
        version: String,
        sha256: String,
        /// Cargo. `None` if Nix downloads the crate itself.
        client: Option<Client>,
    },
    /// The files of a git repository in Cargo.lock.
    Git {
        url: String,
        commit: String,
        sha256: String,
    },
    Go(Go),
    Base(Base),
}

/// A blob of a base image, or its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// `HOST/NAME`
    pub repository: String,
    /// Digest of the image's manifest: `sha256:…`.
    pub manifest: String,
    /// Hash of the blob, in hex.
    pub sha256: String,
}

/// What the go command downloads of a module version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Go {
    pub path: String,
    pub version: String,
    /// `module`, `go.mod` or `toolchain`.
    pub part: String,
    /// Hash of go.sum; empty for `go.mod`.
    pub h1: String,
    pub sha256: String,
    /// The go command.
    pub client: Client,
}

/// A program that downloads seeds, with the user's settings for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its path in the store.
    pub program: PathBuf,
    /// The derivation that has it.
    pub derivation: StorePath,
}

/// A Debian package, or one executable from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deb {
    /// `libc6 2.41-12 (amd64)`
    pub label: String,
    /// `debian` or `debian-security`.
    pub archive: String,
    /// Path below the root of the archive.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the package, in hex.
    pub sha256: String,
    /// Path of an executable in the package. If set, the seed is this executable instead of the
    /// package.
    pub executable: Option<String>,
}

impl Nix {
    /// Finds the seeds among derivations. For the derivations that a plan builds, these are the
    /// missing seeds.
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
    let bad = || {
        format!(
            "{purl} is not the URL of a Debian package, a crate, a git repository, a Go module or an image"
        )
    };
    let (kind, rest) = purl
        .strip_prefix("pkg:")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(bad)?;
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, version) = path.rsplit_once('@').ok_or_else(bad)?;
    let name = decode(name.rsplit('/').next().unwrap_or(name)).ok_or_else(bad)?;
    let version = decode(version).ok_or_else(bad)?;
    let client = || {
        let derivation = attribute("clientDerivation")?;
        Ok::<_, String>(Client {
            program: attribute("client")?.into(),
            derivation: derivation
                .parse()
                .map_err(|e| format!("{derivation}: {e}"))?,
        })
    };
    let kind = match kind {
        "cargo" => Kind::Crate {
            name,
            version,
            sha256: attribute("outputHash")?,
            client: match derivation.environment.contains_key("client") {
                true => Some(client()?),
                false => None,
            },
        },
        "golang" => Kind::Go(Go {
            path: attribute("module")?,
            version: attribute("moduleVersion")?,
            part: attribute("kind")?,
            h1: attribute("h1")?,
            sha256: attribute("outputHash")?,
            client: client()?,
        }),
        "oci" => {
            let repository = qualifiers
                .split('&')
                .find_map(|one| one.strip_prefix("repository_url="));
            Kind::Base(Base {
                repository: repository.and_then(decode).ok_or_else(bad)?,
                manifest: version,
                sha256: attribute("outputHash")?,
            })
        }
        "generic" => {
            let url = qualifiers
                .split('&')
                .find_map(|one| one.strip_prefix("vcs_url=git%2B"));
            Kind::Git {
                url: url.and_then(decode).ok_or_else(bad)?,
                commit: version,
                sha256: attribute("outputHash")?,
            }
        }
        "deb" => {
            let architecture = qualifiers
                .split('&')
                .find_map(|one| one.strip_prefix("arch="))
                .ok_or_else(bad)?;
            let executable = derivation.environment.get("program").cloned();
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

/// Decodes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
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
    fn parses_the_purl_of_a_package() {
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
    fn an_executable_has_a_separate_hash_for_its_package() {
        let more = [("program", "usr/bin/x"), ("debSha256", "bb")];
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
    fn parses_the_purl_of_a_crate() {
        let seed = parse(&derivation(&[
            ("purl", "pkg:cargo/lz4-sys@1.11.1%2Blz4-1.10.0"),
            ("outputHash", "aa"),
        ]))
        .unwrap();
        let expected = Kind::Crate {
            name: "lz4-sys".into(),
            version: "1.11.1+lz4-1.10.0".into(),
            sha256: "aa".into(),
            client: None,
        };
        assert_eq!(seed.kind, expected);
    }

    #[test]
    fn parses_the_client_of_a_crate() {
        let derivation_path = "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-rust.drv";
        let attributes = [
            ("purl", "pkg:cargo/libc@0.2.1"),
            ("client", "/nix/store/x/bin/cargo"),
            ("clientDerivation", derivation_path),
            ("outputHash", "aa"),
        ];
        let seed = parse(&derivation(&attributes)).unwrap();
        let Kind::Crate {
            client: Some(client),
            ..
        } = seed.kind
        else {
            panic!("not a crate with a client")
        };
        assert_eq!(client.program, PathBuf::from("/nix/store/x/bin/cargo"));
        assert_eq!(client.derivation.to_string(), derivation_path);
    }

    #[test]
    fn parses_the_purl_and_commit_of_a_git_repository() {
        let seed = parse(&derivation(&[
            (
                "purl",
                "pkg:generic/far@e7f5?vcs_url=git%2Bhttps://host/far%23x.git",
            ),
            ("outputHash", "aa"),
        ]))
        .unwrap();
        let expected = Kind::Git {
            url: "https://host/far#x.git".into(),
            commit: "e7f5".into(),
            sha256: "aa".into(),
        };
        assert_eq!(seed.kind, expected);
    }

    #[test]
    fn parses_the_attributes_of_a_go_module() {
        let client = "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-go.drv";
        let seed = parse(&derivation(&[
            ("purl", "pkg:golang/example.com/m@v2.0.0%2Bincompatible"),
            ("client", "/nix/store/x/bin/go"),
            ("clientDerivation", client),
            ("h1", "h1:abc"),
            ("kind", "module"),
            ("module", "example.com/m"),
            ("moduleVersion", "v2.0.0+incompatible"),
            ("outputHash", "aa"),
        ]))
        .unwrap();
        let Kind::Go(go) = seed.kind else {
            panic!("not a Go module")
        };
        assert_eq!(
            (go.path.as_str(), go.version.as_str()),
            ("example.com/m", "v2.0.0+incompatible")
        );
        assert_eq!(go.client.derivation.to_string(), client);
    }

    #[test]
    fn parses_the_repository_and_manifest_of_a_base_image() {
        let seed = parse(&derivation(&[
            (
                "purl",
                "pkg:oci/debian@sha256%3Aaa?repository_url=localhost:5000/debian&arch=arm64",
            ),
            ("outputHash", "bb"),
        ]))
        .unwrap();
        let expected = Kind::Base(Base {
            repository: "localhost:5000/debian".into(),
            manifest: "sha256:aa".into(),
            sha256: "bb".into(),
        });
        assert_eq!(seed.kind, expected);
    }

    #[test]
    fn rejects_seeds_of_unknown_kinds() {
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
