//! Adds files to the store.

use std::path::Path;

use crate::call::Call;
use crate::error::Error;
use crate::nix::Nix;
use slipway_store_path::StorePath;

/// How a file is hashed (Nix manual, `outputHashMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashMode {
    /// Hash of its bytes.
    Flat,
    /// Hash of its NAR.
    Recursive,
}

/// Most files for one call, far below the limit of a command line.
const FILES_PER_CALL: usize = 256;

impl Nix {
    /// Creates links to paths and registers them as GC roots: `link`, `link-2`, … in the order of
    /// the paths. (`nix build` numbers its links differently.)
    pub fn link(&self, link: &Path, paths: &[&StorePath]) -> Result<(), Error> {
        let call = Call::new("nix-store").arg("--realise");
        let call = call.args(paths.iter().map(|path| path.as_str()));
        let call = call.arg("--add-root").arg(link).arg("--indirect");
        self.text(&call).map(drop)
    }

    /// Builds derivations that are in the store, or gets their outputs from a cache.
    pub fn realise(&self, derivations: &[&StorePath]) -> Result<(), Error> {
        let call = Call::new("nix-store").arg("--realise");
        let call = call.args(derivations.iter().map(|path| path.as_str()));
        self.text(&call).map(drop)
    }

    /// Adds files to the store as fixed-output derivations would, and checks that each store path
    /// is the expected one.
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
