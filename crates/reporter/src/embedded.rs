//! A broker within the process, and a consumer that reads from it.
//!
//! So that a fresh image can be tried, and tested in a sandbox, where there is no Kafka: the
//! messages still go through librdkafka and a socket, and come back as a consumer reads them.
//! The broker is librdkafka's mock cluster.

use std::io::{self, Write};

use anyhow::{Context, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use crate::events::Shown;
use crate::topic::Topic;

/// A consumer of the topic, and the cluster of one broker that it reads from.
pub struct EmbeddedBroker {
    // Before the cluster: fields are dropped in this order, and a client should not see its broker go.
    consumer: StreamConsumer<Reader>,
    cluster: MockCluster<'static, DefaultProducerContext>,
    read: u64,
}

impl EmbeddedBroker {
    /// Starts it on a free port of the loopback interface, with the topic in one partition.
    pub fn start(topic: &Topic) -> Result<Self> {
        let cluster = MockCluster::new(1).context("cannot start the embedded broker")?;
        cluster
            .create_topic(topic.as_str(), 1, 1)
            .with_context(|| format!("the embedded broker cannot create topic {topic}"))?;
        let consumer = consumer(&cluster.bootstrap_servers(), topic)
            .context("cannot read from the embedded broker")?;
        Ok(Self {
            consumer,
            cluster,
            read: 0,
        })
    }

    /// Its address, as `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Prints each message as it is read, until `count` were since the start.
    ///
    /// May be cut off and called again: no message is lost or read twice.
    pub async fn print_until(&mut self, count: u64) -> Result<()> {
        while self.read < count {
            let message = match self.consumer.recv().await {
                Err(error) if reconnects(&error) => continue,
                message => message.context("cannot read from the embedded broker")?,
            };
            self.read += 1;
            writeln!(io::stdout(), "{}", Shown(&message)).context("cannot write to stdout")?;
        }
        Ok(())
    }
}

/// librdkafka goes on by itself after these. On a busy machine they come even from a broker in the
/// same process: its thread may be late, and an address found out may replace the first one.
fn reconnects(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
    )
}

/// What librdkafka tells of the reader's connections helps only those who look closely; the
/// producer's own are logged by [`crate::events`].
struct Reader;

impl ClientContext for Reader {
    fn error(&self, _: KafkaError, reason: &str) {
        debug!("embedded broker's reader: {reason}");
    }

    // There are none. What takes them apart in rdkafka, otherwise built in here, is large.
    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for Reader {}

/// Reads the whole of the one partition; it needs no group, and so waits for none to form.
fn consumer(address: &str, topic: &Topic) -> Result<StreamConsumer<Reader>> {
    let consumer: StreamConsumer<Reader> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "embedded-broker")
        .set("enable.auto.commit", "false")
        // A person watches: show a message soon after it came.
        .set("fetch.wait.max.ms", "100")
        .set_log_level(RDKafkaLogLevel::Warning)
        .create_with_context(Reader)?;
    let mut whole = TopicPartitionList::new();
    whole.add_partition_offset(topic.as_str(), 0, Offset::Beginning)?;
    consumer.assign(&whole)?;
    Ok(consumer)
}
