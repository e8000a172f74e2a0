//! Runs the program: sends messages until the count is reached or a signal arrives, then waits
//! until everything is delivered.

use std::future::pending;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::info;

use crate::config::Config;
use crate::delivery_tracker::DeliveryTracker;
use crate::embedded::EmbeddedBroker;
use crate::health;
use crate::librdkafka::BROKERS;
use crate::message::Reporter;
use crate::metrics::Metrics;
use crate::producer::Producer;
use crate::shutdown::Shutdown;

/// Interval of progress log lines, used when single deliveries are not logged.
const PROGRESS: Duration = Duration::from_secs(10);

/// All parts of a run, ready to start.
pub struct Report<'a> {
    config: &'a Config,
    producer: Producer,
    embedded: Option<EmbeddedBroker>,
}

impl<'a> Report<'a> {
    /// Creates the producer and the servers. Returns an error if the configuration cannot be
    /// applied; nothing has been sent then.
    pub async fn prepare(config: &'a Config) -> Result<Self> {
        let (embedded, properties) = match config.embedded_broker {
            true => {
                let broker = EmbeddedBroker::start(&config.topic)?;
                let properties = config.properties.with_brokers(&broker.address());
                (Some(broker), properties)
            }
            false => (None, config.properties.clone()),
        };
        let log_deliveries = !config.interval.is_zero();
        let producer = Producer::new(&properties, config.topic.as_str(), log_deliveries)?;
        if let Some(port) = config.http_port {
            let metrics = Metrics::new(producer.events().clone(), producer.capacity());
            health::start(port, metrics).await?;
        }
        let brokers = properties.get(BROKERS).map_or("", |setting| &setting.value);
        info!("reporting to topic {} on {brokers}", config.topic);
        Ok(Self {
            config,
            producer,
            embedded,
        })
    }

    /// Runs as configured. Returns an error if a message was not delivered, or if messages of the
    /// embedded broker could not be read back.
    pub async fn run(mut self, stop: &mut Shutdown) -> Result<()> {
        let (config, producer) = (self.config, &mut self.producer);
        let mut signalled = false;
        let events = producer.events().clone();
        let reported = tokio::select! {
            // Poll in this order, so that the first message is sent even if a signal is pending.
            biased;
            sent = send_all(config, producer) => sent,
            printed = print_all(self.embedded.as_mut()) => printed,
            signal = stop.asked() => {
                info!("{signal}: delivering what is in flight");
                signalled = true;
                Ok(())
            }
            () = tell_progress(config, &events.tracker) => Ok(()),
        };
        let reader = self.embedded.as_mut().filter(|_| reported.is_ok());
        let finished = tokio::select! {
            finished = finish(producer, reader, config.flush_timeout) => finished,
            () = sleep(config.flush_timeout) => Err(anyhow!(
                "the grace period of {:?} is over", config.flush_timeout
            )),
            signal = second_signal(stop, signalled) => Err(anyhow!(
                "{signal} again, so not waiting any longer"
            )),
        };
        all([reported, finished, self.producer.close().await])
    }
}

/// Sends the messages, the first immediately and then one per interval.
async fn send_all(config: &Config, producer: &mut Producer) -> Result<()> {
    let mut reporter = Reporter::this_process(config.format);
    let mut ticks = (!config.interval.is_zero())
        .then(|| interval_at(Instant::now() + config.interval, config.interval));
    if let Some(ticks) = &mut ticks {
        // Do not send a burst after waiting for space in the queue.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    }
    let mut sent = 0;
    loop {
        producer.send(&reporter.now()).await?;
        sent += 1;
        if config.count == Some(sent) {
            return Ok(());
        }
        match &mut ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            // Yield, so that signals and HTTP requests are handled.
            None if sent % 1000 == 0 => yield_now().await,
            None => {}
        }
    }
}

/// Logs the progress periodically if deliveries are not logged. Never returns.
async fn tell_progress(config: &Config, tracker: &DeliveryTracker) {
    if !config.interval.is_zero() {
        return pending().await;
    }
    let mut ticks = interval_at(Instant::now() + PROGRESS, PROGRESS);
    loop {
        ticks.tick().await;
        let (delivered, lost, waiting) = (tracker.delivered(), tracker.lost(), tracker.waiting());
        info!(
            delivered,
            lost, waiting, "{delivered} messages were delivered, {waiting} wait"
        );
    }
}

/// Waits for the second signal. The first one requests the delivery of messages in flight.
async fn second_signal(stop: &mut Shutdown, signalled: bool) -> &'static str {
    if !signalled {
        stop.asked().await;
    }
    stop.asked().await
}

/// Prints the messages that the consumer reads until an error. Never returns without an embedded
/// broker.
async fn print_all(embedded: Option<&mut EmbeddedBroker>) -> Result<()> {
    match embedded {
        Some(broker) => broker.print_until(u64::MAX).await,
        None => pending().await,
    }
}

/// Waits until all messages are delivered, and read back if there is a consumer.
async fn finish(
    producer: &Producer,
    embedded: Option<&mut EmbeddedBroker>,
    time: Duration,
) -> Result<()> {
    producer.flush(time).await?;
    match embedded {
        Some(broker) => broker.print_until(producer.tracker().delivered()).await,
        None => Ok(()),
    }
}

/// Combines the errors into one, on one line.
fn all(results: [Result<()>; 3]) -> Result<()> {
    let errors: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    if !errors.is_empty() {
        bail!("{}", errors.join("; "));
    }
    Ok(())
}
