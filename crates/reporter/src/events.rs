//! Handles librdkafka's events: delivery reports and connection errors.
//!
//! librdkafka repeats connection errors at every attempt, possibly for hours. This module logs each
//! error once per outage, so that the log stays readable and its last lines still state the cause.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use tracing::{debug, error, info, warn};

use crate::brokers::{self, Broker};
use crate::delivery_tracker::{DeliveryTracker, Loss, Taken};
use crate::librdkafka;

/// Log target of librdkafka's own messages.
pub const LIBRDKAFKA: &str = "librdkafka";

/// If no message is delivered for this long while messages wait, librdkafka is retrying an error
/// that it does not report: a partition without a leader, or with fewer in-sync replicas than
/// required.
const STALL: Duration = Duration::from_secs(30);

/// Logs librdkafka's events and stores the state for metrics and probes.
#[derive(Debug)]
pub struct Events {
    pub tracker: Arc<DeliveryTracker>,
    /// Whether to log each delivery, or none because there are too many.
    log_deliveries: bool,
    /// Whether the last event from Kafka was a success.
    ready: AtomicBool,
    /// Whether the producer is closed.
    closed: AtomicBool,
    outage: Mutex<Outage>,
    /// Brokers from librdkafka's last statistics, if any.
    brokers: Mutex<Option<Vec<Broker>>>,
}

#[derive(Debug, Default)]
struct Outage {
    /// The errors logged since the outage began, as (code, broker).
    logged: Vec<(RDKafkaErrorCode, String)>,
    /// Whether nothing is delivered and this was logged.
    is_total: bool,
}

impl Events {
    pub fn new(tracker: Arc<DeliveryTracker>, log_deliveries: bool) -> Self {
        Self {
            tracker,
            log_deliveries,
            ready: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            outage: Mutex::default(),
            brokers: Mutex::default(),
        }
    }

    /// Reports whether the last message was delivered and a broker has been reachable since.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Stops logging, after the final result has been logged.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub fn open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// Returns the brokers, if librdkafka has reported any.
    pub fn brokers(&self) -> MutexGuard<'_, Option<Vec<Broker>>> {
        lock(&self.brokers)
    }

    /// Handles a message that was not delivered and never will be.
    pub fn lose(&self, error: &KafkaError, loss: Loss, message: &dyn Display) {
        self.tracker.lose(loss);
        self.tell_loss(error, message);
        self.tracker.settle();
    }

    fn tell_loss(&self, error: &KafkaError, message: &dyn Display) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        if let RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight = code {
            // Purged at shutdown: the last log line has their number.
            return;
        }
        self.ready.store(false, Ordering::Relaxed);
        if self.log_deliveries || lock(&self.outage).notice(code, "") {
            error!("not delivered to {message}: {error}");
        } else {
            debug!("not delivered to {message}: {error}");
        }
    }

    /// Handles a delivered message, which ends any outage.
    fn recover(&self) {
        // Usually `ready` is set already, and no lock is needed.
        if !self.ready.swap(true, Ordering::Relaxed) && lock(&self.outage).end() {
            info!("messages are delivered again");
        }
    }

    /// Logs an error when deliveries have stalled. Call it periodically.
    pub fn look_for_stall(&self) {
        if !self.tracker.stalled_for(STALL) {
            return;
        }
        self.ready.store(false, Ordering::Relaxed);
        let was_told = std::mem::replace(&mut lock(&self.outage).is_total, true);
        if !was_told {
            let waiting = self.tracker.waiting();
            error!("nothing was delivered for {STALL:?}; {waiting} messages wait, and are kept");
        }
    }
}

