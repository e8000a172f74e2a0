//! Finds logins where `docker login` and `podman login` store them, so that users do not have to
//! enter passwords again.
//!
//! Invalid sources are skipped and recorded: another source may have the login, or the registry may
//! not require one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::auth_file::{self, AuthFile, Source};
use crate::credential_helper::ask;
use crate::error::quote;
use crate::secret::{Credential, Secret};
use crate::{Error, Repository};

/// Environment variable with the contents of an auth file.
const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// The sources of logins.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// A login for one host, which takes precedence.
    given: Option<(String, Credential)>,
    /// The contents of an auth file from the environment.
    variable: Option<Secret>,
    files: Vec<PathBuf>,
    /// Directory to search for credential helpers before PATH.
    helpers: Option<PathBuf>,
}

/// The result of a search for a login.
#[derive(Debug, Default)]
pub struct Found {
    pub login: Option<Credential>,
    /// Sources that could not be read, to report if the login turns out to be missing.
    pub problems: Vec<Error>,
}

impl Credentials {
    /// Uses the sources of Podman and Docker: $DOCKER_AUTH_CONFIG, then the [files].
    pub fn of_environment() -> Self {
        let variable = env::var(VARIABLE).ok();
        Self {
            variable: variable.map(Secret::new),
            ..Self::in_files(files())
        }
    }

    /// Uses these auth files in order of preference. Missing files are skipped.
    pub fn in_files(files: Vec<PathBuf>) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }

    /// Adds a directory to search for credential helpers.
    pub fn with_helpers_in(self, directory: PathBuf) -> Self {
        Self {
            helpers: Some(directory),
            ..self
        }
    }

    /// Adds a login for one host, which takes precedence over the other sources.
    pub fn with_login(self, host: &str, login: Credential) -> Self {
        Self {
            given: Some((host.to_owned(), login)),
            ..self
        }
    }

    /// Finds the login for a repository. The first source that has one is used, and in it the most
    /// specific namespace, or else the host.
    pub fn find(&self, repository: &Repository) -> Found {
        let mut found = Found::default();
        if let Some((host, login)) = &self.given {
            if host == repository.host() {
                found.login = Some(login.clone());
                return found;
            }
        }
        if let Some(text) = &self.variable {
            let path = PathBuf::from(format!("${VARIABLE}"));
            found.search(self, &path, text.reveal().as_bytes(), repository);
        }
        for path in &self.files {
            if found.login.is_some() {
                break;
            }
            match fs::read(path) {
                Ok(text) => found.search(self, path, &text, repository),
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => found.problems.push(Error::io("read", path)(error)),
            }
        }
        found
    }
}

impl Found {
    fn search(
        &mut self,
        credentials: &Credentials,
        path: &Path,
        text: &[u8],
        repository: &Repository,
    ) {
        let wrong = |reason: String| Error::CredentialsFile {
            path: path.to_owned(),
            reason,
        };
        let file = match AuthFile::parse(text) {
            Ok(file) => file,
            Err(reason) => {
                self.problems.push(wrong(reason));
                return;
            }
        };
        // Helpers that failed; they would fail again under another name.
        let mut broken = Vec::new();
        for source in file.sources(repository) {
            let login = match source {
                Source::Helper(helper, _) if broken.contains(&helper) => continue,
                Source::Helper(helper, name) => {
                    let login = ask(
                        helper,
                        credentials.helpers.as_deref(),
                        repository.host(),
                        name,
                    );
                    broken.extend(login.is_err().then_some(helper));
                    login
                }
                Source::Entry(key, entry) => auth_file::login(entry)
                    .map_err(|reason| wrong(format!("the login for {} {reason}", quote(key)))),
            };
            match login {
                Ok(Some(login)) => {
                    self.login = Some(login);
                    return;
                }
                Ok(None) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// Returns the paths of the user's auth files, which need not exist: only $REGISTRY_AUTH_FILE if it
/// is set, otherwise Podman's files, then Docker's.
pub fn files() -> Vec<PathBuf> {
    let user = fs::metadata("/proc/self").ok().map(|it| it.uid());
    files_for(|name| env::var_os(name), user)
}

/// Source: containers-auth.json(5); Docker's CLI reference, "Environment variables".
fn files_for(variable: impl Fn(&str) -> Option<OsString>, user: Option<u32>) -> Vec<PathBuf> {
    let path = |name: &str| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    if let Some(file) = path("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let home = path("HOME");
    let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
    let podman = [
        path("XDG_RUNTIME_DIR"),
        // Podman's path when XDG_RUNTIME_DIR is not set.
        user.map(|user| PathBuf::from(format!("/run/containers/{user}"))),
        path("XDG_CONFIG_HOME").or_else(|| below_home(".config")),
    ];
    let file = |(directory, name): (Option<PathBuf>, &str)| Some(directory?.join(name));
    podman
        .into_iter()
        .zip(["containers/auth.json", "auth.json", "containers/auth.json"])
        .filter_map(file)
        .chain(file((
            path("DOCKER_CONFIG").or_else(|| below_home(".docker")),
            "config.json",
        )))
        .chain(below_home(".dockercfg"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_auth_files_of_podman_and_docker() {
        let files = |variables: &[(&str, &str)]| {
            let variable = |name: &str| {
                let mut variables = variables.iter();
                let found = variables.find(|(it, _)| *it == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let files = files_for(variable, Some(1000));
            let files: Vec<_> = files.iter().map(|it| it.display().to_string()).collect();
            files
        };
        assert_eq!(
            files(&[("HOME", "/home/ada"), ("REGISTRY_AUTH_FILE", "")]),
            [
                "/run/containers/1000/auth.json",
                "/home/ada/.config/containers/auth.json",
                "/home/ada/.docker/config.json",
                "/home/ada/.dockercfg",
            ]
        );
        let variables = [
            ("HOME", "/home/ada"),
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
            ("XDG_CONFIG_HOME", "/config"),
            ("DOCKER_CONFIG", "/docker"),
        ];
        assert_eq!(
            files(&variables),
            [
                "/run/user/1000/containers/auth.json",
                "/run/containers/1000/auth.json",
                "/config/containers/auth.json",
                "/docker/config.json",
                "/home/ada/.dockercfg",
            ]
        );
        let mut named = variables.to_vec();
        named.push(("REGISTRY_AUTH_FILE", "/auth.json"));
        assert_eq!(files(&named), ["/auth.json"]);
        assert_eq!(files(&[]), ["/run/containers/1000/auth.json"]);
    }

    #[test]
    fn prefers_the_variable_and_does_not_print_it() {
        let text = r#"{"auths": {"h.example": {"username": "ada", "password": "hunter2"}}}"#;
        let credentials = Credentials {
            variable: Some(Secret::new(text)),
            ..Credentials::in_files(vec!["/nowhere".into()])
        };
        let of = |repository: &str| repository.parse().map(|it| credentials.find(&it).login);
        assert_eq!(
            of("h.example/app").ok(),
            Some(Credential::of("ada", "hunter2"))
        );
        assert_eq!(of("i.example/app").ok(), Some(None));
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
