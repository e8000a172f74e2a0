//! Evaluates installables and reads derivations.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::nix::Nix;
use slipway_store_path::StorePath;

/// The parts of a derivation that Slipway uses.
#[derive(Clone, Debug)]
pub struct Derivation {
    pub path: StorePath,
    /// Path of its output `out`, if it has one and the path is known before the build.
    pub output: Option<StorePath>,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
}

/// A requested derivation.
#[derive(Clone, Debug)]
pub struct Target {
    /// The installable as the user wrote it: `.#image`.
    pub installable: String,
    pub derivation: StorePath,
    /// Path of its output `out`.
    pub output: StorePath,
}

/// What a build has to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order of the installables.
    pub targets: Vec<Target>,
    /// Derivations that have to be built.
    pub to_build: Vec<StorePath>,
}

impl Nix {
    /// Evaluates installables (`.#image`) and finds the derivations that have to be built for them.
    pub fn plan(&self, installables: &[String]) -> Result<Plan, Error> {
        let mut call = self.nix().args(["build", "--dry-run", "--json"]);
        if let Some(expression) = &self.expression {
            // Without --impure, a flake with uncommitted changes cannot be read.
            call = call.args(["--impure", "--expr", expression]);
        }
        let call = call.args(installables);
        let (stdout, stderr) = self.text(&call)?;
        let rows: Vec<Value> = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        if rows.len() != installables.len() {
            return Err(call.unexpected(format!(
                "{} rows for {} installables",
                rows.len(),
                installables.len()
            )));
        }
        let targets = rows
            .iter()
            .zip(installables)
            .map(|(row, installable)| self.target(&call, row, installable))
            .collect::<Result<_, _>>()?;
        Ok(Plan {
            targets,
            to_build: to_build(&stderr),
        })
    }

    fn target(&self, call: &Call, row: &Value, installable: &str) -> Result<Target, Error> {
        let path = |value: &Value| match value.as_str() {
            Some(text) => Ok(StorePath::with_store(&self.store, text)?),
            None => Err(call.unexpected(format!(
                "{installable} is not a derivation with an output named out"
            ))),
        };
        Ok(Target {
            installable: installable.into(),
            derivation: path(&row["drvPath"])?,
            output: path(&row["outputs"]["out"])?,
        })
    }

    /// Reads derivations. The result is sorted by path.
    pub fn derivations(&self, paths: &[StorePath]) -> Result<Vec<Derivation>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let call = self
            .show_derivation()
            .args(paths.iter().map(StorePath::as_str));
        let (stdout, _) = self.text(&call)?;
        let output: Value = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        parse_derivations(&self.store, &output).map_err(|e| call.unexpected(e))
    }
}

/// Parses the list of derivations in the output of a dry run.
fn to_build(stderr: &str) -> Vec<StorePath> {
    let indented = stderr.lines().filter_map(|line| line.strip_prefix("  "));
    indented
        .filter(|line| line.ends_with(".drv"))
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

/// Parses the output of `nix derivation show`.
///
/// Up to Nix 2.32 it is an object by path; then that object is wrapped, and paths lack the store
/// directory.
fn parse_derivations(store: &str, output: &Value) -> Result<Vec<Derivation>, Error> {
    let by_path = output.get("derivations").unwrap_or(output).as_object();
    let rows = by_path.into_iter().flatten();
    rows.map(|(path, row)| {
        let environment = row["env"].as_object().into_iter().flatten();
        let environment: BTreeMap<String, String> = environment
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        let shown_output = row["outputs"]["out"]["path"].as_str();
        let output = match shown_output.or(environment.get("out").map(String::as_str)) {
            Some(text) if !text.is_empty() => Some(StorePath::with_store(store, text)?),
            _ => None,
        };
        Ok(Derivation {
            path: StorePath::with_store(store, path)?,
            output,
            environment,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a";

    #[test]
    fn a_dry_run_lists_builds_without_downloads() {
        let stderr = format!(
            "warning: Git tree is dirty\nthese 2 derivations will be built:\n  /nix/store/{A}.drv\n  /nix/store/{A}-2.drv\n\
             this path will be fetched (0.1 MiB download):\n  /nix/store/{A}\n"
        );
        let names: Vec<String> = to_build(&stderr)
            .iter()
            .map(|path| path.name().to_owned())
            .collect();
        assert_eq!(names, ["a.drv", "a-2.drv"]);
        assert!(to_build("").is_empty());
    }

    #[test]
    fn parses_old_and_new_formats() {
        let env = json!({"purl": "pkg:cargo/serde@1", "out": format!("/nix/store/{A}")});
        let old_path = format!("/nix/store/{A}.drv");
        let old = json!({old_path: {"env": env, "outputs": {"out": {"path": format!("/nix/store/{A}")}}}});
        let new_path = format!("{A}.drv");
        let new = json!({"version": 4, "derivations": {new_path: {"env": env, "outputs": {"out": {"path": A}}}}});
        let fixed_path = format!("{A}.drv");
        let fixed = json!({"derivations": {fixed_path: {"env": env, "outputs": {"out": {"hash": "sha256-x"}}}}});
        for output in [old, new, fixed] {
            let read = parse_derivations("/nix/store", &output).unwrap();
            assert_eq!(read[0].path.as_str(), format!("/nix/store/{A}.drv"));
            assert_eq!(read[0].output.as_ref().unwrap().name(), "a");
            assert_eq!(read[0].environment["purl"], "pkg:cargo/serde@1");
        }
    }
}
