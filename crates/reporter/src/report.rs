//! The run of the program: report until it is enough or someone asks to stop, then see
//! everything delivered.

use std::future::pending;

use anyhow::{Result, anyhow, bail};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::info;

use crate::config::{Brokers, Config};
use crate::embedded::EmbeddedBroker;
use crate::message::Reporter;
use crate::producer::Producer;
use crate::stop::Stop;

/// Reports as configured. It is an error when any message was not delivered, or when the
/// embedded broker's messages could not be read back.
pub async fn run(config: &Config, stop: &mut Stop) -> Result<()> {
    let (mut embedded, bootstrap) = match &config.brokers {
        Brokers::Embedded => {
            let broker = EmbeddedBroker::start(&config.topic)?;
            let address = broker.address();
            (Some(broker), address)
        }
        Brokers::Remote(hosts) => (None, hosts.to_string()),
    };
    let mut producer = Producer::new(&bootstrap, config.topic.as_str())?;
    info!("reporting to topic {} on {bootstrap}", config.topic);

    let mut signalled = false;
    let reported = tokio::select! {
        // In this order: the first message is sent even when the signal is there already.
        biased;
        sent = send_all(config, &mut producer) => sent,
        printed = print_all(embedded.as_mut()) => printed,
        signal = stop.asked() => {
            info!("{signal}: delivering what is in flight");
            signalled = true;
            Ok(())
        }
    };
    let reader = embedded.as_mut().filter(|_| reported.is_ok());
    let finished = tokio::select! {
        finished = finish(&mut producer, reader) => finished,
        () = sleep(config.flush_timeout) => Err(anyhow!(
            "the grace period of {:?} is over", config.flush_timeout
        )),
        signal = second_signal(stop, signalled) => Err(anyhow!(
            "{signal} again, so not waiting any longer"
        )),
    };
    all([reported, finished, producer.close()])
}

/// Sends the messages that are wanted, one each interval, the first at once.
async fn send_all(config: &Config, producer: &mut Producer) -> Result<()> {
    let reporter = Reporter::this_process();
    let mut ticks = (!config.interval.is_zero())
        .then(|| interval_at(Instant::now() + config.interval, config.interval));
    if let Some(ticks) = &mut ticks {
        // After a wait for room in the queue there is no use in a burst.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    }
    let mut left = config.count;
    loop {
        producer.send(&reporter.now()).await?;
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(());
        }
        match &mut ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            // Signals must be heard all the same.
            None => tokio::task::yield_now().await,
        }
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
async fn finish(producer: &mut Producer, embedded: Option<&mut EmbeddedBroker>) -> Result<()> {
    producer.settled().await;
    match embedded {
        Some(broker) => broker.print_until(producer.delivered()).await,
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
