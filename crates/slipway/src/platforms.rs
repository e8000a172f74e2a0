use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slipway_nix::Nix;
use slipway_oci::Platform;

use crate::format::Format;
use crate::project::Project;

/// Show what can be built, under every name that a platform has
#[derive(clap::Args)]
pub struct Platforms {
    /// Only this platform, by any of its names: arm64, aarch64-linux-gnu, linux/arm64
    name: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Platforms {
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
        let project = Project::find(directory)?;
        let nix = Nix::find(&project.root, verbose)?;
        let table = Table::read(&nix)?;
        let rows: Vec<&Row> = match &self.name {
            Some(name) => vec![table.find(name)?],
            None => table.0.iter().collect(),
        };
        match self.format {
            Format::Text => {
                let tables: Vec<String> = rows.chunks(COLUMNS).map(columns).collect();
                print!("{}", tables.join("\n"));
            }
            Format::Json => {
                let rows: Vec<Value> = rows.into_iter().map(Row::to_json).collect();
                println!("{:#}", json!(rows));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Platforms beside each other, so that a line is not longer than a screen is wide.
const COLUMNS: usize = 3;

/// Where a flake has the table.
const ATTRIBUTE: &str = "lib.platforms";

/// The platforms that a flake builds for, as its `lib.platforms` has them. Which kinds of names there
/// are is not written here: the table decides.
pub struct Table(Vec<Row>);

/// A platform.
pub struct Row {
    /// As Nix's attributes end: `image-aarch64`.
    name: String,
    platform: Platform,
    /// Names by the world that they are of, such as `debian` and `rust`, and what holds for the
    /// platform, such as `default`.
    fields: BTreeMap<String, Value>,
}

impl Table {
    /// Reads the table of the flake that `nix` works on.
    pub fn read(nix: &Nix) -> Result<Self> {
        Self::of(nix, ".")
    }

    /// Reads the table of a flake.
    pub fn of(nix: &Nix, flake: &str) -> Result<Self> {
        let attribute = format!("{flake}#{ATTRIBUTE}");
        let value = nix.evaluate(&attribute)?;
        Self::parse(&value).context(attribute)
    }

    fn parse(value: &Value) -> Result<Self> {
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

    /// The attribute of a flake that is `base` for one platform: `image-aarch64`.
    pub fn attribute(&self, base: &str, platform: &Platform) -> Result<String> {
        let row = self.0.iter().find(|row| row.platform.serves(platform));
        match row {
            Some(row) => Ok(format!("{base}-{}", row.name)),
            None => Err(self.unknown(&platform.to_string())),
        }
    }

    /// As OCI has them: `linux/arm64`.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.platform.to_string()).collect()
    }

    /// The default platforms that are not this machine's, with the name that the kernel has for an
    /// emulator of theirs.
    pub fn foreign(&self) -> Vec<(String, String)> {
        let rows = self.0.iter().filter(|row| row.is_default());
        rows.filter(|row| row.name != env::consts::ARCH)
            .filter_map(|row| Some((row.platform.to_string(), row.text("binfmt")?.to_owned())))
            .collect()
    }

    /// Those that are built for when none is named.
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

    /// Its name in one of the worlds; empty if it has none there.
    pub fn name_in(&self, world: &str) -> &str {
        self.fields.get(world).and_then(Value::as_str).unwrap_or("")
    }

    fn is_called(&self, name: &str) -> bool {
        let same_platform = || {
            name.parse()
                .is_ok_and(|platform| self.platform.serves(&platform))
        };
        self.name == name || self.fields.values().any(|own| own == name) || same_platform()
    }

    fn is_default(&self) -> bool {
        self.fields.get("default") == Some(&json!(true))
    }

    /// A field as it is shown to people; those that are neither a name nor a yes or no are not.
    fn text(&self, field: &str) -> Option<&str> {
        match self.fields.get(field)? {
            Value::String(name) => Some(name),
            Value::Bool(true) => Some("yes"),
            Value::Bool(false) => Some("no"),
            _ => None,
        }
    }

    fn to_json(&self) -> Value {
        let mut row = json!(self.fields);
        row["name"] = json!(self.name);
        row
    }
}

/// A column for each platform, a line for each field.
fn columns(rows: &[&Row]) -> String {
    let fields = rows.iter().flat_map(|row| {
        let names = row.fields.keys().map(String::as_str);
        names.filter(|field| row.text(field).is_some())
    });
    let fields: BTreeSet<&str> = fields.collect();
    let mut lines = vec![vec!["name"]];
    lines[0].extend(rows.iter().map(|row| row.name.as_str()));
    for field in fields {
        let mut line = vec![field];
        line.extend(rows.iter().map(|row| row.text(field).unwrap_or("-")));
        lines.push(line);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths: Vec<usize> = (0..=rows.len()).filter_map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += cells.join("  ").trim_end();
        text += "\n";
    }
    text
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
    fn a_platform_is_found_by_any_of_its_names() {
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
    fn who_names_no_platform_gets_the_default_ones() {
        let table = table();
        let names = table
            .defaults()
            .into_iter()
            .map(|row| row.platform.to_string());
        assert!(names.eq(["linux/amd64", "linux/arm64"]));
    }

    #[test]
    fn a_platform_has_an_attribute_for_its_image() {
        let attribute = |platform: &str| table().attribute("image", &platform.parse().unwrap());
        assert_eq!(attribute("linux/arm64").unwrap(), "image-aarch64");
        assert_eq!(attribute("linux/amd64").unwrap(), "image-x86_64");
        assert!(attribute("linux/riscv64").is_err());
    }

    #[test]
    fn names_stand_below_each_other() {
        let table = table();
        let rows: Vec<&Row> = table.0.iter().collect();
        assert_eq!(
            columns(&rows),
            "name     aarch64      armv7         x86_64\n\
             debian   arm64        armhf         amd64\n\
             default  yes          no            yes\n\
             oci      linux/arm64  linux/arm/v7  linux/amd64\n"
        );
    }

    #[test]
    fn a_table_of_another_form_is_refused() {
        for bad in [
            json!([]),
            json!({"x": {"debian": "x"}}),
            json!({"x": {"oci": 1}}),
        ] {
            assert!(Table::parse(&bad).is_err(), "{bad}");
        }
    }
}
