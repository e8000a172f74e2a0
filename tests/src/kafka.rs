//! Apache Kafka, as setup/kafka fetched it: one process that is broker and controller, on the
//! loopback interface, with everything that clients log in with.

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

/// Ways to talk to the broker.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    Plaintext,
    /// Plaintext, but the broker sends its clients to the address of a proxy, see `proxy_address`.
    Proxied,
    Ssl,
    SaslSsl,
}

/// Ends when it is dropped, with all that it has stored.
pub struct Kafka {
    daemon: Option<Daemon>,
    directory: TempDir,
    addresses: Addresses,
}

impl Kafka {
    /// Starts one with properties beside its own, or in their place.
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

    /// Makes the storage, with the users whose passwords are kept there.
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

    /// A Java program of Kafka's that is there soon, rather than fast in the long run.
    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        // a file that would stay when it is killed
        java.arg("-XX:-UsePerfData");
        java.args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ]);
        java.arg("-classpath").arg(jars().join("*")).arg(class);
        java
    }

    /// Starts it after `kill` or `stop`, at the same addresses and with what it has stored.
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

    /// `127.0.0.1:PORT`, also while it is not running.
    pub fn address(&self, listener: Listener) -> &str {
        match listener {
            Listener::Plaintext => &self.addresses.plaintext,
            Listener::Proxied => &self.addresses.proxied,
            Listener::Ssl => &self.addresses.ssl,
            Listener::SaslSsl => &self.addresses.sasl_ssl,
        }
    }

    /// Where clients of `Listener::Proxied` go: nobody listens there, unless a test does.
    pub fn proxy_address(&self) -> &str {
        &self.addresses.proxy
    }

    /// The certificate of the authority that the broker's own is from.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.path().join("log"))?)
    }

    /// Ends it as a power cut does, but for what the kernel has not written yet.
    pub fn kill(&mut self) -> Result<()> {
        self.end("KILL")
    }

    /// Ends it as an administrator does.
    pub fn stop(&mut self) -> Result<()> {
        self.end("TERM")
    }

    fn end(&mut self, signal: &str) -> Result<()> {
        let mut daemon = self.daemon.take().context("Kafka is not running")?;
        daemon.signal(signal)?;
        daemon.wait()
    }

    /// Lets it neither work nor end, with its connections open, until `resume`.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal("STOP")
    }

    pub fn resume(&self) -> Result<()> {
        self.running()?.signal("CONT")
    }

    fn running(&self) -> Result<&Daemon> {
        self.daemon.as_ref().context("Kafka is not running")
    }

    /// A topic with settings of its own; others are made by the first message.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        topics::create(&self.addresses.plaintext, name, partitions, settings)
    }

    /// The offset after a topic's last message, in its first partition; 0 if there is no such topic,
    /// or nobody leads it.
    pub fn end_offset(&self, topic: &str) -> Result<u64> {
        record::end_offset(&self.addresses.plaintext, topic)
    }

    /// All of a topic that there is now, as kcat(1) reads it: each partition's in order.
    pub fn read(&self, topic: &str) -> Result<Vec<Record>> {
        record::read(&self.addresses.plaintext, topic)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Where setup/kafka puts what it fetched.
pub fn jars() -> PathBuf {
    repository().join("target/kafka")
}
