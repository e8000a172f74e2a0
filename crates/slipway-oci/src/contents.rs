//! What a user wants to have in an image beside packages: files, trees, and directories to write to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::accounts::{Account, Accounts};
use crate::files::{Attributes, Files, ImagePath};
use crate::{Error, Result};

/// Files and directories of an image, as users write them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contents {
    /// Files and trees by their paths in the image.
    pub contents: BTreeMap<String, Content>,
    /// Empty directories that the user may write to, by their paths in the image.
    pub writable: BTreeMap<String, Directory>,
    /// Accounts as [`Account`] parses them, whose names owners can be.
    pub accounts: Vec<String>,
    /// Whom the program runs as, and whose the directories are.
    pub user: Option<String>,
}

/// A file or a tree on this machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    pub source: PathBuf,
    /// In octal digits, such as `0640`.
    pub mode: Option<String>,
    /// `USER[:GROUP]`, as names or numbers.
    pub owner: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    pub mode: Option<String>,
    pub owner: Option<String>,
}

/// The one directory that belongs to nobody in particular.
const TMP: &str = "/tmp";

impl Contents {
    /// Reads a JSON file.
    pub fn read(path: &Path) -> Result<Contents> {
        let text = std::fs::read(path).map_err(Error::io("read", path))?;
        serde_json::from_slice(&text).map_err(|source| Error::Json {
            what: path.display().to_string(),
            source,
        })
    }

    /// The paths on this machine whose content is copied.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        self.contents
            .values()
            .map(|content| content.source.as_path())
    }

    /// Lists all files. Reads the directories of the sources, but not what is in their files.
    pub fn files(&self) -> Result<Files> {
        let parsed = self
            .accounts
            .iter()
            .map(|account| account.parse::<Account>());
        let accounts = Accounts::new(parsed.collect::<Result<Vec<_>>>()?)?;
        let owner = |text: &Option<String>| match text {
            Some(text) => accounts.owner(text),
            None => Ok(Default::default()),
        };

        let mut files = Files::default();
        let mut seen: BTreeMap<ImagePath, &Content> = BTreeMap::new();
        for (path, content) in &self.contents {
            let source = content.source.display().to_string();
            let at = ImagePath::parse(path, &source)?;
            // Trees can share directories, but not the path that they are given.
            if let Some(first) = seen.insert(at.clone(), content) {
                return Err(Error::TwoSources {
                    path: path.clone(),
                    first: first.source.display().to_string(),
                    second: source,
                });
            }
            let attributes = Attributes {
                mode: content
                    .mode
                    .as_deref()
                    .map(|text| mode(text, path))
                    .transpose()?,
                owner: owner(&content.owner)?,
            };
            files.add(&at, &content.source, attributes)?;
        }
        for (path, directory) in &self.writable {
            let at = ImagePath::parse(path, "an empty directory")?;
            let owner = match &directory.owner {
                None if path == TMP => Default::default(),
                None => owner(&self.user)?,
                Some(text) => accounts.owner(text)?,
            };
            let mode = directory
                .mode
                .as_deref()
                .map(|text| mode(text, path))
                .transpose()?;
            files.add_directory(&at, mode, owner)?;
        }
        Ok(files)
    }
}

