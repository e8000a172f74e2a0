//! The commit that is released.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use slipway_oci::Timestamp;
use slipway_release::{Commit, Version, of_tag};

use crate::project::{git, source_tree};
use crate::release::dist;

/// What git knows of the release.
pub struct Source {
    pub version: Version,
    /// The tag of the commit. `None` for a snapshot of a commit without a tag.
    pub tag: Option<String>,
    /// The tag of the release before.
    pub previous: Option<String>,
    pub commit: String,
    /// The directory of the git repository.
    pub repository: PathBuf,
    /// The time of the files: `SOURCE_DATE_EPOCH`, or else the time of the commit.
    pub time: Timestamp,
}

impl Source {
    /// Reads the state of the repository that contains `root`. Without `is_snapshot`, the commit must
    /// have a tag that is a version, and there must be no changes after it, except in `output`.
    pub fn read(root: &Path, output: &Path, is_snapshot: bool) -> Result<Self> {
        let git = |arguments: &[&str]| git::output(root, arguments);
        let commit = git(&["rev-parse", "--verify", "HEAD"]).map_err(|_| {
            anyhow!(
                "{} has no commit in git to release; commit the project first",
                root.display()
            )
        })?;
        let repository = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
        let changed = changed(&repository, root, output)?;
        if let (Some(changed), false) = (changed, is_snapshot) {
            bail!(
                "there are changes that are not committed, such as {changed}; commit them, or build without a version: \
                 slipway release --snapshot"
            );
        }
        let tag = tag(&git(&["tag", "--points-at", "HEAD"])?);
        let before = match &tag {
            Some(tag) => format!("{tag}^"),
            None => "HEAD".to_owned(),
        };
        let mut describe = vec!["describe", "--tags", "--abbrev=0"];
        describe.extend(VERSIONS.map(|pattern| ["--match", pattern]).concat());
        describe.push(&before);
        let previous = git(&describe).ok();
        let version = match (&tag, is_snapshot) {
            (Some(tag), false) => of_tag(tag)?,
            (None, false) => bail!(
                "the commit {} has no tag; tag it, such as: git tag v0.1.0 (a clone without tags gets them with: git \
                 fetch --tags), or build without a version: slipway release --snapshot",
                short(&commit)
            ),
            (_, true) => snapshot([&tag, &previous], &commit)?,
        };
        let time = match env::var("SOURCE_DATE_EPOCH") {
            Ok(seconds) => seconds,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        let time = time.parse().map_err(|_| {
            anyhow!("{time:?} is not a time in seconds since 1970; set SOURCE_DATE_EPOCH to one")
        })?;
        Ok(Self {
            version,
            tag,
            previous,
            commit,
            repository,
            time: Timestamp::from_unix_seconds(time),
        })
    }

    /// The tag, or for a snapshot, which has none, its version.
    pub fn tag_or_version(&self) -> String {
        let is_own = |tag: &&String| of_tag(tag).is_ok_and(|version| version == self.version);
        let tag = self.tag.as_ref().filter(is_own);
        tag.cloned().unwrap_or_else(|| self.version.to_string())
    }

    /// The commits since the previous release, the newest first.
    pub fn commits(&self, root: &Path) -> Result<Vec<Commit>> {
        let range = match &self.previous {
            Some(previous) => format!("{previous}..HEAD"),
            None => "HEAD".to_owned(),
        };
        // The fields end with a NUL, since a message can have any other character.
        let log = git::output(
            root,
            &[
                "log",
                "--no-merges",
                "--abbrev=7",
                "--format=%h%x00%an%x00%s%x00%b%x00",
                &range,
            ],
        )?;
        let fields: Vec<&str> = log.split('\0').collect();
        let commits = fields.chunks_exact(4).map(|fields| Commit {
            hash: fields[0].trim().to_owned(),
            author: fields[1].to_owned(),
            summary: fields[2].to_owned(),
            is_breaking: fields[3].contains("BREAKING CHANGE:"),
        });
        Ok(commits.collect())
    }
}

/// Patterns of tags that look like versions.
const VERSIONS: [&str; 2] = ["v[0-9]*", "[0-9]*"];

/// Of a commit's tags, the highest version. If none is a version, the first.
fn tag(tags: &str) -> Option<String> {
    let versions = tags
        .lines()
        .filter_map(|tag| Some((of_tag(tag).ok()?, tag)));
    let highest = versions.max().map(|(_, tag)| tag);
    highest.or(tags.lines().next()).map(str::to_owned)
}

/// A file of the project that differs from the commit. Ignores release files, and links to results
/// of builds.
fn changed(repository: &Path, root: &Path, output: &Path) -> Result<Option<String>> {
    // Paths are relative to the repository's directory, and end with a NUL.
    let status = git::output(
        root,
        &[
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            ".",
        ],
    )?;
    let mut changed = status
        .split('\0')
        .filter_map(|line| Some((line.get(..2)?, line.get(3..)?)));
    let is_ours = |state: &str, path: &str| {
        let path = repository.join(path);
        let mut directories = path.ancestors().skip(1).take_while(|it| *it != repository);
        state == "??"
            && (source_tree::is_link_into_store(&path)
                || directories.any(|it| it == output || dist::is_release(it)))
    };
    let found = changed.find(|(state, path)| !is_ours(state, path));
    Ok(found.map(|(_, path)| path.to_owned()))
}

/// The version of a snapshot: that of the first tag that is one, or 0.0.0, marked with the commit.
fn snapshot(tags: [&Option<String>; 2], commit: &str) -> Result<Version> {
    let mut versions = tags
        .into_iter()
        .flatten()
        .filter_map(|tag| of_tag(tag).ok());
    let version = versions.next().unwrap_or(Version::new(0, 0, 0));
    let (major, minor, patch) = (version.major, version.minor, version.patch);
    let text = format!("{major}.{minor}.{patch}-SNAPSHOT-{}", short(commit));
    Ok(Version::parse(&text)?)
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_tags_the_highest_version_counts() {
        for (tags, expected) in [
            ("", None),
            ("nightly\nv1.2.0\nv1.10.0\nv1.10.0-rc.1\n", Some("v1.10.0")),
            ("latest\nnightly", Some("latest")),
        ] {
            assert_eq!(tag(tags).as_deref(), expected);
        }
    }
}
