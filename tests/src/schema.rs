//! Checks manifests against the Kubernetes API, without a cluster. An API server drops an unknown
//! field with only a warning; here it is an error.
//!
//! The types of k8s-openapi are generated from the API description. They are lenient too: they drop
//! an unknown field, and give a missing required field its empty value. So a manifest is valid if
//! it is unchanged after it was parsed into its type and serialized again.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Fails if a manifest does not match its kind, and names the field.
pub fn check(manifest: &Value) -> Result<()> {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let version = text(&manifest["apiVersion"]);
    let kind = text(&manifest["kind"]);
    let check = match (version.as_str(), kind.as_str()) {
        ("apps/v1", "Deployment") => fits::<Deployment>,
        ("policy/v1", "PodDisruptionBudget") => fits::<PodDisruptionBudget>,
        ("v1", "ConfigMap") => fits::<ConfigMap>,
        ("v1", "Secret") => fits::<Secret>,
        _ => bail!("no schema of {version} {kind:?} is known here; add it to schema.rs"),
    };
    check(manifest).with_context(|| format!("{kind} {}", text(&manifest["metadata"]["name"])))
}

fn fits<T: DeserializeOwned + Serialize>(manifest: &Value) -> Result<()> {
    let typed: T = serde_json::from_value(manifest.clone())?;
    same("", manifest, &serde_json::to_value(typed)?)
}

/// Compares the manifest with its serialized type.
fn same(path: &str, manifest: &Value, typed: &Value) -> Result<()> {
    match (manifest, typed) {
        (Value::Object(fields), Value::Object(known)) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(known) => same(&path, value, known)?,
                    None => bail!("there is no field {path}"),
                }
            }
            match known.keys().find(|name| !fields.contains_key(*name)) {
                Some(name) => bail!("the field {path}.{name} is missing"),
                None => Ok(()),
            }
        }
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => items
            .iter()
            .zip(known)
            .enumerate()
            .try_for_each(|(index, (item, known))| same(&format!("{path}[{index}]"), item, known)),
        _ if manifest == typed => Ok(()),
        _ => bail!("{path} is {manifest}, which is read as {typed}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(container: Value) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "it"},
            "spec": {
                "selector": {"matchLabels": {"name": "it"}},
                "template": {"spec": {"containers": [container]}},
            },
        })
    }

    fn error_of(manifest: &Value) -> String {
        match check(manifest) {
            Ok(()) => "nothing wrong".into(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn accepts_a_valid_deployment() -> Result<()> {
        check(&deployment(
            json!({"name": "it", "ports": [{"containerPort": 8080}]}),
        ))
    }

    #[test]
    fn rejects_a_misspelled_field() {
        let error = error_of(&deployment(
            json!({"name": "it", "readynessProbe": {"tcpSocket": {"port": 1}}}),
        ));
        assert_eq!(
            error,
            "Deployment it: there is no field .spec.template.spec.containers[0].readynessProbe"
        );
    }

    #[test]
    fn rejects_a_field_in_the_wrong_place() {
        let error = error_of(&deployment(
            json!({"name": "it", "securityContext": {"fsGroup": 1}}),
        ));
        assert!(
            error.ends_with("containers[0].securityContext.fsGroup"),
            "{error}"
        );
    }

    #[test]
    fn rejects_a_value_of_the_wrong_type() {
        let error = error_of(&deployment(
            json!({"name": "it", "env": [{"name": "PORT", "value": 8080}]}),
        ));
        assert!(
            error.contains("invalid type: integer `8080`, expected a string"),
            "{error}"
        );
    }

    #[test]
    fn rejects_a_missing_required_field() {
        let error = error_of(&deployment(json!({"image": "reporter"})));
        assert!(
            error.ends_with("the field .spec.template.spec.containers[0].name is missing"),
            "{error}"
        );
    }

    #[test]
    fn rejects_an_unknown_kind() {
        let error = error_of(&json!({"apiVersion": "apps/v1beta1", "kind": "Deployment"}));
        assert!(error.contains("no schema of apps/v1beta1"), "{error}");
    }
}
