//! Apache Kafka, as setup/kafka fetched it: one process that is broker and controller, on the
//! loopback interface, with everything that clients log in with.

mod record;
mod topics;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::address::free_address;
use crate::certificate::certificates;
use crate::command::CommandExt;
use crate::daemon::Daemon;
use crate::repository::repository;

pub use self::record::Record;

/// A user and a password, for SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN.
pub const USER: (&str, &str) = ("ada", "hunter2");

/// What a small broker needs: it is there soon, and has one replica of everything.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
";

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
    plaintext: String,
    proxied: String,
    proxy: String,
    ssl: String,
    sasl_ssl: String,
}

impl Kafka {
    /// Starts one with properties beside its own, or in their place.
    pub fn start(properties: &[(&str, &str)]) -> Result<Self> {
        let mut kafka = Self {
            daemon: None,
            directory: tempfile::Builder::new().prefix("kafka-").tempdir()?,
            plaintext: free_address()?,
            proxied: free_address()?,
            proxy: free_address()?,
            ssl: free_address()?,
            sasl_ssl: free_address()?,
        };
        certificates(kafka.directory.path(), 2)?;
        // As PEM goes into one file: the key, then its certificate.
        let at = |name: &str| kafka.directory.path().join(name);
        let (key, certificate) = (at("server.key"), at("server.crt"));
        let pair = [fs::read(key)?, fs::read(certificate)?].concat();
        fs::write(at("server.pem"), pair)?;
        fs::write(at("properties"), kafka.properties(properties)?)?;
        kafka.format()?;
        kafka.start_again()?;
        Ok(kafka)
    }

    fn properties(&self, more: &[(&str, &str)]) -> Result<String> {
        let Self {
            plaintext,
            proxied,
            proxy,
            ssl,
            sasl_ssl,
            ..
        } = self;
        let controller = free_address()?;
        let (user, password) = USER;
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        let advertised = |proxied| {
            format!("PLAINTEXT://{plaintext},PROXIED://{proxied},SSL://{ssl},SASL_SSL://{sasl_ssl}")
        };
        let login = |module: &str, rest: &str| {
            format!("org.apache.kafka.common.security.{module} required{rest};")
        };
        let scram = login("scram.ScramLoginModule", "");
        let own = [
            ("advertised.listeners", advertised(proxy)),
            ("controller.quorum.voters", format!("1@{controller}")),
            (
                "listener.name.sasl_ssl.plain.sasl.jaas.config",
                login(
                    "plain.PlainLoginModule",
                    &format!(" user_{user}=\"{password}\""),
                ),
            ),
            (
                "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
                scram.clone(),
            ),
            (
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
                scram,
            ),
            (
                "listeners",
                format!("CONTROLLER://{controller},{}", advertised(proxied)),
            ),
            ("log.dirs", at("data")),
            ("ssl.keystore.location", at("server.pem")),
        ];
        let mut text = PROPERTIES.to_owned();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        // The last of a name counts.
        for (name, value) in own.chain(more.iter().copied()) {
            text.push_str(&format!("{name}={value}\n"));
        }
        Ok(text)
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
            let list = ["-L", "-m", "2", "-b", &self.plaintext];
            Ok(Command::new("kcat").args(list).outcome()?.status.success())
        })?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// `127.0.0.1:PORT`, also while it is not running.
    pub fn address(&self, listener: Listener) -> &str {
        match listener {
            Listener::Plaintext => &self.plaintext,
            Listener::Proxied => &self.proxied,
            Listener::Ssl => &self.ssl,
            Listener::SaslSsl => &self.sasl_ssl,
        }
    }

    /// Where clients of `Listener::Proxied` go: nobody listens there, unless a test does.
    pub fn proxy_address(&self) -> &str {
        &self.proxy
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
        topics::create(&self.plaintext, name, partitions, settings)
    }

    /// The offset after a topic's last message, in its first partition; 0 if there is no such topic.
    pub fn end_offset(&self, topic: &str) -> Result<u64> {
        record::end_offset(&self.plaintext, topic)
    }

    /// All of a topic that there is now, as kcat(1) reads it: each partition's in order.
    pub fn read(&self, topic: &str) -> Result<Vec<Record>> {
        record::read(&self.plaintext, topic)
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
