//! What librdkafka tells while it works: delivery reports, and errors of its connections.
//!
//! librdkafka repeats a connection error at every attempt, for hours if need be. Here each is
//! logged once an outage, so that the log stays readable and its last lines still say why.

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
use crate::ledger::{Ledger, Loss, Taken};
use crate::librdkafka;

/// The target under which what librdkafka says itself is logged.
pub const LIBRDKAFKA: &str = "librdkafka";

/// Without a delivery for this long while messages wait, something is wrong that librdkafka retries
/// in silence: a partition without a leader, or with fewer replicas than it must have.
const STALL: Duration = Duration::from_secs(30);

/// Logs what librdkafka tells, and keeps what others ask for.
#[derive(Debug)]
pub struct Events {
    pub ledger: Arc<Ledger>,
    /// Whether each delivery is logged, or that would be too many.
    log_deliveries: bool,
    /// Whether the last that was heard of Kafka was good.
    ready: AtomicBool,
    /// Whether nobody cares any more.
    closed: AtomicBool,
    outage: Mutex<Outage>,
    /// As the last statistics of librdkafka told, if there were any.
    brokers: Mutex<Option<Vec<Broker>>>,
}

#[derive(Debug, Default)]
struct Outage {
    /// The errors logged since it began, as (code, broker).
    logged: Vec<(RDKafkaErrorCode, String)>,
    /// Nothing is delivered, and that was logged.
    is_total: bool,
}

impl Events {
    pub fn new(ledger: Arc<Ledger>, log_deliveries: bool) -> Self {
        Self {
            ledger,
            log_deliveries,
            ready: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            outage: Mutex::default(),
            brokers: Mutex::default(),
        }
    }

    /// Whether the last message was delivered, and a broker was there since.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// From now on nothing is logged: the end was told.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub fn open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// The brokers, if librdkafka has told of them.
    pub fn brokers(&self) -> MutexGuard<'_, Option<Vec<Broker>>> {
        lock(&self.brokers)
    }

    /// A message was not delivered, and never will be.
    pub fn lose(&self, error: &KafkaError, loss: Loss, message: &dyn Display) {
        self.ledger.lose(loss);
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        if let RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight = code {
            // Thrown away at the end: the last line tells how many.
            return;
        }
        self.ready.store(false, Ordering::Relaxed);
        if self.log_deliveries || lock(&self.outage).notice(code, "") {
            error!("not delivered to {message}: {error}");
        } else {
            debug!("not delivered to {message}: {error}");
        }
    }

    /// A message was delivered: whatever was wrong is over.
    fn recover(&self) {
        // Nearly always it is so already, and then there is nothing to lock.
        if !self.ready.swap(true, Ordering::Relaxed) && lock(&self.outage).end() {
            info!("messages are delivered again");
        }
    }

    /// To be called from time to time: tells when nothing is delivered any more.
    pub fn look_for_stall(&self) {
        if !self.ledger.stalled_for(STALL) {
            return;
        }
        self.ready.store(false, Ordering::Relaxed);
        let was_told = std::mem::replace(&mut lock(&self.outage).is_total, true);
        if !was_told {
            let waiting = self.ledger.waiting();
            error!("nothing was delivered for {STALL:?}; {waiting} messages wait, and are kept");
        }
    }
}

/// The state is whole between any two statements: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outage {
    /// Whether an error is news.
    fn notice(&mut self, code: RDKafkaErrorCode, reason: &str) -> bool {
        self.is_total |= code == RDKafkaErrorCode::AllBrokersDown;
        // A reason begins with `broker: ` and goes on with details that differ each time.
        let broker = reason.split_once(": ").map_or("", |(broker, _)| broker);
        let error = (code, broker.to_owned());
        let is_news = !self.logged.contains(&error);
        if is_news {
            self.logged.push(error);
        }
        is_news
    }

    /// Whether a delivery just ended it. One broker of several that stays down does not count:
    /// it would be told anew after each delivery.
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
            // The same failure comes as an error too, and is logged there.
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
                if self.log_deliveries {
                    info!("delivered to {}", Shown(message));
                } else {
                    debug!("delivered to {}", Shown(message));
                }
                self.ledger.deliver(taken);
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

/// A message as the log and the embedded broker's reader show it: `topic [partition] @ offset: text`.
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
    fn an_error_is_news_once_for_each_broker() {
        let mut outage = Outage::default();
        assert!(outage.notice(TRANSPORT, "a:9092/1: Connect failed (after 1ms)"));
        assert!(!outage.notice(TRANSPORT, "a:9092/1: Connect failed (after 2ms)"));
        assert!(outage.notice(TRANSPORT, "b:9092/2: Connect failed (after 1ms)"));
    }

    #[test]
    fn after_an_outage_errors_are_news_again() {
        let mut outage = Outage::default();
        outage.notice(TRANSPORT, "a:9092/1: Connect failed");
        outage.notice(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert!(outage.end());
        assert!(outage.notice(TRANSPORT, "a:9092/1: Connect failed"));
    }

    #[test]
    fn one_broker_of_several_that_stays_down_is_told_once() {
        let mut outage = Outage::default();
        outage.notice(TRANSPORT, "a:9092/1: Connect failed");
        assert!(!outage.end());
        assert!(!outage.notice(TRANSPORT, "a:9092/1: Connect failed"));
    }
}
