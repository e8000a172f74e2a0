//! Where packages come from: the mirrors that this machine's apt is set up with.
//!
//! No host is written in this program. The hash of a file decides whether it is the right one, so
//! any mirror serves, and the administrator's choice (a mirror nearby, a company's cache) is the
//! best there is.

use std::collections::BTreeSet;
use std::process::Command;

use crate::error::Error;
use crate::package::Archive;

/// Mirrors that the user names; they take the place of what is found on the machine.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Mirrors of the main archive.
    pub main: Vec<String>,
    /// Mirrors of the security archive.
    pub security: Vec<String>,
}

/// The mirrors to ask, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    main: Vec<String>,
    security: Vec<String>,
}

/// Debian's names for releases, for a machine whose apt has no lists yet and so can't say whose
/// archive it is.
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
    /// The mirrors that the user names, or else those of apt's configuration.
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
        let output = Command::new("apt-get")
            .args([
                "indextargets",
                "--format",
                "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)",
            ])
            .output()
            .map_err(|_| none("this machine has no apt"))?;
        let (mirrors, others) = Self::of_index_targets(&String::from_utf8_lossy(&output.stdout));
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

    /// Reads lines `uri|release|component|origin|label`; gives also the names of the archives that
    /// are not Debian's.
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

    /// Bases of the mirrors of an archive, without a slash at the end.
    pub fn of(&self, archive: Archive) -> &[String] {
        match archive {
            Archive::Debian => &self.main,
            Archive::DebianSecurity => &self.security,
        }
    }

    /// Every address where a file of a pool may be. A point release moves packages of the security
    /// archive to the main one, where they keep their path but for the first directories.
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
    fn apts_debian_sources_are_taken_and_listed_once() {
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
    fn before_apt_get_update_the_release_tells_that_it_is_debian() {
        let (mirrors, others) = Mirrors::of_index_targets(
            "https://mirror.example/debian/|bookworm|main||\nhttps://mirror.example/ubuntu/|noble-updates|main||\n",
        );
        assert_eq!(
            mirrors.of(Archive::Debian),
            ["https://mirror.example/debian"]
        );
        assert_eq!(others.into_iter().collect::<Vec<_>>(), ["noble-updates"]);
    }

    #[test]
    fn sources_of_another_distribution_are_not_taken() {
        let (mirrors, others) =
            Mirrors::of_index_targets("http://mirror.example/ubuntu/|noble|main|Ubuntu|Ubuntu\n");
        assert!(mirrors.of(Archive::Debian).is_empty());
        assert_eq!(others.into_iter().collect::<Vec<_>>(), ["Ubuntu"]);
    }

    #[test]
    fn the_security_archive_is_looked_for_beside_the_main_one() {
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
    fn a_security_pin_is_also_looked_for_where_point_releases_move_it() {
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
    fn what_is_no_address_is_refused() {
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
