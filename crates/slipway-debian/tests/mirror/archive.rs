//! A Debian archive with a few packages, signed with a throw-away key.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use slipway_debian::hash::Sha256;
use tempfile::TempDir;

use super::Mirror;

/// A GnuPG home directory with one key.
pub struct Key {
    home: TempDir,
}

impl Key {
    /// Generates a key. Returns `None` and prints a notice if GnuPG or a verifier is not installed;
    /// in CI, where both are required, it panics instead.
    pub fn make() -> Option<Self> {
        let there = |name: &str| Command::new(name).arg("--version").output().is_ok();
        if !there("gpg") || !(there("gpgv") || there("sqv")) {
            let message = "not tested: gpg, and gpgv or sqv, must be installed";
            assert!(std::env::var_os("CI").is_none(), "{message}");
            eprintln!("{message}");
            return None;
        }
        let private = fs::Permissions::from_mode(0o700);
        let key = Self {
            home: tempfile::Builder::new()
                .permissions(private)
                .tempdir()
                .unwrap(),
        };
        key.gpg(
            &[
                "--passphrase",
                "",
                "--quick-gen-key",
                "archive@mirror.example",
                "ed25519",
                "sign",
                "never",
            ],
            b"",
        );
        let keyring = key.gpg(&["--export"], b"");
        fs::write(key.keyring(), keyring).unwrap();
        Some(key)
    }

    pub fn keyring(&self) -> PathBuf {
        self.home.path().join("keyring.gpg")
    }

    /// Clear-signs the text, as in `InRelease`.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        self.gpg(&["--clearsign"], text.as_bytes())
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("gpg")
            .args([
                "--batch",
                "--quiet",
                "--pinentry-mode",
                "loopback",
                "--homedir",
            ])
            .arg(self.home.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?} failed");
        output.stdout
    }
}

impl Drop for Key {
    /// Stops the gpg-agent that GnuPG started for this home directory.
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}

/// The contents of an index; publish it on mirrors with [`Archive::publish`].
#[derive(Clone)]
pub struct Archive {
    pub codename: String,
    /// An additional line of the `Release` file, such as `Valid-Until: …`.
    pub more: String,
    packages: Vec<Listed>,
    /// Names such as `Contents-amd64.gz` and the compressed contents.
    contents: Vec<(&'static str, Vec<u8>)>,
}

/// A package listed in the index.
#[derive(Clone)]
struct Listed {
    architecture: String,
    name: String,
    version: String,
    /// Additional fields, one per line.
    fields: String,
    /// Contents of the .deb.
    contents: Vec<u8>,
}

impl Listed {
    fn path(&self) -> String {
        let Self {
            architecture,
            name,
            version,
            ..
        } = self;
        format!("pool/main/x/{name}_{version}_{architecture}.deb")
    }
}

impl Archive {
    pub fn new(codename: &str) -> Self {
        Self {
            codename: codename.into(),
            more: String::new(),
            packages: Vec::new(),
            contents: Vec::new(),
        }
    }

    pub fn with(self, name: &str, version: &str, fields: &str) -> Self {
        self.with_for("amd64", name, version, fields)
    }

    pub fn with_for(mut self, architecture: &str, name: &str, version: &str, fields: &str) -> Self {
        self.packages.push(Listed {
            architecture: architecture.into(),
            name: name.into(),
            version: version.into(),
            fields: fields.into(),
            contents: format!("contents of {name} {version}").into_bytes(),
        });
        self
    }

    /// Adds a `Contents` index with these lines.
    pub fn with_contents(mut self, name: &'static str, lines: &str) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(lines.as_bytes()).unwrap();
        self.contents.push((name, encoder.finish().unwrap()));
        self
    }

    pub fn contents(&self, name: &str) -> Vec<u8> {
        let mut all = self.contents.iter();
        all.find(|(own, _)| *own == name).unwrap().1.clone()
    }

    pub fn pool_path(name: &str, version: &str) -> String {
        format!("pool/main/x/{name}_{version}_amd64.deb")
    }

    pub fn packages_file(&self) -> Vec<u8> {
        self.packages_file_for("amd64")
    }

    fn packages_file_for(&self, architecture: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for package in self
            .packages
            .iter()
            .filter(|package| package.architecture == architecture)
        {
            write!(
                encoder,
                "Package: {}\nVersion: {}\nArchitecture: {architecture}\n{}Filename: {}\nSize: {}\nSHA256: {}\n\n",
                package.name,
                package.version,
                package.fields,
                package.path(),
                package.contents.len(),
                Sha256::of(&package.contents)
            )
            .unwrap();
        }
        encoder.finish().unwrap()
    }

    fn architectures(&self) -> BTreeSet<&str> {
        let all = self.packages.iter();
        let mut architectures: BTreeSet<&str> =
            all.map(|package| package.architecture.as_str()).collect();
        architectures.insert("amd64");
        architectures
    }

    /// Returns the text of the `Release` file.
    pub fn release(&self) -> String {
        let architectures: Vec<&str> = self.architectures().into_iter().collect();
        let mut release = format!(
            "Suite: stable\nCodename: {}\nArchitectures: all {}\n{}SHA256:\n",
            self.codename,
            architectures.join(" "),
            self.more
        );
        for architecture in architectures {
            let packages = self.packages_file_for(architecture);
            release += &format!(
                " {} {} main/binary-{architecture}/Packages.gz\n",
                Sha256::of(&packages),
                packages.len()
            );
        }
        for (name, bytes) in &self.contents {
            release += &format!(" {} {} main/{name}\n", Sha256::of(bytes), bytes.len());
        }
        release
    }

    /// Publishes index and packages on a mirror below `/debian`, as the suite `trixie`.
    pub fn publish(&self, mirror: &Mirror, key: &Key) {
        self.publish_as("debian", "trixie", mirror, key);
    }

    /// Publishes index and packages below another directory, as another suite.
    pub fn publish_as(&self, root: &str, suite: &str, mirror: &Mirror, key: &Key) {
        let dists = format!("/{root}/dists/{suite}");
        mirror.put(&format!("{dists}/InRelease"), key.sign(&self.release()));
        for architecture in self.architectures() {
            mirror.put(
                &format!("{dists}/main/binary-{architecture}/Packages.gz"),
                self.packages_file_for(architecture),
            );
        }
        for (name, bytes) in &self.contents {
            mirror.put(&format!("{dists}/main/{name}"), bytes.clone());
        }
        for package in &self.packages {
            mirror.put(
                &format!("/{root}/{}", package.path()),
                package.contents.clone(),
            );
        }
    }
}

/// Lists the files in a directory tree, to check that no partial files remain.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
