//! The run of the program: report until it is enough or someone asks to stop, then see
//! everything delivered.

use std::future::pending;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::info;

use crate::config::Config;
use crate::embedded::EmbeddedBroker;
use crate::ledger::Ledger;
use crate::librdkafka::BROKERS;
use crate::message::Reporter;
use crate::metrics::Metrics;
use crate::producer::Producer;
use crate::stop::Stop;
use crate::watch;

/// How often the count is logged where deliveries are too many to be.
const PROGRESS: Duration = Duration::from_secs(10);

/// Everything that reports, ready to begin.
pub struct Report<'a> {
    config: &'a Config,
    producer: Producer,
    embedded: Option<EmbeddedBroker>,
}

impl<'a> Report<'a> {
    /// It is an error when the configuration asks for what cannot be; nothing was sent then.
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
            watch::start(port, metrics).await?;
        }
        let brokers = properties.get(BROKERS).map_or("", |setting| &setting.value);
        info!("reporting to topic {} on {brokers}", config.topic);
        Ok(Self {
            config,
            producer,
            embedded,
        })
    }

    /// Reports as configured. It is an error when any message was not delivered, or when the
    /// embedded broker's messages could not be read back.
    pub async fn run(mut self, stop: &mut Stop) -> Result<()> {
        let (config, producer) = (self.config, &mut self.producer);
        let mut signalled = false;
        let events = producer.events().clone();
        let reported = tokio::select! {
            // In this order: the first message is sent even when the signal is there already.
            biased;
            sent = send_all(config, producer) => sent,
            printed = print_all(self.embedded.as_mut()) => printed,
            signal = stop.asked() => {
                info!("{signal}: delivering what is in flight");
                signalled = true;
                Ok(())
            }
            () = tell_progress(config, &events.ledger) => Ok(()),
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

/// Sends the messages that are wanted, one each interval, the first at once.
async fn send_all(config: &Config, producer: &mut Producer) -> Result<()> {
    let mut reporter = Reporter::this_process(config.format);
    let mut ticks = (!config.interval.is_zero())
        .then(|| interval_at(Instant::now() + config.interval, config.interval));
    if let Some(ticks) = &mut ticks {
        // After a wait for room in the queue there is no use in a burst.
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
            // Signals must be heard all the same, and clients be answered.
            None if sent % 1000 == 0 => yield_now().await,
            None => {}
        }
    }
}

/// Logs from time to time how far it is, where deliveries are not logged; never ends.
async fn tell_progress(config: &Config, ledger: &Ledger) {
    if !config.interval.is_zero() {
        return pending().await;
    }
    let mut ticks = interval_at(Instant::now() + PROGRESS, PROGRESS);
    loop {
        ticks.tick().await;
        let (delivered, lost, waiting) = (ledger.delivered(), ledger.lost(), ledger.waiting());
        info!(
            delivered,
            lost, waiting, "{delivered} messages were delivered, {waiting} wait"
        );
    }
}

/// Waits for a signal that is not the first, which asks to deliver what is in flight.
async fn second_signal(stop: &mut Stop, signalled: bool) -> &'static str {
    if !signalled {
        stop.asked().await;
    }
    stop.asked().await
}

/// Prints what comes back until it cannot; never ends without an embedded broker.
async fn print_all(embedded: Option<&mut EmbeddedBroker>) -> Result<()> {
    match embedded {
        Some(broker) => broker.print_until(u64::MAX).await,
        None => pending().await,
    }
}

/// Waits until all that was sent is delivered, and is read back if there is a reader.
async fn finish(
    producer: &Producer,
    embedded: Option<&mut EmbeddedBroker>,
    time: Duration,
) -> Result<()> {
    producer.flush(time).await?;
    match embedded {
        Some(broker) => broker.print_until(producer.ledger().delivered()).await,
        None => Ok(()),
    }
}

/// One error that tells all of them, in one line.
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
