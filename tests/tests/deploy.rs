//! Tests of the manifests that kustomize renders from deploy/.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use end_to_end::kustomize::{documents, render};
use end_to_end::repository::repository;
use end_to_end::schema;
use serde_json::{Value, json};

/// The overlay directories.
fn overlays() -> Result<Vec<PathBuf>> {
    let overlays = fs::read_dir(repository().join("deploy/overlays"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    ensure!(!overlays.is_empty(), "deploy/overlays is empty");
    Ok(overlays)
}

fn manifests(overlay: &str) -> Result<Vec<Value>> {
    documents(&render(
        &repository().join("deploy/overlays").join(overlay),
    )?)
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Result<&'a Value> {
    manifests
        .iter()
        .find(|manifest| manifest["kind"] == kind)
        .with_context(|| format!("there is no {kind}"))
}

/// The pod template of the Deployment.
fn pod(manifests: &[Value]) -> Result<Value> {
    Ok(of_kind(manifests, "Deployment")?["spec"]["template"].clone())
}

#[test]
fn manifests_match_the_kubernetes_api() -> Result<()> {
    for overlay in overlays()? {
        for manifest in documents(&render(&overlay)?)? {
            schema::check(&manifest).with_context(|| overlay.display().to_string())?;
        }
    }
    Ok(())
}

// The `restricted` profile of the Kubernetes Pod Security Standards, plus a read-only root.
#[test]
fn pod_satisfies_the_restricted_profile() -> Result<()> {
    for overlay in overlays()? {
        let pod = pod(&documents(&render(&overlay)?)?)?["spec"].clone();
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true);
        assert_eq!(security["runAsUser"], 65532);
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[host], Value::Null, "{host}");
        }
        let containers = pod["containers"].as_array().context("no containers")?;
        for container in containers {
            assert_eq!(
                container["securityContext"],
                json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                })
            );
        }
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            assert!(volume.get("secret").is_some(), "{volume}");
        }
    }
    Ok(())
}

// Otherwise the variables of a Service named kafka are read as librdkafka properties.
#[test]
fn pod_gets_no_variables_from_services() -> Result<()> {
    let pod = pod(&manifests("plaintext")?)?;
    assert_eq!(pod["spec"]["enableServiceLinks"], false);
    Ok(())
}

#[test]
fn termination_grace_period_exceeds_the_flush_timeout() -> Result<()> {
    let manifests = manifests("plaintext")?;
    let pod = pod(&manifests)?;
    let flush = &of_kind(&manifests, "ConfigMap")?["data"]["REPORT_FLUSH_TIMEOUT"];
    let flush: u64 = flush
        .as_str()
        .and_then(|value| value.strip_suffix('s')?.parse().ok())
        .with_context(|| format!("REPORT_FLUSH_TIMEOUT is {flush:?}"))?;
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
    // The last line may take 2 s.
    assert!(grace > Some(flush + 2), "{grace:?} s, and {flush} s");
    Ok(())
}

// A variable in the container would silently override the ConfigMap of an overlay.
#[test]
fn configuration_is_in_the_config_map_and_probes_use_its_port() -> Result<()> {
    let manifests = manifests("plaintext")?;
    let container = pod(&manifests)?["spec"]["containers"][0].clone();
    assert_eq!(container["env"], Value::Null);
    let port = &of_kind(&manifests, "ConfigMap")?["data"]["REPORT_HTTP_PORT"];
    assert_eq!(container["ports"][0]["name"], "http");
    assert_eq!(*port, container["ports"][0]["containerPort"].to_string());
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "http");
    }
    Ok(())
}

#[test]
fn pods_are_spread_over_nodes_of_every_default_platform() -> Result<()> {
    let pod = pod(&manifests("plaintext")?)?["spec"].clone();
    let containers = pod["containers"].as_array().map(Vec::len);
    assert_eq!(containers, Some(1));
    assert_eq!(pod["containers"][0]["image"], "localhost:5000/reporter:dev");
    let spread: Vec<&Value> = pod["topologySpreadConstraints"]
        .as_array()
        .context("no topologySpreadConstraints")?
        .iter()
        .map(|constraint| &constraint["topologyKey"])
        .collect();
    assert_eq!(spread, ["kubernetes.io/arch", "kubernetes.io/hostname"]);
    let mut platforms: Vec<String> = end_to_end::platform::Platform::defaults()?
        .iter()
        .map(|platform| platform.architecture().to_owned())
        .collect();
    platforms.sort();
    let terms = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let architectures = terms["nodeSelectorTerms"][0]["matchExpressions"]
        .as_array()
        .and_then(|terms| {
            terms
                .iter()
                .find(|term| term["key"] == "kubernetes.io/arch")
        });
    assert_eq!(
        architectures.map(|term| &term["values"]),
        Some(&json!(platforms))
    );
    Ok(())
}

#[test]
fn selectors_match_the_labels_of_the_pod() -> Result<()> {
    let manifests = manifests("plaintext")?;
    let labels = pod(&manifests)?["metadata"]["labels"].clone();
    let deployment = of_kind(&manifests, "Deployment")?;
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], labels);
    let budget = of_kind(&manifests, "PodDisruptionBudget")?;
    assert_eq!(budget["spec"]["selector"]["matchLabels"], labels);
    for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        .as_array()
        .into_iter()
        .flatten()
    {
        assert_eq!(constraint["labelSelector"]["matchLabels"], labels);
    }
    Ok(())
}

// A reporter reads its variables only when it starts.
#[test]
fn a_changed_configuration_creates_new_pods() -> Result<()> {
    let name = |overlay: &str| -> Result<Value> {
        let manifests = manifests(overlay)?;
        let name = of_kind(&manifests, "ConfigMap")?["metadata"]["name"].clone();
        let source = &pod(&manifests)?["spec"]["containers"][0]["envFrom"][0]["configMapRef"];
        assert_eq!(source["name"], name);
        Ok(name)
    };
    assert_ne!(name("plaintext")?, name("scram")?);
    Ok(())
}

#[test]
fn only_the_reporter_can_read_the_password_file() -> Result<()> {
    let manifests = manifests("scram")?;
    let configuration = &of_kind(&manifests, "ConfigMap")?["data"];
    let pod = pod(&manifests)?["spec"].clone();
    let mount = &pod["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["readOnly"], true);
    let directory = mount["mountPath"].as_str().context("no mountPath")?;
    for (name, file) in [
        ("KAFKA_SASL_PASSWORD_FILE", "password"),
        ("KAFKA_SSL_CA_LOCATION", "ca.crt"),
    ] {
        assert_eq!(configuration[name], format!("{directory}/{file}"), "{name}");
    }
    assert_eq!(pod["volumes"][0]["name"], mount["name"]);
    assert_eq!(pod["volumes"][0]["secret"]["defaultMode"], 0o440);
    assert_eq!(
        pod["securityContext"]["fsGroup"],
        pod["securityContext"]["runAsGroup"]
    );
    Ok(())
}
