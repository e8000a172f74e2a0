//! The configuration of the test broker: small, fast to start, with one replica of everything.

use std::path::Path;

use anyhow::Result;

use crate::address::free_address;

use super::USER;

/// The addresses of the listeners. They are chosen before the broker starts, because its
/// configuration advertises them to clients.
pub struct Addresses {
    controller: String,
    pub plaintext: String,
    pub proxied: String,
    pub proxy: String,
    pub ssl: String,
    pub sasl_ssl: String,
}

impl Addresses {
    pub fn free() -> Result<Self> {
        Ok(Self {
            controller: free_address()?,
            plaintext: free_address()?,
            proxied: free_address()?,
            proxy: free_address()?,
            ssl: free_address()?,
            sasl_ssl: free_address()?,
        })
    }
}

/// The broker's properties; its storage and `server.pem` are in `directory`. The last property with
/// a name counts, so `more` can replace these.
pub fn properties(addresses: &Addresses, directory: &Path, more: &[(&str, &str)]) -> String {
    let Addresses {
        controller,
        plaintext,
        proxied,
        proxy,
        ssl,
        sasl_ssl,
    } = addresses;
    let (user, password) = USER;
    let directory = directory.display();
    let login = "org.apache.kafka.common.security";
    let mut text = format!(
        "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{controller}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
listeners=CONTROLLER://{controller},PLAINTEXT://{plaintext},PROXIED://{proxied},SSL://{ssl},SASL_SSL://{sasl_ssl}
advertised.listeners=PLAINTEXT://{plaintext},PROXIED://{proxy},SSL://{ssl},SASL_SSL://{sasl_ssl}

ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_{user}=\"{password}\";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;

log.dirs={directory}/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1

# After it was killed it may come back only when its session is over.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"
    );
    for (name, value) in more {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}
