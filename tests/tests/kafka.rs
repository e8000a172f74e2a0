//! The images as they are shipped, on every platform, with Apache Kafka.

use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::nix::nix_build;
use end_to_end::platform::Platform;
use end_to_end::podman::Podman;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};

/// A broker, and an engine that holds the image of one platform.
struct Scene {
    kafka: Kafka,
    podman: Podman,
    image: String,
}

impl Scene {
    /// None if this machine can't run that.
    fn new(platform: &str) -> Result<Option<Self>> {
        let platform = Platform::named(platform)?;
        if !met(&[
            Requirement::Kafka,
            Requirement::Podman,
            Requirement::Runs(&platform),
        ])? {
            return Ok(None);
        }
        let podman = Podman::new()?;
        let image = podman.load(&nix_build(repository(), "image")?, &platform)?;
        Ok(Some(Self {
            kafka: Kafka::start(&[])?,
            podman,
            image,
        }))
    }

    /// Reports to a topic over a listener, and compares what kcat reads with what should be there.
    fn assert_delivers(&self, topic: &str, listener: Listener, options: &[&str]) -> Result<()> {
        let host = format!("--env=KAFKA_HOST={}", self.kafka.address(listener));
        let options = [&["--rm", "--network=host", &host], options].concat();
        let arguments = ["--topic", topic, "--count", "20", "--interval", "20ms"];
        self.podman.run(&options, &self.image, &arguments).text()?;
        let records = self.kafka.read(topic)?;
        assert_eq!(records.len(), 20, "{topic}: {records:?}");
        for (place, record) in records.iter().enumerate() {
            assert_eq!((record.partition, record.offset), (0, place as i64));
            // The message tells the second, in which its Kafka timestamp is.
            let time = utc(record.timestamp)?;
            assert_eq!(record.value, format!("Time: {time}, PID: 1, UID: 65532"));
        }
        assert!(
            records.is_sorted_by_key(|record| record.timestamp),
            "{topic}: {records:?}"
        );
        Ok(())
    }
}

/// An instant in milliseconds since 1970, as date(1) writes its second.
fn utc(milliseconds: i64) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"])
        .arg(format!("--date=@{}", milliseconds / 1000));
    Ok(date.text()?.trim().into())
}

fn delivers_to_kafka(platform: &str) -> Result<()> {
    let Some(scene) = Scene::new(platform)? else {
        return Ok(());
    };
    scene.assert_delivers("plaintext", Listener::Plaintext, &[])
}

#[test]
fn the_amd64_reporter_delivers_to_kafka() -> Result<()> {
    delivers_to_kafka("x86_64")
}

#[test]
fn the_arm64_reporter_delivers_to_kafka() -> Result<()> {
    delivers_to_kafka("aarch64")
}
