//! Runs the manifests that kustomize renders from deploy/ with `podman kube play` on this machine,
//! with Apache Kafka. Not tested: what only a cluster does, such as probes, spreading and rollouts.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use end_to_end::address::free_address;
use end_to_end::command::CommandExt;
use end_to_end::http;
use end_to_end::kafka::{Kafka, Listener, USER};
use end_to_end::kustomize::{documents, render};
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::reporter::Reporter;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use serde_json::Value;

const POD: &str = "reporter-pod-0";
const CONTAINER: &str = "reporter-pod-0-reporter";

/// deploy/podman with another broker and port. Podman finds the image by its name.
struct Fixture {
    kafka: Kafka,
    podman: Podman,
    http: String,
}

impl Fixture {
    fn play() -> Result<Self> {
        let platform = Platform::own()?;
        let podman = Podman::new()?;
        let image = podman.load(&nix_build(repository(), "image")?, &platform)?;
        let name = "localhost:5000/reporter:dev";
        podman.command(&["tag", &image, name]).text()?;

        let kafka = Kafka::start(&[])?;
        let http = free_address()?;
        let mut manifests = render(&repository().join("deploy/podman"))?;
        let port = format!("{:?}", http.trim_start_matches("127.0.0.1:"));
        for (of_the_reader, own) in [
            ("localhost:9092", kafka.address(Listener::Plaintext)),
            ("\"8080\"", &port),
        ] {
            ensure!(manifests.contains(of_the_reader), "no {of_the_reader}");
            manifests = manifests.replace(of_the_reader, own);
        }
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("manifests.yaml");
        fs::write(&file, manifests)?;
        let file = file.to_str().context("TMPDIR")?;
        podman.command(&["kube", "play", file]).text()?;
        Ok(Self {
            kafka,
            podman,
            http,
        })
    }

    fn inspect(&self) -> Result<Value> {
        let text = self.podman.command(&["inspect", CONTAINER]).text()?;
        Ok(serde_json::from_str::<Value>(&text)?[0].clone())
    }

    fn log(&self) -> Result<String> {
        let logs = self.podman.command(&["logs", CONTAINER]).outcome()?;
        Ok(String::from_utf8_lossy(&logs.stderr).into())
    }

    /// Waits until a path is answered with this status. Asks as a kubelet does.
    fn wait_for(&self, path: &str, status: u16) -> Result<()> {
        for _ in 0..600 {
            // The port is closed until the reporter has started.
            if http::get(&self.http, path).is_ok_and(|(answer, _)| answer == status) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("{path} is never answered by {status}:\n{}", self.log()?)
    }
}

/// The metrics in the alerts of docs/kubernetes.md.
fn alert_metrics() -> Result<Vec<String>> {
    let page = fs::read_to_string(repository().join("docs/kubernetes.md"))?;
    let names: Vec<String> = page
        .split(|letter: char| !letter.is_ascii_lowercase() && letter != '_')
        .filter(|word| word.starts_with("reporter_"))
        .map(String::from)
        .collect();
    ensure!(!names.is_empty(), "docs/kubernetes.md names no metrics");
    Ok(names)
}

#[test]
fn pod_runs_without_privileges_reports_readiness_and_delivers_everything() -> Result<()> {
    if !met(&[
        Requirement::Kafka,
        Requirement::Podman,
        Requirement::Program("catatonit", "catatonit"),
    ])? {
        return Ok(());
    }
    let mut fixture = Fixture::play()?;
    fixture.wait_for("/readyz", 200)?;
    let container = fixture.inspect()?;
    assert_eq!(container["Config"]["User"], "65532:65532");
    assert_eq!(container["EffectiveCaps"], Value::Null);
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);
    assert_eq!(container["HostConfig"]["Memory"], 64 << 20);

    fixture.kafka.stop()?;
    fixture.wait_for("/readyz", 503)?;
    assert_eq!(http::get(&fixture.http, "/livez")?.0, 200);
    fixture.kafka.start_again()?;
    fixture.wait_for("/readyz", 200)?;
    let (_, metrics) = http::get(&fixture.http, "/metrics")?;
    for name in alert_metrics()? {
        assert!(metrics.contains(&name), "no {name}: {metrics}");
    }

    fixture
        .podman
        .command(&["pod", "stop", "--time=60", POD])
        .text()?;
    let log = fixture.log()?;
    assert_eq!(fixture.inspect()?["State"]["ExitCode"], 0, "{log}");
    let count = fixture.kafka.end_offset("info")?;
    let last = log.lines().last().context("no log")?;
    assert!(last.contains(&format!("all {count} ")), "{last}");
    Ok(())
}

#[test]
fn scram_overlay_logs_in_over_tls_with_its_secret() -> Result<()> {
    if !met(&[Requirement::Kafka, Requirement::Podman])? {
        return Ok(());
    }
    let manifests = documents(&render(&repository().join("deploy/overlays/scram"))?)?;
    let of_kind = |kind: &str| {
        let manifest = manifests.iter().find(|manifest| manifest["kind"] == kind);
        manifest.with_context(|| format!("there is no {kind}"))
    };
    let kafka = Kafka::start(&[])?;
    let (user, password) = USER;
    let host = kafka.address(Listener::SaslSsl);
    let own = [("KAFKA_HOST", host), ("KAFKA_SASL_USERNAME", user)];
    let mut options = Vec::new();
    let variables = &of_kind("ConfigMap")?["data"];
    for (name, value) in variables.as_object().context("no data")? {
        let own = own.iter().find(|(own, _)| own == name);
        let value = own.map_or(value.as_str(), |(_, value)| Some(value));
        options.push(format!("--env={name}={}", value.unwrap_or_default()));
    }
    let secret = tempfile::tempdir()?;
    fs::copy(kafka.authority(), secret.path().join("ca.crt"))?;
    fs::write(secret.path().join("password"), password)?;
    let pod = &of_kind("Deployment")?["spec"]["template"]["spec"];
    let mount = pod["containers"][0]["volumeMounts"][0]["mountPath"].as_str();
    // Podman 4.3 does not decode the data of a Secret, so mount the files instead.
    for file in ["ca.crt", "password"] {
        options.push(format!(
            "--volume={}:{}/{file}:ro",
            secret.path().join(file).display(),
            mount.context("no mountPath")?
        ));
    }

    let reporter = Reporter::new(&Platform::own()?)?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ended = reporter
        .start(&options, &["--count=3", "--interval=10ms"])?
        .wait()?;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(kafka.end_offset("info")?, 3, "{}", ended.log);
    Ok(())
}
