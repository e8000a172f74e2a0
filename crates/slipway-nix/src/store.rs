//! Putting files into the store.

use std::path::Path;

use crate::call::Call;
use crate::error::Error;
use crate::nix::Nix;
use crate::path::StorePath;

/// How the hash of a file is taken (Nix manual, `outputHashMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashMode {
    /// Of its bytes.
    Flat,
    /// Of its NAR.
    Recursive,
}

/// How many files one call gets; far below what a command line can hold.
const FILES_PER_CALL: usize = 256;

impl Nix {
    /// Makes links to paths, by which Nix knows that they are in use: `link`, `link-2`, … in the order
    /// of the paths. (`nix build` makes its links in another order.)
    pub fn link(&self, link: &Path, paths: &[&StorePath]) -> Result<(), Error> {
        let call = Call::new("nix-store").arg("--realise");
        let call = call.args(paths.iter().map(|path| path.as_str()));
        let call = call.arg("--add-root").arg(link).arg("--indirect");
        self.text(&call).map(drop)
    }

    /// Adds files to the store under the path that a fixed-output derivation of the same name and
    /// hash has, and checks that it is the one expected.
    pub fn add_fixed(&self, mode: HashMode, files: &[(&Path, &StorePath)]) -> Result<(), Error> {
        for files in files.chunks(FILES_PER_CALL) {
            let mut call = Call::new("nix-store").arg("--add-fixed");
            if mode == HashMode::Recursive {
                call = call.arg("--recursive");
            }
            let call = call.arg("sha256").args(files.iter().map(|(file, _)| file));
            let (stdout, _) = self.text(&call)?;
            let added: Vec<&str> = stdout.lines().collect();
            if added.len() != files.len() {
                return Err(call.unexpected(format!(
                    "{} paths for {} files",
                    added.len(),
                    files.len()
                )));
            }
            for (got, (file, expected)) in added.into_iter().zip(files) {
                if got != expected.as_str() {
                    return Err(Error::WrongPath {
                        file: file.display().to_string(),
                        expected: expected.to_string(),
                        got: got.into(),
                    });
                }
            }
        }
        Ok(())
    }
}
