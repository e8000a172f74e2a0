//! The platforms that images are built for. Their names are read from the table that the product
//! has.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::CommandExt;
use crate::nix::nix;
use crate::repository::repository;

/// A row of nix/platforms.nix.
#[derive(Debug)]
pub struct Platform {
    /// As in `.#image-aarch64`.
    pub name: String,
    /// The kernel's entry for the emulator.
    pub binfmt: String,
    /// As readelf prints it.
    pub elf_machine: String,
    /// As in `linux/arm64`.
    pub oci: String,
}

impl Platform {
    pub fn all() -> Result<Vec<Self>> {
        let table = nix(repository())
            .args(["eval", "--json", "--file", "nix/platforms.nix"])
            .text()?;
        let table: BTreeMap<String, Value> = serde_json::from_str(&table)?;
        table
            .into_iter()
            .map(|(name, row)| {
                let field = |field: &str| {
                    let value = row[field].as_str().map(String::from);
                    value.with_context(|| format!("nix/platforms.nix: {name} has no {field}"))
                };
                Ok(Self {
                    binfmt: field("binfmt")?,
                    elf_machine: field("elfMachine")?,
                    oci: field("oci")?,
                    name,
                })
            })
            .collect()
    }

    pub fn named(name: &str) -> Result<Self> {
        Self::all()?
            .into_iter()
            .find(|platform| platform.name == name)
            .with_context(|| format!("nix/platforms.nix has no {name}"))
    }

    pub fn image(&self) -> String {
        format!("image-{}", self.name)
    }

    /// As OCI has it: `arm64`.
    pub fn architecture(&self) -> &str {
        self.oci.trim_start_matches("linux/")
    }

    pub fn is_native(&self) -> bool {
        self.name == std::env::consts::ARCH
    }
}
