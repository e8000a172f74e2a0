//! Evaluates Nix expressions. Slipway reads tables from the flake, so that they are not duplicated
//! in Rust.

use serde_json::Value;

use crate::error::Error;
use crate::nix::Nix;

impl Nix {
    /// Evaluates an installable (`.#lib.platforms`) without building anything.
    pub fn evaluate(&self, installable: &str) -> Result<Value, Error> {
        let call = self.nix().args(["eval", "--json", installable]);
        let (stdout, _) = self.text(&call)?;
        serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))
    }
}
