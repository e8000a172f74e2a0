//! Where packages come from: options that several commands share, and what they open.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use slipway_debian::config::Config;
use slipway_debian::fetch::Fetcher;
use slipway_debian::hash::Sha256;
use slipway_debian::http::{AptConfiguration, Patience};
use slipway_debian::lock::Lock;
use slipway_debian::mirrors::{Mirrors, Wanted};
use slipway_debian::progress::{self, Progress};
use slipway_debian::relock::Relock;
use slipway_debian::signature::Verifier;
use slipway_debian::suites::Suites;

#[derive(Args)]
#[group(skip)]
pub struct Options {
    /// Mirror of Debian's archive, in place of those in apt's sources; may be given several times
    #[arg(
        long = "mirror",
        value_name = "URL",
        env = "SLIPWAY_MIRROR",
        value_delimiter = ' '
    )]
    main: Vec<String>,

    /// Mirror of Debian's security archive
    #[arg(
        long = "security-mirror",
        value_name = "URL",
        env = "SLIPWAY_SECURITY_MIRROR",
        value_delimiter = ' '
    )]
    security: Vec<String>,

    /// Keyring with the keys that Debian signs its indices with
    #[arg(long, value_name = "FILE", env = "SLIPWAY_KEYRING")]
    keyring: Option<PathBuf>,
}

/// Mirrors, and the means to fetch from them.
pub struct Sources {
    pub mirrors: Mirrors,
    pub fetcher: Fetcher,
    pub progress: Box<dyn Progress>,
    keyring: Option<PathBuf>,
    accept_expired: bool,
    cache: PathBuf,
}

impl Options {
    /// The mirrors that are named, or else those of apt.
    pub fn mirrors(&self) -> Result<Mirrors> {
        let given = |urls: &[String]| urls.iter().filter(|url| !url.is_empty()).cloned().collect();
        Ok(Mirrors::find(&Wanted {
            main: given(&self.main),
            security: given(&self.security),
        })?)
    }

    /// What checks the signatures of indices.
    pub fn verifier(&self) -> Result<Verifier> {
        Ok(Verifier::find(self.keyring.as_deref())?)
    }

    /// Opens the sources; `cache` is where fetched files are kept.
    pub fn open(&self, cache: &Path) -> Result<Sources> {
        let apt = AptConfiguration::read();
        Ok(Sources {
            mirrors: self.mirrors()?,
            fetcher: Fetcher::new(Patience::default(), &apt),
            progress: progress::for_stderr(),
            keyring: self.keyring.clone(),
            accept_expired: apt.accepts_expired,
            cache: cache.to_owned(),
        })
    }
}

impl Sources {
    /// Where a package file is kept until the store has it.
    pub fn deb_path(&self, sha256: Sha256, name: &str) -> PathBuf {
        self.cache.join("debs").join(sha256.to_string()).join(name)
    }

    /// Resolves anew. Pins of `old` stay where they are, but for those that are `gone`.
    pub fn relock(
        &self,
        config: &Config,
        old: Option<&Lock>,
        gone: &BTreeSet<Sha256>,
    ) -> Result<Lock> {
        let suites = Suites {
            fetcher: &self.fetcher,
            mirrors: &self.mirrors,
            verifier: &Verifier::find(self.keyring.as_deref())?,
            progress: self.progress.as_ref(),
            cache: self.cache.join("indices"),
            accept_expired: self.accept_expired,
        };
        Ok(Relock {
            config,
            old,
            gone,
            suites: &suites,
            cache: self.cache.join("debs"),
        }
        .run()?)
    }
}
