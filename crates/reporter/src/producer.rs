//! The way into Kafka: nothing handed over is lost without being counted.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, ThreadedProducer};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::events::{Events, Tally};
use crate::message::Message;

/// Messages that wait for a broker at most: 14 hours of them at one each 5 s, a few megabytes.
const QUEUE_LIMIT: u32 = 10_000;

/// Sends messages to one topic, in order.
pub struct Producer {
    client: ThreadedProducer<Events>,
    topic: String,
    tally: watch::Receiver<Tally>,
    /// Messages taken by `send`, queued or not.
    taken: u64,
    /// That the queue is full was logged, and it has not halved since.
    told_full: bool,
}

impl Producer {
    /// Connects in the background: brokers that cannot be reached are no error here.
    ///
    /// `bootstrap` is a list of `host:port` with commas between.
    pub fn new(bootstrap: &str, topic: &str) -> Result<Self> {
        let (events, tally) = Events::new();
        let client = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("client.id", "reporter")
            // A retry neither doubles a message nor overtakes another.
            .set("enable.idempotence", "true")
            // What bounds waiting is the queue, not the age of a message: it tells its own time.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", QUEUE_LIMIT.to_string())
            // When a broker is back, notice within seconds.
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Warning)
            .create_with_context(events)
            .context("cannot start the Kafka producer")?;
        Ok(Self {
            client,
            topic: topic.to_owned(),
            tally,
            taken: 0,
            told_full: false,
        })
    }

    /// Queues a message; waits while the queue is full.
    ///
    /// A message whose wait is cut off is not sent, and counts as undelivered.
    pub async fn send(&mut self, message: &Message) -> Result<()> {
        self.taken += 1;
        let waiting = self.taken - self.tally.borrow().settled();
        self.told_full &= waiting > u64::from(QUEUE_LIMIT / 2);
        loop {
            // Before the attempt, so that no delivery between it and the wait is missed.
            self.tally.mark_unchanged();
            let record = BaseRecord::<(), str>::to(&self.topic)
                .payload(&message.text)
                .timestamp(message.timestamp);
            let Err((error, _)) = self.client.send(record) else {
                return Ok(());
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error).with_context(|| format!("cannot send `{}`", message.text));
            }
            if !self.told_full {
                warn!("{QUEUE_LIMIT} messages wait for a broker and no more fit; waiting for room");
                self.told_full = true;
            }
            // The broker's word on a message frees its room only a moment later: look again soon.
            let _ = tokio::time::timeout(Duration::from_millis(100), self.tally.changed()).await;
        }
    }

    /// Waits until each message is delivered or has failed.
    pub async fn settled(&mut self) {
        let taken = self.taken;
        // The sender lives in the client: it cannot be gone.
        let _ = self.tally.wait_for(|tally| tally.settled() >= taken).await;
    }

    pub fn delivered(&self) -> u64 {
        self.tally.borrow().delivered
    }

    /// Gives up what is not delivered by now; an error says how many messages that were.
    pub fn close(self) -> Result<()> {
        let (taken, delivered) = (self.taken, self.delivered());
        if delivered < taken {
            let lost = taken - delivered;
            anyhow::bail!("{lost} of {taken} messages could not be delivered");
        }
        info!("all {taken} messages were delivered");
        Ok(())
    }
}
