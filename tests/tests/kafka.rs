//! The shipped images with Apache Kafka, on this machine and, with an emulator, for another one.

use std::fs;
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::kafka::{Kafka, Listener, Record, USER};
use end_to_end::platform::Platform;
use end_to_end::reporter::Reporter;
use end_to_end::requirement::{Requirement, met};
use end_to_end::sequence;

/// A broker, and the image of one platform.
struct Fixture {
    kafka: Kafka,
    reporter: Reporter,
}

impl Fixture {
    /// Returns `None` if this machine cannot run them.
    fn new(package: &str, platform: &Platform) -> Result<Option<Self>> {
        if !met(&[
            Requirement::Kafka,
            Requirement::Podman,
            Requirement::Runs(platform),
        ])? {
            return Ok(None);
        }
        Ok(Some(Self {
            kafka: Kafka::start(&[])?,
            reporter: Reporter::of(package, platform)?,
        }))
    }

    /// Sends 20 messages to a topic through a listener, and returns the messages that kcat reads.
    fn report(&self, topic: &str, listener: Listener, options: &[&str]) -> Result<Vec<Record>> {
        let host = format!("--env=KAFKA_HOST={}", self.kafka.address(listener));
        let options = [&[host.as_str()], options].concat();
        let arguments = ["--topic", topic, "--count=20", "--interval=20ms"];
        let ended = self.reporter.start(&options, &arguments)?.wait()?;
        assert_eq!(ended.code, 0, "{topic}: {}", ended.log);
        let records = self.kafka.read(topic)?;
        assert_eq!(records.len(), 20, "{topic}: {records:?}");
        assert!(
            records.is_sorted_by_key(|record| record.timestamp),
            "{topic}: {records:?}"
        );
        for (offset, record) in (0..).zip(&records) {
            assert_eq!((record.partition, record.offset), (0, offset));
            assert_eq!(record.key, None);
        }
        Ok(records)
    }

    fn assert_delivers(&self, topic: &str, listener: Listener, options: &[&str]) -> Result<()> {
        for record in self.report(topic, listener, options)? {
            // The Kafka timestamp equals the time in the message.
            let time = utc(record.timestamp, "%Y-%m-%dT%H:%M:%SZ")?;
            assert_eq!(record.value, format!("Time: {time}, PID: 1, UID: 65532"));
        }
        Ok(())
    }

    fn assert_delivers_json(&self) -> Result<()> {
        let options = ["--env=REPORT_FORMAT=json"];
        let records = self.report("json", Listener::Plaintext, &options)?;
        for (sequence, record) in (1..).zip(&records) {
            let time = utc(record.timestamp, "%Y-%m-%dT%H:%M:%S.%3NZ")?;
            assert_eq!(
                record.value,
                format!(r#"{{"time":"{time}","pid":1,"uid":65532,"sequence":{sequence}}}"#)
            );
        }
        Ok(())
    }
}

/// Formats milliseconds since 1970 with date(1).
fn utc(milliseconds: i64, format: &str) -> Result<String> {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let mut date = Command::new("date");
    date.args(["--utc", &format!("--date=@{seconds}.{rest:03}")])
        .arg(format!("+{format}"));
    Ok(date.text()?.trim().into())
}

/// Files in the container: the certificate of the broker's authority, and a password.
const AUTHORITY: &str = "/run/ca.crt";
const PASSWORD: &str = "/run/secrets/password";

fn delivers_to_every_listener(platform: &Platform) -> Result<()> {
    let Some(fixture) = Fixture::new("image", platform)? else {
        return Ok(());
    };
    fixture.assert_delivers("plaintext", Listener::Plaintext, &[])?;
    fixture.assert_delivers_json()?;

    let authority = fixture.kafka.authority();
    let volume = format!("--volume={}:{AUTHORITY}:ro", authority.display());
    let location = format!("--env=KAFKA_SSL_CA_LOCATION={AUTHORITY}");
    let ssl = [&volume, &location, "--env=KAFKA_SECURITY_PROTOCOL=SSL"];
    fixture.assert_delivers("ssl", Listener::Ssl, &ssl)?;

    let (user, password) = USER;
    let secrets = tempfile::tempdir()?;
    let secret = secrets.path().join("password");
    fs::write(&secret, password)?;
    let secret = format!("--volume={}:{PASSWORD}:ro", secret.display());
    let file = format!("--env=KAFKA_SASL_PASSWORD_FILE={PASSWORD}");
    let user = format!("--env=KAFKA_SASL_USERNAME={user}");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let sasl_ssl = [
            &volume,
            &location,
            "--env=KAFKA_SECURITY_PROTOCOL=SASL_SSL",
            &format!("--env=KAFKA_SASL_MECHANISM={mechanism}"),
            &user,
            &secret,
            &file,
        ];
        fixture.assert_delivers(mechanism, Listener::SaslSsl, &sasl_ssl)?;
    }
    Ok(())
}

#[test]
fn native_reporter_delivers_over_plaintext_tls_and_every_sasl_mechanism() -> Result<()> {
    delivers_to_every_listener(&Platform::own()?)
}

#[test]
fn foreign_reporter_delivers_over_plaintext_tls_and_every_sasl_mechanism() -> Result<()> {
    delivers_to_every_listener(&Platform::foreign()?)
}

/// The example in Go runs until SIGTERM, and then delivers what it has sent.
fn go_example_delivers(platform: &Platform) -> Result<()> {
    let Some(Fixture { kafka, reporter }) = Fixture::new("example-go-kafka", platform)? else {
        return Ok(());
    };
    let host = format!("--env=KAFKA_HOST={}", kafka.address(Listener::Plaintext));
    let running = reporter.start(&[&host], &["-interval=20ms"])?;
    sequence::wait_for(&kafka, 20)?;
    running.terminate()?;
    let ended = running.wait()?;
    assert_eq!(ended.code, 0, "{}", ended.log);

    let records = kafka.read("info")?;
    let count = records.len();
    let summary = format!("sent {count} messages, {count} were delivered");
    assert!(ended.log.contains(&summary), "{count}: {}", ended.log);
    for record in records {
        let time = utc(record.timestamp, "%Y-%m-%dT%H:%M:%SZ")?;
        assert_eq!(record.value, format!("Time: {time}, PID: 1, UID: 65532"));
    }
    Ok(())
}

#[test]
fn native_go_example_delivers_until_it_is_terminated() -> Result<()> {
    go_example_delivers(&Platform::own()?)
}

#[test]
fn foreign_go_example_delivers_until_it_is_terminated() -> Result<()> {
    go_example_delivers(&Platform::foreign()?)
}
