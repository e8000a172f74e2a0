//! The reporter's metrics in the OpenMetrics 1.0 format of Prometheus.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::brokers::Broker;
use crate::events::Events;

/// Metrics of a running producer.
pub struct Metrics {
    events: Arc<Events>,
    registry: Registry,
}

impl Metrics {
    /// Creates the metrics. `capacity` is the number of messages that may wait.
    pub fn new(events: Arc<Events>, capacity: u64) -> Self {
        let mut registry = Registry::with_prefix("reporter");
        let figures = Figures {
            events: events.clone(),
            capacity,
        };
        registry.register_collector(Box::new(figures));
        Self { events, registry }
    }

    /// Reports whether messages are being delivered.
    pub fn ready(&self) -> bool {
        self.events.ready()
    }

    /// Encodes the current values.
    pub fn encode(&self) -> Result<String, Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[derive(Debug)]
struct Figures {
    events: Arc<Events>,
    capacity: u64,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let tracker = &self.events.tracker;
        // Load the settled messages first, so that `delivered` never exceeds `produced`.
        let (delivered, failed) = (tracker.delivered(), tracker.lost());
        for (name, help, count) in [
            (
                "messages_produced",
                "Messages taken to be sent",
                tracker.taken(),
            ),
            (
                "messages_delivered",
                "Messages that a broker confirmed",
                delivered,
            ),
            (
                "messages_failed",
                "Messages lost, or of an unknown fate",
                failed,
            ),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        for (name, help, count) in [
            (
                "queue_messages",
                "Messages that wait for a broker",
                tracker.waiting(),
            ),
            (
                "queue_capacity",
                "Messages that may wait for a broker",
                self.capacity,
            ),
            (
                "ready",
                "Whether messages are being delivered",
                self.events.ready().into(),
            ),
        ] {
            gauge(&mut encoder, name, help, count)?;
        }
        let latency = encoder.encode_descriptor(
            "delivery_latency",
            "From when a message was taken to when a broker had confirmed it",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        tracker.latency.encode(latency)?;
        match &*self.events.brokers() {
            Some(brokers) => encode_brokers(&mut encoder, brokers),
            None => Ok(()),
        }
    }
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> Result<(), Error> {
    // Encode as a float, because the value of an unlimited queue exceeds the signed integers.
    let gauge = ConstGauge::new(value as f64);
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn encode_brokers(encoder: &mut DescriptorEncoder, brokers: &[Broker]) -> Result<(), Error> {
    let mut up = encoder.encode_descriptor(
        "broker_up",
        "Whether there is a connection to the broker",
        None,
        MetricType::Gauge,
    )?;
    for broker in brokers {
        let is_up = ConstGauge::new(i64::from(broker.is_up));
        is_up.encode(up.encode_family(&[("broker", &*broker.name)])?)?;
    }

    let mut rtt = encoder.encode_descriptor(
        "broker_rtt",
        "Time that the broker took to answer requests lately",
        Some(&Unit::Seconds),
        MetricType::Gauge,
    )?;
    for broker in brokers {
        let Some((half, most)) = broker.rtt else {
            continue;
        };
        for (quantile, seconds) in [("0.5", half), ("0.99", most)] {
            let labels = [("broker", &*broker.name), ("quantile", quantile)];
            ConstGauge::new(seconds).encode(rtt.encode_family(&labels)?)?;
        }
    }

    type Count = fn(&Broker) -> u64;
    let counts: [(_, _, Count); 4] = [
        ("broker_connects", "Connections attempted", |broker| {
            broker.connects
        }),
        ("broker_disconnects", "Connections lost", |broker| {
            broker.disconnects
        }),
        ("broker_retries", "Requests sent again", |broker| {
            broker.retries
        }),
        (
            "broker_timeouts",
            "Requests without an answer in time",
            |broker| broker.timeouts,
        ),
    ];
    for (name, help, of) in counts {
        let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for broker in brokers {
            let labels = [("broker", &*broker.name)];
            ConstCounter::new(of(broker)).encode(counter.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
