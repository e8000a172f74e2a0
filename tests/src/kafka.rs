//! Runs Apache Kafka, as fetched by setup/kafka: one process as broker and controller, on the
//! loopback interface, with TLS and SASL.

mod record;
mod settings;
mod topics;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::certificate::certificates;
use crate::command::CommandExt;
use crate::daemon::Daemon;
use crate::repository::repository;

pub use self::record::Record;
use self::settings::{Addresses, properties};

/// A user and a password, for SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN.
pub const USER: (&str, &str) = ("ada", "hunter2");

/// The listeners of the broker.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    Plaintext,
    /// Plaintext, but the broker advertises the address of a proxy; see `proxy_address`.
    Proxied,
    Ssl,
    SaslSsl,
}

/// A running Kafka. Ends when dropped, and its storage is removed.
pub struct Kafka {
    daemon: Option<Daemon>,
    directory: TempDir,
    addresses: Addresses,
}

impl Kafka {
    /// Starts Kafka with additional properties, which replace the defaults of the same name.
    pub fn start(more: &[(&str, &str)]) -> Result<Self> {
        let mut kafka = Self {
            daemon: None,
            directory: tempfile::Builder::new().prefix("kafka-").tempdir()?,
            addresses: Addresses::free()?,
        };
        certificates(kafka.directory.path(), 2)?;
        let properties = properties(&kafka.addresses, kafka.directory.path(), more);
        fs::write(kafka.directory.path().join("properties"), properties)?;
        kafka.format()?;
        kafka.start_again()?;
        Ok(kafka)
    }

    /// Formats the storage, and adds the SCRAM users to it.
    fn format(&self) -> Result<()> {
        let (user, password) = USER;
        let mut format = self.java("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "c2xpcHdheS10ZXN0cw", "--config"]);
        format.arg(self.directory.path().join("properties"));
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.arg("--add-scram");
            format.arg(format!("{mechanism}=[name={user},password={password}]"));
        }
        format.text().map(drop)
    }

    /// A Java class of Kafka, with JVM options for a fast start instead of high throughput.
    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        // A killed JVM would leave this file behind.
        java.arg("-XX:-UsePerfData");
        java.args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ]);
        java.arg("-classpath").arg(jars().join("*")).arg(class);
        java
    }

    /// Starts Kafka again after `kill` or `stop`, with the same addresses and storage.
    pub fn start_again(&mut self) -> Result<()> {
        let mut broker = self.java("kafka.Kafka");
        broker.arg(self.directory.path().join("properties"));
        let log = self.directory.path().join("log");
        let daemon = Daemon::start(&mut broker, log, || {
            let list = ["-L", "-m", "2", "-b", &self.addresses.plaintext];
            Ok(Command::new("kcat").args(list).outcome()?.status.success())
        })?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// `127.0.0.1:PORT`. Also valid while Kafka is not running.
    pub fn address(&self, listener: Listener) -> &str {
        match listener {
            Listener::Plaintext => &self.addresses.plaintext,
            Listener::Proxied => &self.addresses.proxied,
            Listener::Ssl => &self.addresses.ssl,
            Listener::SaslSsl => &self.addresses.sasl_ssl,
        }
    }

    /// The address that clients of `Listener::Proxied` connect to. Nothing listens there, unless
    /// the test starts a proxy.
    pub fn proxy_address(&self) -> &str {
        &self.addresses.proxy
    }

    /// The certificate of the authority that signed the broker's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.path().join("log"))?)
    }

    /// Ends Kafka with SIGKILL. Unlike a power cut, this loses no data that the kernel has not yet
    /// written.
    pub fn kill(&mut self) -> Result<()> {
        self.end("KILL")
    }

    /// Ends Kafka with SIGTERM, as an administrator does.
    pub fn stop(&mut self) -> Result<()> {
        self.end("TERM")
    }

    fn end(&mut self, signal: &str) -> Result<()> {
        let mut daemon = self.daemon.take().context("Kafka is not running")?;
        daemon.signal(signal)?;
        daemon.wait()
    }

    /// Suspends Kafka with its connections open, until `resume`.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal("STOP")
    }

    pub fn resume(&self) -> Result<()> {
        self.running()?.signal("CONT")
    }

    fn running(&self) -> Result<&Daemon> {
        self.daemon.as_ref().context("Kafka is not running")
    }

    /// Creates a topic with settings. Other topics are created by the first message.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        topics::create(&self.addresses.plaintext, name, partitions, settings)
    }

    /// The offset after the last message in the first partition of a topic. 0 if the topic does not
    /// exist or has no leader.
    pub fn end_offset(&self, topic: &str) -> Result<u64> {
        record::end_offset(&self.addresses.plaintext, topic)
    }

    /// The current messages of a topic, read with kcat(1). Those of each partition are in order.
    pub fn read(&self, topic: &str) -> Result<Vec<Record>> {
        record::read(&self.addresses.plaintext, topic)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The directory in which setup/kafka stores the jars.
pub fn jars() -> PathBuf {
    repository().join("target/kafka")
}