/// Parses permissions in octal digits. Set-user-ID and set-group-ID are refused, as `slipway verify`
/// does.
fn mode(text: &str, path: &str) -> Result<u32> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o1777 && !text.starts_with('+') => Ok(mode),
        _ => Err(Error::Config {
            what: format!("mode {text:?} of {path}"),
            reason: "is not permissions in octal digits, such as 0640, up to 1777",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::tar_writer::TarWriter;

    struct Sources(tempfile::TempDir);

    impl Sources {
        fn new() -> Sources {
            let sources = Sources(tempfile::tempdir().unwrap());
            sources.write("config.toml", 0o444);
            sources.write("www/index.html", 0o444);
            sources.write("www/run/tool", 0o555);
            symlink("index.html", sources.0.path().join("www/start")).unwrap();
            sources
        }

        fn write(&self, name: &str, mode: u32) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }

        /// `@` in the JSON stands for the directory of the sources.
        fn files(&self, json: &str) -> Result<Files> {
            let json = json.replace('@', self.0.path().to_str().unwrap());
            serde_json::from_str::<Contents>(&json).unwrap().files()
        }

        /// A line for each entry: name, mode, owner, and target of a link.
        fn listed(&self, json: &str) -> Vec<String> {
            let files = self.files(json).unwrap();
            let mut archive = TarWriter::new(Vec::new(), PathBuf::new());
            files.append(&mut archive).unwrap();
            let tar = archive.finish().unwrap();
            let mut archive = tar::Archive::new(&tar[..]);
            let line = |entry: std::io::Result<tar::Entry<&[u8]>>| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().into_owned();
                let target = entry.link_name().unwrap();
                format!(
                    "{} {:04o} {}:{}{}",
                    path.display(),
                    header.mode().unwrap(),
                    header.uid().unwrap(),
                    header.gid().unwrap(),
                    target.map_or(String::new(), |target| format!(" -> {}", target.display()))
                )
            };
            archive.entries().unwrap().map(line).collect()
        }

        fn refusal(&self, json: &str) -> String {
            let message = self.files(json).unwrap_err().to_string();
            message.replace(self.0.path().to_str().unwrap(), "@")
        }
    }

    #[test]
    fn files_and_trees_are_at_their_paths() {
        let listed = Sources::new().listed(
            r#"{"contents":{"/etc/app/config.toml":{"source":"@/config.toml"},"/srv/www/":{"source":"@/www"}}}"#,
        );
        assert_eq!(
            listed,
            [
                "etc/ 0755 0:0",
                "etc/app/ 0755 0:0",
                "etc/app/config.toml 0644 0:0",
                "srv/ 0755 0:0",
                "srv/www/ 0755 0:0",
                "srv/www/index.html 0644 0:0",
                "srv/www/run/ 0755 0:0",
                "srv/www/run/tool 0755 0:0",
                "srv/www/start 0777 0:0 -> index.html",
            ]
        );
    }

    #[test]
    fn modes_and_owners_are_those_that_are_asked_for() {
        let listed = Sources::new().listed(
            r#"{"accounts":["app=1000:50"],"contents":{
                "/secret":{"source":"@/config.toml","mode":"0600","owner":"app"},
                "/www":{"source":"@/www","mode":"0640","owner":"7:8"}}}"#,
        );
        assert_eq!(
            listed,
            [
                "secret 0600 1000:50",
                "www/ 0750 7:8",
                "www/index.html 0640 7:8",
                "www/run/ 0750 7:8",
                "www/run/tool 0750 7:8",
                "www/start 0777 7:8 -> index.html",
            ]
        );
    }

    #[test]
    fn directories_belong_to_the_user_of_the_image() {
        let listed = Sources::new().listed(
            r#"{"user":"65532:65532","writable":{"/tmp":{},"/var/lib/app":{},
                "/var/cache/app":{"mode":"0700","owner":"5"}}}"#,
        );
        assert_eq!(
            listed,
            [
                "tmp/ 1777 0:0",
                "var/ 0755 0:0",
                "var/cache/ 0755 0:0",
                "var/cache/app/ 0700 5:0",
                "var/lib/ 0755 0:0",
                "var/lib/app/ 0755 65532:65532",
            ]
        );
    }

    #[test]
    fn a_directory_that_is_asked_for_decides_over_a_tree() {
        let listed = Sources::new()
            .listed(r#"{"contents":{"/":{"source":"@/www"}},"writable":{"/run":{"owner":"3:4"}}}"#);
        assert_eq!(
            listed,
            [
                "index.html 0644 0:0",
                "run/ 0755 3:4",
                "run/tool 0755 0:0",
                "start 0777 0:0 -> index.html",
            ]
        );
    }

    #[test]
    fn two_sources_of_one_path_are_refused_and_both_are_named() {
        let sources = Sources::new();
        for (json, message) in [
            (
                r#"{"contents":{"/a":{"source":"@/config.toml"},"/a/":{"source":"@/www/index.html"}}}"#,
                "/a/ comes from @/config.toml and from @/www/index.html; leave one of them out",
            ),
            (
                r#"{"contents":{"/www":{"source":"@/www"},"/www/index.html":{"source":"@/config.toml"}}}"#,
                "/www/index.html comes from @/www and from @/config.toml; leave one of them out",
            ),
            (
                r#"{"contents":{"/a":{"source":"@/config.toml"},"/a/b":{"source":"@/www"}}}"#,
                "/a comes from @/config.toml and from @/www; leave one of them out",
            ),
            (
                r#"{"contents":{"/www":{"source":"@/www"},"/www/start/x":{"source":"@/config.toml"}}}"#,
                "/www/start comes from @/www and from @/config.toml; leave one of them out",
            ),
            (
                r#"{"contents":{"/a":{"source":"@/config.toml"}},"writable":{"/a":{}}}"#,
                "/a comes from @/config.toml and from an empty directory; leave one of them out",
            ),
        ] {
            assert_eq!(sources.refusal(json), message);
        }
    }

    #[test]
    fn unsuitable_paths_modes_and_owners_are_refused() {
        let sources = Sources::new();
        for (path, more, message) in [
            (
                "etc/x",
                "",
                "etc/x, from @/config.toml: the path in the image must begin with /",
            ),
            (
                "/etc/../x",
                "",
                "/etc/../x, from @/config.toml: the path in the image must not have .. in it",
            ),
            (
                "/nix/store/x",
                "",
                "/nix/store/x, from @/config.toml: the store has packages only",
            ),
            (
                "/x",
                r#","mode":"0888""#,
                "mode \"0888\" of /x: is not permissions",
            ),
            (
                "/x",
                r#","mode":"4755""#,
                "mode \"4755\" of /x: is not permissions",
            ),
            ("/x", r#","owner":"web""#, "owner \"web\": is neither"),
        ] {
            let json = format!(r#"{{"contents":{{"{path}":{{"source":"@/config.toml"{more}}}}}}}"#);
            let refusal = sources.refusal(&json);
            assert!(refusal.starts_with(message), "{refusal}");
        }
        let refusal = sources.refusal(r#"{"contents":{"/x":{"source":"@/missing"}}}"#);
        assert!(refusal.starts_with("cannot read @/missing: "), "{refusal}");
    }

    #[test]
    fn files_above_others_replace_files_and_nothing_else() {
        let sources = Sources::new();
        let lower = sources
            .files(r#"{"contents":{"/srv":{"source":"@/www"}}}"#)
            .unwrap();
        let above = |path: &str| {
            let json = format!(r#"{{"contents":{{"{path}":{{"source":"@/config.toml"}}}}}}"#);
            sources.files(&json).unwrap().check_above(&lower)
        };
        for path in [
            "/srv/index.html",
            "/srv/start",
            "/srv/new",
            "/srv/run/new",
            "/new",
        ] {
            above(path).unwrap();
        }
        for path in ["/srv", "/srv/start/x", "/srv/index.html/x"] {
            let message = above(path).unwrap_err().to_string();
            assert!(
                message.contains("config.toml; leave one of them out"),
                "{message}"
            );
        }
    }
}
