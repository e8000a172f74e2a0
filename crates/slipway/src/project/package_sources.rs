//! Options for mirrors and keyrings that several commands share, and the package sources that they
//! configure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use slipway_debian::config::{Config, Set};
use slipway_debian::contents_index::File;
use slipway_debian::fetch::Fetcher;
use slipway_debian::hash::Sha256;
use slipway_debian::http::AptConfiguration;
use slipway_debian::lock::Lock;
use slipway_debian::lock_builder::LockBuilder;
use slipway_debian::mirrors::{Mirrors, Wanted};
use slipway_debian::signature::Verifier;
use slipway_debian::suites::Suites;
use slipway_http::RetryPolicy;
use slipway_progress::Progress;

use crate::cli::progress;
use crate::project::known_files::KnownFiles;
use crate::project::settings;
use crate::project::{self, Project};

#[derive(Clone, Args)]
#[group(skip)]
pub struct Options {
    /// Mirror of Debian's archive to use instead of those in the settings or apt's sources
    /// (repeatable)
    #[arg(
        long = "mirror",
        value_name = "URL",
        env = "SLIPWAY_DEBIAN_MIRROR",
        value_delimiter = ' '
    )]
    main: Vec<String>,

    /// Mirror of Debian's security archive
    #[arg(
        long = "security-mirror",
        value_name = "URL",
        env = "SLIPWAY_DEBIAN_SECURITY_MIRROR",
        value_delimiter = ' '
    )]
    security: Vec<String>,

    /// Keyring with Debian's archive keys
    #[arg(long, value_name = "FILE", env = "SLIPWAY_KEYRING")]
    keyring: Option<PathBuf>,
}

/// Mirrors, and what is needed to fetch from them.
pub struct Sources {
    pub mirrors: Mirrors,
    pub fetcher: Fetcher,
    pub progress: Box<dyn Progress>,
    keyring: Option<PathBuf>,
    accept_expired: bool,
    cache: PathBuf,
}

/// Retry policy for optional lookups, which must not delay a command for long.
pub const ONE_TRY: RetryPolicy = RetryPolicy {
    connect: Duration::from_secs(3),
    stall: Duration::from_secs(5),
    tries: 1,
    ..RetryPolicy::STANDARD
};

impl Options {
    /// The mirrors to use. The first of these that names any: options or environment variables, the
    /// settings of the user or the system, the project in `directory`, the sources of apt.
    pub fn mirrors(&self, directory: &Path) -> Result<Mirrors> {
        let given = |urls: &[String]| urls.iter().filter(|url| !url.is_empty()).cloned().collect();
        let mut wanted = Wanted {
            main: given(&self.main),
            security: given(&self.security),
        };
        if wanted.main.is_empty() {
            let named = match settings::mirrors()? {
                Some(named) => named,
                None => of_project(directory).unwrap_or_default(),
            };
            wanted.main = named.main;
            if wanted.security.is_empty() {
                wanted.security = named.security;
            }
        }
        Ok(Mirrors::find(&wanted)?)
    }

    /// The verifier of index signatures.
    pub fn verifier(&self) -> Result<Verifier> {
        Ok(Verifier::find(self.keyring.as_deref())?)
    }

    /// Opens the sources for the project in `directory`, if there is one.
    pub fn open(&self, directory: &Path) -> Result<Sources> {
        self.open_with(directory, RetryPolicy::default())
    }

    pub fn open_with(&self, directory: &Path, retry: RetryPolicy) -> Result<Sources> {
        let apt = AptConfiguration::read();
        Ok(Sources {
            mirrors: self.mirrors(directory)?,
            fetcher: Fetcher::new(retry, &apt),
            progress: progress::for_stderr(),
            keyring: self.keyring.clone(),
            accept_expired: apt.accepts_expired,
            cache: project::cache()?,
        })
    }
}

/// The mirrors in a project's slipway.toml. Ignores other errors in that file; they are reported
/// elsewhere.
fn of_project(directory: &Path) -> Option<Wanted> {
    let project = Project::find(directory).ok()?;
    let config = Config::read(&project.config()).ok()?;
    let mut main = config.mirrors;
    // URLs with placeholders are templates for single files, which only Nix uses.
    main.retain(|url| !url.contains('{'));
    Some(Wanted {
        main,
        security: config.security_mirrors,
    })
}

impl Sources {
    /// The path of a package file before it is added to the store.
    pub fn deb_path(&self, sha256: Sha256, name: &str) -> PathBuf {
        self.cache.join("debs").join(sha256.to_string()).join(name)
    }

    /// Resolves the packages. Keeps the pins of `old`, except those in `gone`.
    pub fn relock(
        &self,
        config: &Config,
        old: Option<&Lock>,
        gone: &BTreeSet<Sha256>,
    ) -> Result<Lock> {
        let verifier = Verifier::find(self.keyring.as_deref())?;
        Ok(LockBuilder {
            config,
            old,
            gone,
            suites: &self.suites(&verifier),
            cache: self.cache.join("debs"),
        }
        .run()?)
    }

    /// For each file, the package that contains it, from the table of known files or the suites of a
    /// set. Fails if the table has none of the files, and the suites cannot be searched.
    pub fn packages_with(&self, files: &[File], set: &Set) -> Result<Vec<Result<String>>> {
        let known = KnownFiles::read()?;
        let is_unknown = |file: &&File| known.package(file).is_none();
        let others: Vec<File> = files.iter().filter(is_unknown).cloned().collect();
        let mut found = match self.look_up(&others, set) {
            Ok(found) => found,
            Err(error) if others.len() == files.len() => return Err(error),
            Err(error) => others.iter().map(|_| Err(anyhow!("{error:#}"))).collect(),
        }
        .into_iter();
        let rows = files.iter().filter_map(|file| match known.package(file) {
            Some(package) => Some(Ok(package.clone())),
            None => found.next(),
        });
        Ok(rows.collect())
    }

    fn look_up(&self, files: &[File], set: &Set) -> Result<Vec<Result<String>>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let verifier = Verifier::find(self.keyring.as_deref())?;
        let architecture = set.architectures.first().map_or("", String::as_str);
        let suites = self.suites(&verifier);
        let found = suites.packages_with(files, &set.suites, architecture)?;
        Ok(found.into_iter().map(|it| Ok(it?)).collect())
    }

    fn suites<'a>(&'a self, verifier: &'a Verifier) -> Suites<'a> {
        Suites {
            fetcher: &self.fetcher,
            mirrors: &self.mirrors,
            verifier,
            progress: self.progress.as_ref(),
            cache: self.cache.join("indices"),
            accept_expired: self.accept_expired,
        }
    }
}
