use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::project::Project;
use crate::project::platform_table::{Row, Table};

/// List the platforms and all their names
#[derive(clap::Args)]
pub struct Platforms {
    /// Show only this platform, by any of its names: arm64, aarch64-linux-gnu, linux/arm64
    name: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Platforms {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let project = Project::find(directory)?;
        let nix = project.nix(verbose, &[])?;
        let table = Table::read(&nix)?;
        let rows: Vec<&Row> = match &self.name {
            Some(name) => vec![table.find(name)?],
            None => table.rows().collect(),
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

/// Number of platforms side by side, so that a line fits the screen.
const COLUMNS: usize = 3;

/// A table with a column for each platform and a line for each field.
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

    #[test]
    fn aligns_the_columns() {
        let table = Table::parse(&json!({
            "aarch64": {"debian": "arm64", "default": true, "oci": "linux/arm64"},
            "armv7": {"cflags": ["-march=armv7-a"], "debian": "armhf", "default": false, "oci": "linux/arm/v7"},
            "x86_64": {"debian": "amd64", "default": true, "oci": "linux/amd64"},
        }))
        .unwrap();
        let rows: Vec<&Row> = table.rows().collect();
        assert_eq!(
            columns(&rows),
            "name     aarch64      armv7         x86_64\n\
             debian   arm64        armhf         amd64\n\
             default  yes          no            yes\n\
             oci      linux/arm64  linux/arm/v7  linux/amd64\n"
        );
    }
}
