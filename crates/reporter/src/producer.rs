//! The way into Kafka: nothing handed over is lost without being counted.

use std::mem::forget;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use tokio::time::sleep;
use tracing::{Level, enabled, info, warn};

use crate::events::{Events, LIBRDKAFKA};
use crate::ledger::{Ledger, Loss};
use crate::librdkafka;
use crate::message::Message;
use crate::properties::Properties;

/// Sends messages to one topic, in order.
pub struct Producer {
    /// As long as the process: to free it would be to wait for its threads.
    client: &'static BaseProducer<Events>,
    ledger: Arc<Ledger>,
    topic: String,
    /// Messages that wait for a broker at most.
    capacity: u64,
    /// That the queue is full was logged, and no broker is back since.
    told_full: bool,
}

impl Producer {
    /// Connects in the background: brokers that cannot be reached are no error here, but what the
    /// properties ask for and cannot be is.
    pub fn new(properties: &Properties, topic: &str, log_deliveries: bool) -> Result<Self> {
        let ledger = Arc::new(Ledger::new());
        let client = client(properties, Events::new(ledger.clone(), log_deliveries))?;
        let producer = Self {
            client: Box::leak(Box::new(client)),
            ledger,
            topic: topic.to_owned(),
            capacity: properties.queue_capacity(),
            told_full: false,
        };
        producer.listen().context("cannot start a thread")?;
        producer.hurry().context("cannot start a thread")?;
        Ok(producer)
    }

    /// Has a thread take librdkafka's events until the producer is closed.
    fn listen(&self) -> Result<()> {
        let client = self.client;
        let events = self.events().clone();
        thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || {
                while events.open() {
                    // As it polls to a deadline it spins for the last millisecond: not too often.
                    client.poll(Duration::from_secs(1));
                    events.look_for_stall();
                }
            })?;
        Ok(())
    }

    /// Asks for the topic at once, and so opens the way for the first message.
    ///
    /// An idempotent producer needs an id first, and asks for it when it hears of brokers, or else
    /// after half a second. What it hears first is of the broker that it has just left for the same
    /// one under its right name; from the second answer on there is a connection to ask on.
    fn hurry(&self) -> Result<()> {
        let (client, topic) = (self.client, self.topic.clone());
        thread::Builder::new()
            .name("metadata".to_owned())
            .spawn(move || {
                for _ in 0..2 {
                    if client.client().context().open() {
                        // Whether it is there is told by the messages' own deliveries.
                        let _ = client
                            .client()
                            .fetch_metadata(Some(&topic), Duration::from_secs(5));
                    }
                }
            })?;
        Ok(())
    }

    /// What librdkafka tells of this producer.
    pub fn events(&self) -> &Arc<Events> {
        self.client.client().context()
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Messages that may wait for a broker at most.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Queues a message; waits while the queue is full. It is an error when the producer will never
    /// deliver a message again; one that is refused is counted as lost.
    ///
    /// A message whose wait is cut off is not sent, and counts as lost.
    pub async fn send(&mut self, message: &Message<'_>) -> Result<()> {
        let taken = self.ledger.take();
        let unsent = Unsent(&self.ledger);
        loop {
            if self.ledger.waiting() > self.capacity {
                // Not for the first place that is free: many are filled at once then.
                let half_free = self.ledger.taken() - self.capacity / 2;
                let a_while = Some(Duration::from_millis(100));
                self.ledger.settled_at_least(half_free, a_while).await;
                let down = !self.events().ready();
                if down && !self.told_full {
                    let waiting = self.ledger.waiting() - 1;
                    warn!("{waiting} messages wait for a broker and no more fit; waiting for room");
                }
                self.told_full = down;
                continue;
            }
            let record = BaseRecord::<(), str, _>::with_opaque_to(&self.topic, taken)
                .payload(message.text)
                .timestamp(message.timestamp);
            let Err((error, _)) = self.client.send(record) else {
                forget(unsent);
                return Ok(());
            };
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
                // The broker's word on a message frees its place only a moment later.
                sleep(Duration::from_millis(1)).await;
                continue;
            }
            if let Some((_, reason)) = self.client.client().fatal_error() {
                bail!("librdkafka cannot go on: {reason}");
            }
            forget(unsent);
            self.events().lose(
                &error,
                Loss::Certain,
                &format_args!("{}: {}", self.topic, message.text),
            );
            return Ok(());
        }
    }

    /// Sends at once what waits for more to go with, for `time` at most, and waits until each message
    /// is delivered or lost.
    pub async fn flush(&self, time: Duration) -> Result<()> {
        let client = self.client.client();
        thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || librdkafka::flush(client, time))
            .context("cannot start a thread")?;
        self.ledger
            .settled_at_least(self.ledger.taken(), None)
            .await;
        Ok(())
    }

    /// Gives up what is not delivered by now; an error says how many messages that were.
    pub async fn close(self) -> Result<()> {
        // Its threads may be waiting for the answer of a name server.
        let all = PurgeConfig::default().queue().inflight().non_blocking();
        self.client.purge(all);
        // For librdkafka to tell what it threw away.
        let taken = self.ledger.taken();
        self.ledger
            .settled_at_least(taken, Some(Duration::from_secs(2)))
            .await;
        self.events().close();

        let waiting = self.ledger.waiting();
        let unconfirmed = self.ledger.unconfirmed() + waiting;
        let lost = self.ledger.lost() + waiting;
        match (lost, unconfirmed) {
            (0, _) => {
                info!("all {taken} messages were delivered");
                Ok(())
            }
            (_, 0) => bail!("{lost} of {taken} messages could not be delivered"),
            _ => bail!(
                "{lost} of {taken} messages could not be delivered, though {unconfirmed} of them \
                 may have arrived"
            ),
        }
    }
}

/// librdkafka's client; it is an error when its properties do not go together.
pub fn client(properties: &Properties, events: Events) -> Result<BaseProducer<Events>> {
    properties
        .to_client_config()
        .set_log_level(log_level())
        .create_with_context(events)
        .context("cannot start the Kafka producer")
}

/// A message that librdkafka has not taken: it counts as lost when this is dropped.
struct Unsent<'a>(&'a Ledger);

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.0.lose(Loss::Certain);
    }
}

/// librdkafka tells as much as somebody wants to know.
fn log_level() -> RDKafkaLogLevel {
    if enabled!(target: LIBRDKAFKA, Level::DEBUG) {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Warning
    }
}
