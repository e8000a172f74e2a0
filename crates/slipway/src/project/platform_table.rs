//! The platforms that a flake builds for, read from its `lib.platforms`.

use std::collections::BTreeMap;
use std::env;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slipway_nix::Nix;
use slipway_oci::Platform;

/// The flake attribute of the table.
const ATTRIBUTE: &str = "lib.platforms";

/// The platforms that a flake builds for, from its `lib.platforms`. The flake decides which fields
/// a platform has.
pub struct Table(Vec<Row>);

/// A row of the table.
pub struct Row {
    /// The suffix of flake attributes, such as `aarch64` in `image-aarch64`.
    pub name: String,
    platform: Platform,
    /// The platform's names by naming system, such as `debian` and `rust`, and its properties, such
    /// as `default`.
    pub fields: BTreeMap<String, Value>,
}

impl Table {
    /// Reads the table of the flake in Nix's working directory.
    pub fn read(nix: &Nix) -> Result<Self> {
        Self::of(nix, ".")
    }

    /// Reads the table of a flake.
    pub fn of(nix: &Nix, flake: &str) -> Result<Self> {
        let attribute = format!("{flake}#{ATTRIBUTE}");
        let value = nix.evaluate(&attribute)?;
        Self::parse(&value).context(attribute)
    }

    pub fn parse(value: &Value) -> Result<Self> {
        let rows: BTreeMap<String, BTreeMap<String, Value>> =
            serde::Deserialize::deserialize(value)
                .context("it is not a table of the platforms' names")?;
        let row = |(name, fields): (String, BTreeMap<String, Value>)| {
            let platform = fields.get("oci").and_then(Value::as_str);
            let platform = platform.with_context(|| format!("{name} has no name oci"))?;
            Ok(Row {
                platform: platform.parse()?,
                name,
                fields,
            })
        };
        rows.into_iter().map(row).collect::<Result<_>>().map(Self)
    }

    /// The flake attribute of `base` for one platform, such as `image-aarch64`.
    pub fn attribute(&self, base: &str, platform: &Platform) -> Result<String> {
        let row = self.0.iter().find(|row| row.platform.matches(platform));
        match row {
            Some(row) => Ok(format!("{base}-{}", row.name)),
            None => Err(self.unknown(&platform.to_string())),
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }

    /// The names of all platforms in OCI notation: `linux/arm64`.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.platform.to_string()).collect()
    }

    /// The default platforms other than this machine's, each with the name of its emulator in
    /// binfmt_misc.
    pub fn foreign(&self) -> Vec<(String, String)> {
        let rows = self.0.iter().filter(|row| row.is_default());
        rows.filter(|row| row.name != env::consts::ARCH)
            .filter_map(|row| Some((row.platform.to_string(), row.text("binfmt")?.to_owned())))
            .collect()
    }

    /// The platforms to build for if none is named.
    pub fn defaults(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.0.iter().filter(|row| row.is_default()).collect();
        rows.sort_by_key(|row| row.platform.to_string());
        rows
    }

    pub fn find(&self, name: &str) -> Result<&Row> {
        match self.0.iter().find(|row| row.is_called(name)) {
            Some(row) => Ok(row),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> anyhow::Error {
        anyhow::anyhow!(
            "{name} is not a platform that can be built; these are: {}",
            self.names().join(", ")
        )
    }
}

impl Row {
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The platform's name in one naming system, or an empty string if it has none.
    pub fn name_in(&self, naming: &str) -> &str {
        self.fields
            .get(naming)
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    pub fn is_called(&self, name: &str) -> bool {
        let same_platform = || {
            name.parse()
                .is_ok_and(|platform| self.platform.matches(&platform))
        };
        self.name == name || self.fields.values().any(|own| own == name) || same_platform()
    }

    fn is_default(&self) -> bool {
        self.fields.get("default") == Some(&json!(true))
    }

    /// A field as text for people. `None` unless it is a string or a boolean.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.fields.get(field)? {
            Value::String(name) => Some(name),
            Value::Bool(true) => Some("yes"),
            Value::Bool(false) => Some("no"),
            _ => None,
        }
    }

    pub fn to_json(&self) -> Value {
        let mut row = json!(self.fields);
        row["name"] = json!(self.name);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::parse(&json!({
            "aarch64": {"debian": "arm64", "default": true, "oci": "linux/arm64"},
            "armv7": {"cflags": ["-march=armv7-a"], "debian": "armhf", "default": false, "oci": "linux/arm/v7"},
            "x86_64": {"debian": "amd64", "default": true, "oci": "linux/amd64"},
        }))
        .unwrap()
    }

    #[test]
    fn finds_a_platform_by_any_of_its_names() {
        for name in ["aarch64", "arm64", "linux/arm64", "linux/arm64/v8"] {
            assert_eq!(table().find(name).unwrap().name, "aarch64", "{name}");
        }
        for name in ["armv7", "armhf", "linux/arm", "linux/arm/v7"] {
            assert_eq!(table().find(name).unwrap().name, "armv7", "{name}");
        }
        for name in ["mips", "linux/arm/v6"] {
            assert_eq!(
                table().find(name).err().unwrap().to_string(),
                format!(
                    "{name} is not a platform that can be built; these are: linux/arm64, linux/arm/v7, linux/amd64"
                )
            );
        }
    }

    #[test]
    fn uses_the_default_platforms_if_none_is_named() {
        let table = table();
        let names = table
            .defaults()
            .into_iter()
            .map(|row| row.platform.to_string());
        assert!(names.eq(["linux/amd64", "linux/arm64"]));
    }

    #[test]
    fn names_the_image_attribute_of_a_platform() {
        let attribute = |platform: &str| table().attribute("image", &platform.parse().unwrap());
        assert_eq!(attribute("linux/arm64").unwrap(), "image-aarch64");
        assert_eq!(attribute("linux/amd64").unwrap(), "image-x86_64");
        assert!(attribute("linux/riscv64").is_err());
    }

    #[test]
    fn rejects_a_table_of_another_form() {
        for bad in [
            json!([]),
            json!({"x": {"debian": "x"}}),
            json!({"x": {"oci": 1}}),
        ] {
            assert!(Table::parse(&bad).is_err(), "{bad}");
        }
    }
}
