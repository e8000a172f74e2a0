//! Finds the Debian mirrors: those in the apt configuration of this machine, unless the user names
//! others.
//!
//! The program contains no host names. Every file is checked against its hash, so any mirror is
//! safe to use, and the administrator's choice (a nearby mirror, a company cache) is the best
//! default.

use std::collections::BTreeSet;
use std::process::Command;

use crate::error::Error;
use crate::package::Archive;

/// Mirrors named by the user. They replace those found on the machine.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Mirrors of the main archive.
    pub main: Vec<String>,
    /// Mirrors of the security archive.
    pub security: Vec<String>,
}

/// The mirrors to use, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    main: Vec<String>,
    security: Vec<String>,
}

/// Debian release names. They identify Debian sources before the first `apt-get update`, when apt
/// does not know the origin of an archive yet.
const RELEASES: [&str; 11] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];
const POCKETS: [&str; 5] = [
    "",
    "-updates",
    "-security",
    "-backports",
    "-proposed-updates",
];

impl Mirrors {
    /// Returns the mirrors named by the user, or else those in apt's configuration.
    pub fn find(wanted: &Wanted) -> Result<Self, Error> {
        let mut mirrors = if wanted.main.is_empty() {
            Self::of_apt()?
        } else {
            Self {
                main: vec![],
                security: vec![],
            }
        };
        for (list, given) in [
            (&mut mirrors.main, &wanted.main),
            (&mut mirrors.security, &wanted.security),
        ] {
            if !given.is_empty() {
                *list = given
                    .iter()
                    .map(|url| base(url))
                    .collect::<Result<_, _>>()?;
            }
        }
        if mirrors.security.is_empty() {
            mirrors.security = mirrors
                .main
                .iter()
                .map(|base| format!("{base}-security"))
                .collect();
        }
        Ok(mirrors)
    }

