//! Values that Nix computes: tables that a flake holds, to be read here and not to be repeated.

use serde_json::Value;

use crate::error::Error;
use crate::nix::Nix;

impl Nix {
    /// The value of an installable (`.#lib.platforms`); nothing is built.
    pub fn evaluate(&self, installable: &str) -> Result<Value, Error> {
        let call = self.nix().args(["eval", "--json", installable]);
        let (stdout, _) = self.text(&call)?;
        serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))
    }
}
