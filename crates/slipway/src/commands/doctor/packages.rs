//! Checks the sources of packages and crates, and the keyring that verifies them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use slipway_debian::config::Config;
use slipway_debian::fetch::Fetcher;
use slipway_debian::http::AptConfiguration;
use slipway_debian::package::Archive;
use slipway_http::RetryPolicy;

use super::{Finding, State, directory_in, plain, version};
use crate::project::Project;
use crate::project::package_sources;

/// A short retry policy, so that `doctor` does not wait long for a mirror.
const RETRY: RetryPolicy = RetryPolicy {
    connect: Duration::from_secs(5),
    stall: Duration::from_secs(5),
    tries: 1,
    ..RetryPolicy::STANDARD
};

pub fn findings(options: &package_sources::Options, directory: &Path) -> Vec<Finding> {
    let project = Project::find(directory).ok();
    let release = project
        .as_ref()
        .and_then(|project| Config::read(&project.config()).ok())
        .map_or_else(|| "stable".to_owned(), |config| config.debian);
    let apt = AptConfiguration::read();
    let mut findings = mirrors(options, directory, &release, &apt);
    findings.push(Finding::of(
        "signatures",
        State::Note,
        options.verifier(),
        |_| "of indices can be checked".into(),
    ));
    findings.push(match version("git") {
        Some(version) => Finding::ok("git", version),
        None => Finding::lacks(
            "git",
            "is not installed, and Nix reads flakes by it; install it: apt-get install git",
        ),
    });
    findings.push(match version("cargo") {
        Some(version) => Finding::ok("cargo", version),
        None => Finding::lacks(
            "cargo",
            "is not installed, and it fetches the crates; install Rust 1.85 or later",
        ),
    });
    findings.push(crates(
        project.as_ref().map(|project| project.root.as_path()),
    ));
    findings.push(proxies(&apt));
    findings
}

fn mirrors(
    options: &package_sources::Options,
    directory: &Path,
    release: &str,
    apt: &AptConfiguration,
) -> Vec<Finding> {
    let mirrors = match options.mirrors(directory) {
        Ok(mirrors) => mirrors,
        Err(e) => return vec![Finding::lacks("mirrors", format!("{e:#}"))],
    };
    let archives = [
        ("mirrors", Archive::Debian, release.to_owned()),
        (
            "security mirrors",
            Archive::DebianSecurity,
            format!("{release}-security"),
        ),
    ];
    let check = |(subject, archive, suite): &(&str, Archive, String)| {
        let bases = mirrors.of(*archive);
        let urls: Vec<String> = bases
            .iter()
            .map(|base| format!("{base}/dists/{suite}/InRelease"))
            .collect();
        let answer = Fetcher::new(RETRY, apt).exists(&urls);
        Finding::of(
            subject,
            State::Lacks,
            match answer {
                Ok(true) => Ok(()),
                Ok(false) => Err(anyhow!(
                    "{} has no index of {suite}; name a mirror that has, with --mirror URL or SLIPWAY_DEBIAN_MIRROR",
                    shown(bases)
                )),
                Err(e) => Err(anyhow!(
                    "{}; is there a network, or a proxy to be named in http_proxy?",
                    without_users(&e.to_string(), bases)
                )),
            },
            |()| format!("{} answers", shown(bases)),
        )
    };
    thread::scope(|scope| {
        let check = &check;
        let workers: Vec<_> = archives
            .iter()
            .map(|archive| scope.spawn(move || check(archive)))
            .collect();
        let findings = workers.into_iter().filter_map(|worker| worker.join().ok());
        findings.collect()
    })
}

fn shown(urls: &[String]) -> String {
    let plain: Vec<String> = urls.iter().map(|url| without_user(url)).collect();
    plain.join(", ")
}

/// Removes credentials from the given URLs in a text.
fn without_users(text: &str, urls: &[String]) -> String {
    urls.iter().fold(text.to_owned(), |text, url| {
        text.replace(url, &without_user(url))
    })
}

/// The source of crates, if Cargo's configuration replaces the registry (The Cargo Book, "Source
/// Replacement").
fn crates(project: Option<&Path>) -> Finding {
    let home = directory_in("CARGO_HOME").or_else(|| Some(directory_in("HOME")?.join(".cargo")));
    let projects = project
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|directory| directory.join(".cargo"));
    let files: Vec<PathBuf> = projects
        .chain(home)
        .flat_map(|directory| [directory.join("config.toml"), directory.join("config")])
        .filter(|file| file.is_file())
        .collect();
    let replaced = files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        let name = replacement(&text)?;
        Some(format!("come from {name}, as {} says", file.display()))
    });
    let text = replaced.unwrap_or_else(|| "come from cargo's own registry".into());
    Finding::ok("crates", text)
}

/// The value of `replace-with` in Cargo's configuration.
fn replacement(settings: &str) -> Option<String> {
    let value = settings.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "replace-with").then(|| value.trim())
    })?;
    Some(plain(value.trim_matches(['"', '\''])))
}

/// The proxies in use, without their passwords.
fn proxies(apt: &AptConfiguration) -> Finding {
    let names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    let both = names
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_uppercase()]);
    let set = both.filter_map(|name| {
        let value = env::var(&name).ok().filter(|value| !value.is_empty())?;
        Some((name, value))
    });
    let of_apt = [
        ("apt's http proxy", &apt.http_proxy),
        ("apt's https proxy", &apt.https_proxy),
    ];
    let of_apt = of_apt
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let all: Vec<String> = set
        .chain(of_apt)
        .map(|(name, value)| format!("{name}={}", without_user(&value)))
        .collect();
    let text = match all[..] {
        [] => "none".to_owned(),
        _ => all.join(" "),
    };
    Finding::ok("proxies", text)
}

/// The URL without `user:password@`.
fn without_user(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    plain(&format!("{scheme}{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_credentials_from_urls() {
        for (url, shown) in [
            (
                "http://me:secret@proxy.example:3128",
                "http://proxy.example:3128",
            ),
            ("http://proxy.example/a@b", "http://proxy.example/a@b"),
            ("me:p@ss@proxy.example", "proxy.example"),
            ("localhost,.example", "localhost,.example"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }

    #[test]
    fn finds_the_replacement_of_a_registry() {
        let settings =
            "[source.crates-io]\nreplace-with = \"mirror\"\n\n[source.mirror]\nregistry = \"x\"\n";
        assert_eq!(replacement(settings).unwrap(), "mirror");
        assert_eq!(replacement("[net]\noffline = false\n"), None);
    }
}