    fn of_apt() -> Result<Self, Error> {
        let none = |reason: &str| Error::NoMirror {
            reason: reason.into(),
        };
        let list = |options: &[&str]| {
            let format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)";
            let output = Command::new("apt-get")
                .args(["indextargets", "--format", format])
                .args(options)
                .output()
                .map_err(|_| none("this machine has no apt"))?;
            Ok::<_, Error>(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let mut lines = list(&[])?;
        if lines.is_empty() {
            // Before the first `apt-get update`, as in images of Debian, apt lists its sources only
            // without what their Release files say.
            lines = list(&["--no-release-info"])?;
        }
        let (mirrors, others) = Self::of_index_targets(&lines);
        if !mirrors.main.is_empty() {
            return Ok(mirrors);
        }
        Err(match others.is_empty() {
            true => none("apt on this machine has no sources"),
            false => {
                let names: Vec<String> = others.into_iter().collect();
                none(&format!(
                    "apt's sources on this machine are not Debian's but {}",
                    names.join(", ")
                ))
            }
        })
    }

    /// Parses lines of the form `uri|release|component|origin|label`. An unknown origin or label is
    /// empty, or apt's variable. Also returns the names of the archives that are not Debian's.
    fn of_index_targets(lines: &str) -> (Self, BTreeSet<String>) {
        let mut mirrors = Self {
            main: vec![],
            security: vec![],
        };
        let mut others = BTreeSet::new();
        for line in lines.lines() {
            let parts: Vec<&str> = line.split('|').collect();
            let [uri, release, component, origin, label] = parts[..] else {
                continue;
            };
            let origin = if origin == "$(ORIGIN)" { "" } else { origin };
            let debian = match origin {
                "" => RELEASES.iter().any(|name| {
                    release
                        .strip_prefix(name)
                        .is_some_and(|pocket| POCKETS.contains(&pocket))
                }),
                origin => origin == "Debian",
            };
            if !debian {
                others.insert(if origin.is_empty() {
                    release.to_owned()
                } else {
                    origin.to_owned()
                });
                continue;
            }
            let Ok(base) = base(uri) else { continue };
            let security = label == "Debian-Security" || release.ends_with("-security");
            let list = if security {
                &mut mirrors.security
            } else {
                &mut mirrors.main
            };
            let main_component = component.rsplit('/').next() == Some("main");
            if main_component && !list.contains(&base) {
                list.push(base);
            }
        }
        (mirrors, others)
    }

    /// Returns the base URLs of the mirrors of an archive, without a trailing slash.
    pub fn of(&self, archive: Archive) -> &[String] {
        match archive {
            Archive::Debian => &self.main,
            Archive::DebianSecurity => &self.security,
        }
    }

    /// Returns every URL where a pool file may be. Point releases move packages from the security
    /// archive to the main archive, where the path differs only in the leading directories.
    pub fn urls(&self, archive: Archive, path: &str) -> Vec<String> {
        let mut urls: Vec<String> = self
            .of(archive)
            .iter()
            .map(|base| format!("{base}/{path}"))
            .collect();
        if let (Archive::DebianSecurity, Some(rest)) = (archive, path.strip_prefix("pool/updates/"))
        {
            urls.extend(self.main.iter().map(|base| format!("{base}/pool/{rest}")));
        }
        urls
    }
}

fn base(url: &str) -> Result<String, Error> {
    let plain = url.trim_end_matches('/');
    let host = plain
        .strip_prefix("http://")
        .or_else(|| plain.strip_prefix("https://"));
    match host {
        Some(host)
            if !host.is_empty()
                && !host.contains(|c: char| c.is_whitespace() || c == '?' || c == '#') =>
        {
            Ok(plain.into())
        }
        _ => Err(Error::BadMirror(url.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debian_sources_of_apt_without_duplicates() {
        let (mirrors, _) = Mirrors::of_index_targets(
            "http://mirror.example/debian/|trixie|main|Debian|Debian\n\
             http://mirror.example/debian/|trixie|main|Debian|Debian\n\
             http://mirror.example/debian/|trixie-updates|main|Debian|Debian\n\
             http://mirror.example/sec/|trixie-security|main|Debian|Debian-Security\n\
             http://other.example/node|nodistro|main|Node|Node\n",
        );
        assert_eq!(
            mirrors.of(Archive::Debian),
            ["http://mirror.example/debian"]
        );
        assert_eq!(
            mirrors.of(Archive::DebianSecurity),
            ["http://mirror.example/sec"]
        );
    }

    #[test]
    fn recognizes_debian_by_release_name_without_apt_lists() {
        let (mirrors, others) = Mirrors::of_index_targets(
            "https://mirror.example/debian/|bookworm|main|$(ORIGIN)|$(LABEL)\nhttps://mirror.example/ubuntu/|noble-updates|main||\n",
        );
        assert_eq!(
            mirrors.of(Archive::Debian),
            ["https://mirror.example/debian"]
        );
        assert_eq!(others.into_iter().collect::<Vec<_>>(), ["noble-updates"]);
    }

    #[test]
    fn ignores_sources_of_other_distributions() {
        let (mirrors, others) =
            Mirrors::of_index_targets("http://mirror.example/ubuntu/|noble|main|Ubuntu|Ubuntu\n");
        assert!(mirrors.of(Archive::Debian).is_empty());
        assert_eq!(others.into_iter().collect::<Vec<_>>(), ["Ubuntu"]);
    }

    #[test]
    fn derives_security_mirrors_from_main_mirrors() {
        let wanted = Wanted {
            main: vec!["http://mirror.example/debian/".into()],
            security: vec![],
        };
        let mirrors = Mirrors::find(&wanted).unwrap();
        assert_eq!(
            mirrors.of(Archive::DebianSecurity),
            ["http://mirror.example/debian-security"]
        );
    }

    #[test]
    fn adds_main_archive_urls_for_security_packages() {
        let wanted = Wanted {
            main: vec!["http://mirror.example/debian".into()],
            security: vec!["http://security.example/s".into()],
        };
        let mirrors = Mirrors::find(&wanted).unwrap();
        assert_eq!(
            mirrors.urls(Archive::DebianSecurity, "pool/updates/main/o/openssl/x.deb"),
            [
                "http://security.example/s/pool/updates/main/o/openssl/x.deb",
                "http://mirror.example/debian/pool/main/o/openssl/x.deb"
            ]
        );
    }

    #[test]
    fn rejects_invalid_mirror_urls() {
        for bad in [
            "",
            "mirror.example",
            "ftp://mirror.example/debian",
            "http://",
            "http://a b/",
        ] {
            let wanted = Wanted {
                main: vec![bad.into()],
                security: vec![],
            };
            assert!(Mirrors::find(&wanted).is_err(), "{bad:?}");
        }
    }
}
