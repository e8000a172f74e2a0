//! Log, settings, metrics and probes of a running reporter.

// clippy's exception for tests covers test functions only. The metrics are integers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

mod running;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use running::{Running, reporter};
use serde_json::Value;

/// Starts a reporter that logs as JSON; returns it with its HTTP port.
fn watched(arguments: &[&str], host: &str) -> (Running, u16) {
    let arguments = [&["--http-port=0", "--log-format=json"], arguments].concat();
    let mut running = reporter(&arguments, &[("KAFKA_HOST", host)]);
    let line = running.log_line("metrics and probes are on port");
    let event: Value = serde_json::from_str(&line).unwrap();
    let port = event["port"].as_u64().unwrap();
    (running, port.try_into().unwrap())
}

/// Sends a GET request; returns status line, headers and body.
fn get(port: u16, path: &str) -> String {
    exchange(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: reporter\r\nConnection: close\r\n\r\n"),
    )
}

fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn metric(metrics: &str, name: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn becomes_ready_and_counts_deliveries() {
    let (mut running, port) = watched(
        &["--embedded-broker", "-X", "statistics.interval.ms=50"],
        "",
    );
    running.wait_for_log("delivered to info");
    assert!(get(port, "/livez").starts_with("HTTP/1.1 200 "));
    assert!(get(port, "/readyz").starts_with("HTTP/1.1 200 "));
    let mut metrics = get(port, "/metrics");
    while !metrics.contains("reporter_broker_up{") {
        metrics = get(port, "/metrics");
    }
    assert!(metrics.contains("application/openmetrics-text; version=1.0.0"));
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(metric(&metrics, "reporter_messages_produced_total"), 1.0);
    assert_eq!(metric(&metrics, "reporter_messages_delivered_total"), 1.0);
    assert_eq!(metric(&metrics, "reporter_messages_failed_total"), 0.0);
    assert_eq!(metric(&metrics, "reporter_queue_messages"), 0.0);
    assert_eq!(metric(&metrics, "reporter_queue_capacity"), 10000.0);
    assert_eq!(
        metric(&metrics, "reporter_delivery_latency_seconds_count"),
        1.0
    );
}

#[test]
fn without_a_broker_it_is_live_but_not_ready() {
    // Nothing listens on this port.
    let (_running, port) = watched(&["--flush-timeout=0"], "127.0.0.1:1");
    while metric(&get(port, "/metrics"), "reporter_queue_messages") < 1.0 {}
    assert!(get(port, "/livez").starts_with("HTTP/1.1 200 "));
    assert!(get(port, "/readyz").starts_with("HTTP/1.1 503 "));
}

#[test]
fn rejects_other_paths_and_methods() {
    let (_running, port) = watched(&["--embedded-broker"], "");
    assert!(get(port, "/").starts_with("HTTP/1.1 404 "));
    let answer = exchange(
        port,
        "POST /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[test]
fn port_in_use_is_a_configuration_error() {
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = format!("--http-port={}", taken.local_addr().unwrap().port());
    let ended = reporter(&["--embedded-broker", &port], &[]).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    // The embedded broker may log the last line when it stops.
    let mut lines = ended.stderr.iter();
    let is_said = lines.any(|line| line.contains("cannot listen on REPORT_HTTP_PORT"));
    assert!(is_said, "{ended:?}");
}

#[test]
fn logs_json_events() {
    let variables = [("REPORT_LOG_FORMAT", "json")];
    let ended = reporter(&["--embedded-broker", "--count=1"], &variables).end();
    let last = ended.stderr.last().unwrap();
    let event: Value = serde_json::from_str(last).unwrap();
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["message"], "all 1 messages were delivered");
    chrono::DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap()).unwrap();
}

#[test]
fn rust_log_selects_log_events() {
    let ended = reporter(
        &["--embedded-broker", "--count=1"],
        &[("RUST_LOG", "error")],
    )
    .end();
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn json_messages_are_numbered() {
    let arguments = [
        "--embedded-broker",
        "--count=3",
        "--interval=0",
        "--format=json",
    ];
    let ended = reporter(&arguments, &[]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (at, line) in ended.stdout.iter().enumerate() {
        let (_, text) = line.split_once(": ").unwrap();
        let message: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message["sequence"], at + 1);
    }
}

#[test]
fn closes_idle_connections() {
    let (_running, port) = watched(&["--embedded-broker"], "");
    assert_eq!(exchange(port, ""), "");
}

#[test]
fn print_config_rejects_conflicting_settings() {
    let variables = [("KAFKA_HOST", "kafka"), ("KAFKA_ACKS", "1")];
    let ended = reporter(&["--print-config"], &variables).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.concat().contains("acks"), "{ended:?}");
}

#[test]
fn print_config_shows_sources_and_masks_secrets() {
    let secret = std::env::temp_dir().join(format!("reporter-secret-{}", std::process::id()));
    std::fs::write(&secret, "hunter2\n").unwrap();
    let variables = [
        ("KAFKA_HOST", "kafka"),
        ("KAFKA_SASL_PASSWORD_FILE", secret.to_str().unwrap()),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
    ];
    let text = reporter(&["--print-config", "--interval=1"], &variables).end();
    let json = reporter(&["--print-config=json", "--interval=1"], &variables).end();
    std::fs::remove_file(secret).unwrap();
    assert_eq!((text.code, json.code), (Some(0), Some(0)), "{json:?}");

    let text = text.stdout.join("\n");
    assert!(!text.contains("hunter2"), "{text}");
    for (start, origin) in [
        ("REPORT_INTERVAL=1 ", "--interval"),
        ("KAFKA_TOPIC=info ", "default"),
        ("metadata.broker.list=kafka:9092 ", "KAFKA_HOST"),
        ("sasl.mechanisms=PLAIN ", "KAFKA_SASL_MECHANISM"),
        ("sasl.password=*** ", "KAFKA_SASL_PASSWORD_FILE"),
        ("enable.idempotence=true ", "the reporter's default"),
        ("request.required.acks=-1 ", "librdkafka's default"),
        (
            "max.in.flight.requests.per.connection=5 ",
            "librdkafka, to fit the others",
        ),
    ] {
        let line = text.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in {text}"));
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    }
    let json: Value = serde_json::from_str(&json.stdout.concat()).unwrap();
    let password = &json["properties"]["sasl.password"];
    assert_eq!(password["value"], "***");
    assert_eq!(json["options"]["REPORT_INTERVAL"]["origin"], "--interval");
}
