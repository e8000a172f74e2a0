//! Sources, inputs and lock files of flakes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::nix::Nix;

impl Nix {
    /// The store directory with a flake's files.
    pub fn flake_source(&self, flake: &str) -> Result<PathBuf, Error> {
        let call = self.nix().args(["flake", "metadata", "--json", flake]);
        let (stdout, _) = self.text(&call)?;
        let metadata: Value = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        match metadata["path"].as_str() {
            Some(path) => Ok(path.into()),
            None => Err(call.unexpected("no path")),
        }
    }

    /// The store directories of a flake's inputs, including indirect ones.
    pub fn flake_inputs(&self, flake: &str) -> Result<Vec<PathBuf>, Error> {
        let words = [
            "flake",
            "archive",
            "--dry-run",
            "--json",
            "--no-write-lock-file",
            flake,
        ];
        let call = self.nix().args(words);
        let (stdout, _) = self.text(&call)?;
        let archive = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        let mut paths = Vec::new();
        collect_inputs(&archive, &mut paths);
        Ok(paths)
    }

    /// Writes flake.lock next to the flake.nix in `directory`, which may be untracked by git.
    pub fn lock_flake(&self, directory: &Path) -> Result<(), Error> {
        let flake = format!("path:{}", directory.display());
        let call = self.nix().args(["flake", "lock", &flake]);
        self.text(&call).map(drop)
    }
}

fn collect_inputs(flake: &Value, paths: &mut Vec<PathBuf>) {
    let inputs = flake["inputs"].as_object();
    for input in inputs.into_iter().flat_map(|inputs| inputs.values()) {
        paths.extend(input["path"].as_str().map(PathBuf::from));
        collect_inputs(input, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn includes_inputs_of_inputs() {
        let archive = json!({
            "path": "/own",
            "inputs": {"a": {"path": "/a", "inputs": {"b": {"path": "/b", "inputs": {}}}}},
        });
        let mut paths = Vec::new();
        collect_inputs(&archive, &mut paths);
        assert_eq!(paths, [Path::new("/a"), Path::new("/b")]);
    }
}
