//! What librdkafka tells while it works: delivery reports, and errors of its connections.
//!
//! librdkafka repeats a connection error at every attempt, for hours if need be. Here each is
//! logged once an outage, so that the log stays readable and its last lines still say why.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

/// How many messages have met their fate so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub delivered: u64,
    /// Given up by librdkafka, or refused by the broker.
    pub failed: u64,
}

impl Tally {
    pub fn settled(self) -> u64 {
        self.delivered + self.failed
    }
}

/// Logs what librdkafka tells, and counts deliveries.
pub struct Events {
    tally: watch::Sender<Tally>,
    outage: Mutex<Outage>,
}

#[derive(Default)]
struct Outage {
    /// The errors logged since it began, as (code, broker).
    logged: Vec<(RDKafkaErrorCode, String)>,
    all_brokers_down: bool,
}

impl Events {
    /// Also gives the receiver that follows the count.
    pub fn new() -> (Self, watch::Receiver<Tally>) {
        let (tally, following) = watch::channel(Tally::default());
        let outage = Mutex::default();
        (Self { tally, outage }, following)
    }

    fn with_outage<T>(&self, act: impl FnOnce(&mut Outage) -> T) -> T {
        // The state is whole between any two statements: a panic elsewhere does not spoil it.
        act(&mut self.outage.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outage {
    /// Whether an error is news.
    fn notice(&mut self, code: RDKafkaErrorCode, reason: &str) -> bool {
        self.all_brokers_down |= code == RDKafkaErrorCode::AllBrokersDown;
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
        if self.all_brokers_down {
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
        if !self.with_outage(|outage| outage.notice(code, reason)) {
            debug!("librdkafka again: {reason}");
        } else if code == RDKafkaErrorCode::AllBrokersDown {
            error!("no broker can be reached; messages are kept until one is back ({reason})");
        } else {
            warn!("librdkafka: {reason}");
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // The same failure comes as an error too, and is logged there.
            _ if facility == "FAIL" => debug!("librdkafka: {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => error!("librdkafka: {message}"),
            RDKafkaLogLevel::Warning => warn!("librdkafka: {message}"),
            _ => debug!("librdkafka: {message}"),
        }
    }
}

impl ProducerContext for Events {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                if self.with_outage(Outage::end) {
                    info!("a broker is back");
                }
                info!("delivered to {}", Shown(message));
                self.tally.send_modify(|tally| tally.delivered += 1);
            }
            Err((error, message)) => {
                match error.rdkafka_error_code() {
                    // Thrown away at the end: the last line tells how many.
                    Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {}
                    _ => error!("not delivered to {}: {error}", Shown(message)),
                }
                self.tally.send_modify(|tally| tally.failed += 1);
            }
        }
    }
}

/// A message as the log and the embedded broker's reader show it: `topic [partition] @ offset: text`.
pub struct Shown<'a, M>(pub &'a M);

impl<M: Message> std::fmt::Display for Shown<'_, M> {
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
