//! Verifies the signature of an `InRelease` file.
//!
//! This module splits the file into its text and a detached signature before verification, as apt
//! does. The verified bytes are then exactly the bytes that are parsed, and sqv and gpgv behave
//! alike.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::Error;

const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Debian's archive keys, for machines without the package debian-archive-keyring. keys/README.md
/// documents their source.
const OWN_KEYRING: &[u8] = include_bytes!("../keys/debian-archive-keyring.pgp");

/// Verifies signatures against one keyring, with sqv or gpgv.
#[derive(Debug)]
pub struct Verifier {
    program: Program,
    /// The keyring file; `None` selects the built-in keyring.
    keyring: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Sqv,
    Gpgv,
}

impl Verifier {
    /// Finds sqv or gpgv and the keyring. The keyring is, in order of preference, `keyring`, the
    /// one of the installed package debian-archive-keyring, or the built-in copy.
    pub fn find(keyring: Option<&Path>) -> Result<Self, Error> {
        let installed = |name: &str| match Command::new(name).arg("--version").output() {
            Ok(output) => output.status.success(),
            Err(_) => false,
        };
        let program = if installed("sqv") {
            Program::Sqv
        } else if installed("gpgv") {
            Program::Gpgv
        } else {
            return Err(Error::NoVerifier);
        };
        let keyring = match keyring {
            Some(given) => Some(given.to_owned()),
            None => KEYRINGS
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists()),
        };
        // gpgv resolves a bare file name relative to its home directory.
        let canonical = |path: PathBuf| fs::canonicalize(&path).map_err(Error::at(&path));
        let keyring = keyring.map(canonical).transpose()?;
        Ok(Self { program, keyring })
    }

    /// Returns the signed text if it has at least one valid signature by a key in the keyring and
    /// no bad signature.
    ///
    /// `what` names the file in errors; `temp_dir` is a directory for temporary files.
    pub fn verified_text(
        &self,
        what: &str,
        signed: &[u8],
        temp_dir: &Path,
    ) -> Result<String, Error> {
        let bad = |reason: String| Error::BadSignature {
            what: what.into(),
            reason,
        };
        let (text, signature) = split(signed).map_err(|reason| bad(reason.into()))?;
        let text_file = TempFile::write(temp_dir, "release", &text)?;
        let signature_file = TempFile::write(temp_dir, "release.asc", &signature)?;
        let own_keyring;
        let keyring = match &self.keyring {
            Some(keyring) => keyring,
            None => {
                own_keyring = TempFile::write(temp_dir, "keyring.pgp", OWN_KEYRING)?;
                &fs::canonicalize(&own_keyring.0).map_err(Error::at(&own_keyring.0))?
            }
        };
        let output = self
            .command(keyring, &signature_file.0, &text_file.0)
            .output()
            .map_err(|source| Error::Io {
                what: "running the signature check".into(),
                source,
            })?;
        match self.judge(&output) {
            Ok(()) => Ok(text),
            Err(reason) => Err(bad(reason)),
        }
    }

    fn command(&self, keyring: &Path, signature: &Path, text: &Path) -> Command {
        let mut command;
        match self.program {
            Program::Sqv => command = Command::new("sqv"),
            Program::Gpgv => {
                command = Command::new("gpgv");
                command.args(["--status-fd", "1", "--weak-digest", "SHA1"]);
            }
        }
        command
            .arg("--keyring")
            .arg(keyring)
            .arg(signature)
            .arg(text)
            .env("LC_ALL", "C");
        command
    }

    fn judge(&self, output: &Output) -> Result<(), String> {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let good = match self.program {
            Program::Sqv => output.status.success() && !stdout.trim().is_empty(),
            // gpgv fails if any key is unknown, and Debian also signs with keys that older keyrings
            // lack.
            Program::Gpgv => {
                let has = |word: &str| {
                    stdout
                        .lines()
                        .any(|line| line.starts_with(&format!("[GNUPG:] {word} ")))
                };
                has("GOODSIG") && has("VALIDSIG") && !has("BADSIG")
            }
        };
        if good {
            return Ok(());
        }
        let messages: Vec<&str> = stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        Err(format!(
            "checked against {}: {}",
            self.keyring.as_deref().map_or_else(
                || "Slipway's copy of Debian's keyring".to_owned(),
                |keyring| keyring.display().to_string()
            ),
            messages.join("; ")
        ))
    }
}

/// A temporary file that is deleted on drop.
struct TempFile(PathBuf);

impl TempFile {
    fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<Self, Error> {
        let path = directory.join(format!(
            "{}-{:?}-{name}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = Self(path);
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file.0, content))
            .map_err(Error::at(&file.0))?;
        Ok(file)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_file(&self.0);
    }
}

/// Splits a clear-signed message (RFC 9580, section 7) into its text and its armoured signature.
///
/// Rejects content before, between or after the two parts.
pub(crate) fn split(message: &[u8]) -> Result<(String, String), &'static str> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
    const END: &str = "-----END PGP SIGNATURE-----";

    let message = std::str::from_utf8(message).map_err(|_| "it is not text")?;
    let mut lines = message.lines();
    if lines.next() != Some(BEGIN) {
        return Err("it is not a signed message (an error page?)");
    }
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if !line.starts_with("Hash: ") {
            return Err("it has an unknown header");
        }
    }
    let mut text = Vec::new();
    loop {
        match lines.next() {
            None => return Err("it has no signature"),
            Some(SIGNATURE) => break,
            Some(line) => match line.strip_prefix("- ") {
                Some(unescaped) => text.push(unescaped.trim_end()),
                None if line.starts_with('-') => return Err("its text is malformed"),
                None => text.push(line.trim_end()),
            },
        }
    }
    let mut signature = format!("{SIGNATURE}\n");
    loop {
        match lines.next() {
            None => return Err("its signature is cut off"),
            Some(line) => {
                signature += line;
                signature.push('\n');
                if line == END {
                    break;
                }
            }
        }
    }
    if lines.any(|line| !line.is_empty()) {
        return Err("something follows its signature");
    }
    Ok((text.join("\n"), signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: x  \n- -dash\n\n\
                           -----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn returns_the_signed_text_and_the_signature() {
        let (text, signature) = split(MESSAGE.as_bytes()).unwrap();
        assert_eq!(text, "Suite: x\n-dash\n");
        assert!(signature.starts_with("-----BEGIN PGP SIGNATURE-----\n\nabc\n"));
    }

    #[test]
    fn rejects_content_outside_the_signed_text() {
        for (bad, expected) in [
            (format!("Suite: evil\n{MESSAGE}"), "not a signed message"),
            (format!("{MESSAGE}Suite: evil\n"), "something follows"),
            (
                MESSAGE.replace("Hash: SHA256", "Suite: evil"),
                "unknown header",
            ),
            (
                MESSAGE.replace("- -dash", "-----BEGIN PGP SIGNED MESSAGE-----"),
                "malformed",
            ),
            (
                MESSAGE.replace("-----END PGP SIGNATURE-----\n", ""),
                "cut off",
            ),
            ("<html>Not found</html>".into(), "an error page?"),
            (String::new(), "not a signed message"),
        ] {
            let reason = split(bad.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
