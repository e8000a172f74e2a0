//! An embedded broker, and a consumer that reads from it.
//!
//! With it you can try and test an image without Kafka, for example in a sandbox: messages still
//! pass through librdkafka and a socket, and a consumer reads them back. The broker is librdkafka's
//! mock cluster.

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

/// The mock cluster of one broker, and a consumer of the topic.
pub struct EmbeddedBroker {
    // Fields are dropped in this order: the client must go before its broker.
    consumer: StreamConsumer<Reader>,
    cluster: MockCluster<'static, DefaultProducerContext>,
    read: u64,
}

impl EmbeddedBroker {
    /// Starts the broker on a free loopback port and creates the topic with one partition.
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

    /// Returns the address of the broker, as `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Prints each message that the consumer reads, until it has read `count` messages since the
    /// start.
    ///
    /// Cancel safe: no message is lost or read twice.
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

/// Reports whether librdkafka recovers from this error by itself. On a busy machine such errors
/// occur even with a broker in the same process: its thread may be late, and a resolved address may
/// replace the first one.
fn reconnects(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
    )
}

/// Client context of the consumer. Its connection events are useful only for debugging;
/// [`crate::events`] logs those of the producer.
struct Reader;

impl ClientContext for Reader {
    fn error(&self, _: KafkaError, reason: &str) {
        debug!("embedded broker's reader: {reason}");
    }

    // Statistics are off. The default implementation would link rdkafka's large parser for them.
    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for Reader {}

/// Creates a consumer of the whole partition. It uses no consumer group, so it does not wait for a
/// rebalance.
fn consumer(address: &str, topic: &Topic) -> Result<StreamConsumer<Reader>> {
    let consumer: StreamConsumer<Reader> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "embedded-broker")
        .set("enable.auto.commit", "false")
        // Show messages to the user without much delay.
        .set("fetch.wait.max.ms", "100")
        .set_log_level(RDKafkaLogLevel::Warning)
        .create_with_context(Reader)?;
    let mut whole = TopicPartitionList::new();
    whole.add_partition_offset(topic.as_str(), 0, Offset::Beginning)?;
    consumer.assign(&whole)?;
    Ok(consumer)
}
