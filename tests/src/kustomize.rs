//! Renders deploy/ with the kubectl that Nix pins. Versions of kustomize support different fields,
//! and the one in Debian bookworm is from 2019.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

use crate::command::CommandExt;
use crate::nix::nix_build;
use crate::repository::repository;

/// Runs `kubectl kustomize` on a directory with a kustomization.yaml.
pub fn render(directory: &Path) -> Result<String> {
    let kubectl = nix_build(repository(), "kubectl")?;
    Command::new(kubectl.join("bin/kubectl"))
        .arg("kustomize")
        .arg(directory)
        .text()
}

/// Parses the documents of a YAML stream as JSON values.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let documents = Yaml::load_from_str(text).with_context(|| format!("no YAML: {text}"))?;
    documents.into_iter().map(json).collect()
}

fn json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => value.into(),
        Yaml::Value(Scalar::Integer(value)) => value.into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.into(),
        Yaml::Sequence(items) => items.into_iter().map(json).collect::<Result<_>>()?,
        Yaml::Mapping(fields) => fields
            .into_iter()
            .map(|(name, value)| match name {
                Yaml::Value(Scalar::String(name)) => Ok((name.into_owned(), json(value)?)),
                name => bail!("JSON has no name for a field such as {name:?}"),
            })
            .collect::<Result<_>>()?,
        other => bail!("JSON has nothing for {other:?}"),
    })
}
