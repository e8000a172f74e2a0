//! The Kafka producer. Every message handed to it is counted as delivered or lost.

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

use crate::delivery_tracker::{DeliveryTracker, Loss};
use crate::events::{Events, LIBRDKAFKA};
use crate::librdkafka;
use crate::message::Message;
use crate::properties::Properties;

/// Sends messages to one topic, in order.
pub struct Producer {
    /// Lives as long as the process: dropping it would wait for its threads.
    client: &'static BaseProducer<Events>,
    tracker: Arc<DeliveryTracker>,
    topic: String,
    /// Maximum number of messages that wait for a broker.
    capacity: u64,
    /// Whether the full queue has been logged and no broker has returned since.
    told_full: bool,
}

impl Producer {
    /// Connects in the background. Unreachable brokers are not an error, but properties that the
    /// client cannot apply are.
    pub fn new(properties: &Properties, topic: &str, log_deliveries: bool) -> Result<Self> {
        let tracker = Arc::new(DeliveryTracker::new());
        let client = client(properties, Events::new(tracker.clone(), log_deliveries))?;
        let producer = Self {
            client: Box::leak(Box::new(client)),
            tracker,
            topic: topic.to_owned(),
            capacity: properties.queue_capacity(),
            told_full: false,
        };
        producer.listen().context("cannot start a thread")?;
        producer.hurry().context("cannot start a thread")?;
        Ok(producer)
    }

    /// Starts a thread that polls librdkafka's events until the producer is closed.
    fn listen(&self) -> Result<()> {
        let client = self.client;
        let events = self.events().clone();
        thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || {
                while events.open() {
                    // librdkafka spins in the last millisecond before the deadline, so do not poll
                    // too often.
                    client.poll(Duration::from_secs(1));
                    events.look_for_stall();
                }
            })?;
        Ok(())
    }

    /// Requests the metadata of the topic immediately, to reduce the delay of the first message.
    ///
    /// An idempotent producer first needs a producer id. It requests one when it receives broker
    /// metadata, or after half a second. The first metadata response replaces the bootstrap
    /// connection by one to the same broker under its advertised name; only from the second
    /// response on there is a connection for the request.
    fn hurry(&self) -> Result<()> {
        let (client, topic) = (self.client, self.topic.clone());
        thread::Builder::new()
            .name("metadata".to_owned())
            .spawn(move || {
                for _ in 0..2 {
                    if client.client().context().open() {
                        // Ignore errors: the delivery reports show whether the topic exists.
                        let _ = client
                            .client()
                            .fetch_metadata(Some(&topic), Duration::from_secs(5));
                    }
                }
            })?;
        Ok(())
    }

    /// Returns the event handler of this producer.
    pub fn events(&self) -> &Arc<Events> {
        self.client.client().context()
    }

    pub fn tracker(&self) -> &DeliveryTracker {
        &self.tracker
    }

    /// Returns the maximum number of messages that may wait for a broker.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Queues a message, and waits while the queue is full. Returns an error if the producer can
    /// never deliver a message again; a rejected message is counted as lost.
    ///
    /// If the future is dropped while it waits, the message is not sent and counts as lost.
    pub async fn send(&mut self, message: &Message<'_>) -> Result<()> {
        let taken = self.tracker.take();
        let unsent = Unsent(&self.tracker);
        loop {
            if self.tracker.waiting() > self.capacity {
                // Wait until half of the queue is free, to fill many slots at once.
                let half_free = self.tracker.taken() - self.capacity / 2;
                let a_while = Some(Duration::from_millis(100));
                self.tracker.settled_at_least(half_free, a_while).await;
                let down = !self.events().ready();
                if down && !self.told_full {
                    let waiting = self.tracker.waiting() - 1;
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
                // librdkafka frees the slot of a message shortly after its delivery report.
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

    /// Sends batched messages immediately, for at most `time`, and waits until each message is
    /// delivered or lost.
    pub async fn flush(&self, time: Duration) -> Result<()> {
        let client = self.client.client();
        thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || librdkafka::flush(client, time))
            .context("cannot start a thread")?;
        self.tracker
            .settled_at_least(self.tracker.taken(), None)
            .await;
        Ok(())
    }

    /// Discards all undelivered messages. The error states their number.
    pub async fn close(self) -> Result<()> {
        // Do not block: its threads may be waiting for DNS.
        let all = PurgeConfig::default().queue().inflight().non_blocking();
        self.client.purge(all);
        // Wait until librdkafka has reported the purged messages.
        let taken = self.tracker.taken();
        self.tracker
            .settled_at_least(taken, Some(Duration::from_secs(2)))
            .await;
        self.events().close();

        let waiting = self.tracker.waiting();
        let unconfirmed = self.tracker.unconfirmed() + waiting;
        let lost = self.tracker.lost() + waiting;
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

/// Creates librdkafka's client. Returns an error if its properties conflict.
pub fn client(properties: &Properties, events: Events) -> Result<BaseProducer<Events>> {
    properties
        .to_client_config()
        .set_log_level(log_level())
        .create_with_context(events)
        .context("cannot start the Kafka producer")
}

/// A message that librdkafka has not accepted; it counts as lost when this is dropped.
struct Unsent<'a>(&'a DeliveryTracker);

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.0.lose(Loss::Certain);
        self.0.settle();
    }
}

/// Returns librdkafka's log level according to the log filter.
fn log_level() -> RDKafkaLogLevel {
    if enabled!(target: LIBRDKAFKA, Level::DEBUG) {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Warning
    }
}