/// Ignores poisoning: the state is consistent after every statement, so a panic elsewhere does not
/// invalidate it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outage {
    /// Records an error. Returns whether it is new in this outage.
    fn notice(&mut self, code: RDKafkaErrorCode, reason: &str) -> bool {
        self.is_total |= code == RDKafkaErrorCode::AllBrokersDown;
        // A reason starts with `broker: `; the details after it differ each time.
        let broker = reason.split_once(": ").map_or("", |(broker, _)| broker);
        let error = (code, broker.to_owned());
        let is_news = !self.logged.contains(&error);
        if is_news {
            self.logged.push(error);
        }
        is_news
    }

    /// Returns whether a delivery has ended the outage. A single unreachable broker among several
    /// does not count, because it would be logged again after each delivery.
    fn end(&mut self) -> bool {
        if self.is_total {
            *self = Self::default();
            return true;
        }
        false
    }
}

impl ClientContext for Events {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        if code == RDKafkaErrorCode::AllBrokersDown {
            self.ready.store(false, Ordering::Relaxed);
        }
        if !lock(&self.outage).notice(code, reason) || !self.open() {
            debug!("librdkafka again: {reason}");
        } else if code == RDKafkaErrorCode::AllBrokersDown {
            error!("no broker can be reached; messages are kept until one is back ({reason})");
        } else {
            warn!("librdkafka: {reason}");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match brokers::from_statistics(statistics) {
            Ok(brokers) => *self.brokers() = Some(brokers),
            Err(error) => warn!("librdkafka's statistics make no sense: {error}"),
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // The same failure is also reported as an error and logged there.
            _ if facility == "FAIL" => debug!(target: LIBRDKAFKA, "librdkafka: {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => error!(target: LIBRDKAFKA, "librdkafka: {message}"),
            RDKafkaLogLevel::Warning => warn!(target: LIBRDKAFKA, "librdkafka: {message}"),
            _ => debug!(target: LIBRDKAFKA, "librdkafka: {message}"),
        }
    }
}

impl ProducerContext for Events {
    type DeliveryOpaque = Taken;

    fn delivery(&self, result: &DeliveryResult<'_>, taken: Taken) {
        match result {
            Ok(message) => {
                self.recover();
                // Count first, so that readers of the log line find current metrics.
                self.tracker.deliver(taken);
                if self.log_deliveries {
                    info!("delivered to {}", Shown(message));
                } else {
                    debug!("delivered to {}", Shown(message));
                }
                self.tracker.settle();
            }
            Err((error, message)) => self.lose(error, loss(message), &Shown(message)),
        }
    }
}

fn loss(message: &BorrowedMessage<'_>) -> Loss {
    match librdkafka::was_never_sent(message) {
        true => Loss::Certain,
        false => Loss::Unconfirmed,
    }
}

/// Displays a message as in the log and in the output of the embedded broker: `topic [partition] @
/// offset: text`.
pub struct Shown<'a, M>(pub &'a M);

impl<M: Message> Display for Shown<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(message) = self;
        let text = String::from_utf8_lossy(message.payload().unwrap_or_default());
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        write!(f, "{topic} [{partition}] @ {offset}: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSPORT: RDKafkaErrorCode = RDKafkaErrorCode::BrokerTransportFailure;

    #[test]
    fn logs_an_error_once_per_broker() {
        let mut outage = Outage::default();
        assert!(outage.notice(TRANSPORT, "a:9092/1: Connect failed (after 1ms)"));
        assert!(!outage.notice(TRANSPORT, "a:9092/1: Connect failed (after 2ms)"));
        assert!(outage.notice(TRANSPORT, "b:9092/2: Connect failed (after 1ms)"));
    }

    #[test]
    fn logs_errors_again_after_an_outage() {
        let mut outage = Outage::default();
        outage.notice(TRANSPORT, "a:9092/1: Connect failed");
        outage.notice(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert!(outage.end());
        assert!(outage.notice(TRANSPORT, "a:9092/1: Connect failed"));
    }

    #[test]
    fn logs_a_single_unreachable_broker_once() {
        let mut outage = Outage::default();
        outage.notice(TRANSPORT, "a:9092/1: Connect failed");
        assert!(!outage.end());
        assert!(!outage.notice(TRANSPORT, "a:9092/1: Connect failed"));
    }
}
