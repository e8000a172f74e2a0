//! The signature of an `InRelease` file.
//!
//! The file is taken apart here and checked as text with a detached signature, as apt does it. So
//! the bytes that the verifier saw are the very bytes that are parsed later; there is no second
//! reading of the file that could understand it otherwise. It also makes sqv and gpgv work alike.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::Error;

const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Checks signatures against one keyring with the program that is installed.
#[derive(Debug)]
pub struct Verifier {
    program: Program,
    keyring: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Sqv,
    Gpgv,
}

impl Verifier {
    /// Finds sqv or gpgv, and the keyring: the one given, or that of the package
    /// debian-archive-keyring.
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
            Some(given) => given.to_owned(),
            None => KEYRINGS
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .ok_or(Error::NoKeyring)?,
        };
        // gpgv takes a bare name for a file in its own home.
        let keyring = fs::canonicalize(&keyring).map_err(Error::at(&keyring))?;
        Ok(Self { program, keyring })
    }

    /// The text that the signature covers, if it has at least one good signature by a key of the
    /// keyring and no bad one.
    ///
    /// `what` names the file in errors; `scratch` is a directory to write to.
    pub fn verified_text(
        &self,
        what: &str,
        signed: &[u8],
        scratch: &Path,
    ) -> Result<String, Error> {
        let bad = |reason: String| Error::BadSignature {
            what: what.into(),
            reason,
        };
        let (text, signature) = split(signed).map_err(|reason| bad(reason.into()))?;
        let text_file = ScratchFile::write(scratch, "release", &text)?;
        let signature_file = ScratchFile::write(scratch, "release.asc", &signature)?;
        let output = self
            .command(&signature_file.0, &text_file.0)
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

    fn command(&self, signature: &Path, text: &Path) -> Command {
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
            .arg(&self.keyring)
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
            // gpgv fails when any key is unknown, and Debian signs with keys that an older keyring
            // does not have.
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
        let said: Vec<&str> = stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        Err(format!(
            "checked against {}: {}",
            self.keyring.display(),
            said.join("; ")
        ))
    }
}

/// A file that is gone when it is no longer needed, whatever happens.
struct ScratchFile(PathBuf);

impl ScratchFile {
    fn write(directory: &Path, name: &str, text: &str) -> Result<Self, Error> {
        let path = directory.join(format!(
            "{}-{:?}-{name}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = Self(path);
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file.0, text))
            .map_err(Error::at(&file.0))?;
        Ok(file)
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_file(&self.0);
    }
}

/// Takes a clear-signed message apart (RFC 9580, section 7) into its text and its armoured
/// signature.
///
/// Anything before, between or after the two parts is refused.
fn split(message: &[u8]) -> Result<(String, String), &'static str> {
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
    fn the_text_is_what_the_signature_covers() {
        let (text, signature) = split(MESSAGE.as_bytes()).unwrap();
        assert_eq!(text, "Suite: x\n-dash\n");
        assert!(signature.starts_with("-----BEGIN PGP SIGNATURE-----\n\nabc\n"));
    }

    #[test]
    fn nothing_may_stand_outside_the_signed_text() {
        for (bad, said) in [
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
            assert!(reason.contains(said), "{reason}");
        }
    }
}
