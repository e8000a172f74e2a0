//! The platforms that images are built for, read from Slipway's platform table.

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
    /// The name of the emulator in binfmt_misc.
    pub binfmt: String,
    /// Whether Slipway's flake has packages that are built on such a machine.
    pub builds: bool,
    /// As in `libc6 (arm64)`.
    pub debian: String,
    /// Whether its image is in `.#image`.
    pub default: bool,
    /// As printed by readelf.
    pub elf_machine: String,
    /// Nix's name for such machines.
    pub nix: String,
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
                let is = |field: &str| {
                    let value = row[field].as_bool();
                    value.with_context(|| format!("nix/platforms.nix: {name} lacks {field}"))
                };
                Ok(Self {
                    binfmt: field("binfmt")?,
                    builds: is("builds")?,
                    debian: field("debian")?,
                    default: is("default")?,
                    elf_machine: field("elfMachine")?,
                    nix: field("nix")?,
                    oci: field("oci")?,
                    name,
                })
            })
            .collect()
    }

    /// The platforms to build for if none is named.
    pub fn defaults() -> Result<Vec<Self>> {
        let all = Self::all()?.into_iter();
        Ok(all.filter(|platform| platform.default).collect())
    }

    /// The platform of this machine.
    pub fn own() -> Result<Self> {
        let own = Self::all()?.into_iter().find(Self::is_native);
        own.context("nix/platforms.nix has no row for this machine")
    }

    /// A default platform other than this machine's.
    pub fn foreign() -> Result<Self> {
        let foreign = Self::defaults()?.into_iter().find(|it| !it.is_native());
        foreign.context("nix/platforms.nix has no default platform but this machine's")
    }

    pub fn image(&self) -> String {
        format!("image-{}", self.name)
    }

    /// The OCI architecture: `arm64`, or `arm` for `linux/arm/v7`.
    pub fn architecture(&self) -> &str {
        self.oci.split('/').nth(1).unwrap_or_default()
    }

    /// The OCI variant: `v7` for `linux/arm/v7`.
    pub fn variant(&self) -> Option<&str> {
        self.oci.split('/').nth(2)
    }

    pub fn is_native(&self) -> bool {
        self.name == std::env::consts::ARCH
    }
}
