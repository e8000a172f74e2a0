//! Delivery when brokers and networks fail. Each message has a number, and a consumer must find
//! every number once and in order.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::proxy::{Cut, Proxy};
use end_to_end::reporter::{Ended, Running};
use end_to_end::sequence::{ensure_delivered, ensure_in_order, fixture, numbers, start, wait_for};

#[test]
fn delivers_everything_if_a_broker_is_killed_and_later_stopped_under_load() -> Result<()> {
    let Some((mut kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let running = start(
        &reporter,
        kafka.address(Listener::Plaintext),
        // Small batches make the load last for seconds, with some batches in flight at any time.
        &["--env=KAFKA_BATCH_NUM_MESSAGES=4"],
        &["--interval=0", "--count=100000"],
    )?;
    wait_for(&kafka, 20_000)?;
    kafka.kill()?;
    kafka.start_again()?;
    wait_for(&kafka, 60_000)?;
    kafka.stop()?;
    assert!(running.is_running()?, "{}", running.log()?);
    kafka.start_again()?;
    ensure_delivered(&kafka, &running.wait()?, 100_000)
}

#[test]
fn delivers_everything_if_a_broker_hangs_for_a_minute() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=100ms", "--count=650"];
    let running = start(&reporter, address, &[], &arguments)?;
    wait_for(&kafka, 20)?;
    kafka.pause()?;
    thread::sleep(Duration::from_secs(60));
    kafka.resume()?;
    ensure_delivered(&kafka, &running.wait()?, 650)
}

#[test]
fn delivers_everything_if_the_cluster_repeatedly_has_no_broker() -> Result<()> {
    // For two of every four seconds, the controller considers the broker dead and tells its
    // clients.
    let rare_heartbeats = [
        ("broker.heartbeat.interval.ms", "4000"),
        ("broker.session.timeout.ms", "2000"),
    ];
    let Some((kafka, reporter)) = fixture(&rare_heartbeats)? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=100ms", "--count=400"];
    let running = start(&reporter, address, &[], &arguments)?;
    ensure_delivered(&kafka, &running.wait()?, 400)
}

#[test]
fn delivers_everything_if_connections_are_cut() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let cuts = [
        (10, Cut::Request),
        (30, Cut::Answer),
        (50, Cut::Request),
        (51, Cut::Answer),
        (52, Cut::Answer),
    ];
    let proxy = Proxy::start(
        kafka.proxy_address(),
        kafka.address(Listener::Proxied),
        &cuts,
    )?;
    let arguments = ["--interval=1ms", "--count=2000"];
    let running = start(&reporter, kafka.proxy_address(), &[], &arguments)?;
    ensure_delivered(&kafka, &running.wait()?, 2000)?;
    assert_eq!(proxy.cuts(), cuts.len());
    Ok(())
}

/// Stops the reporter while its broker is unreachable. Returns how many messages it reports as
/// undelivered, and of how many.
fn end_without_a_broker(running: Running<'_>) -> Result<(u64, u64)> {
    // Wait for some more messages, which cannot be delivered.
    thread::sleep(Duration::from_secs(1));
    running.terminate()?;
    let Ended { code, log } = running.wait()?;
    assert_eq!(code, 1, "{log}");
    let last = log.lines().last().unwrap_or_default();
    let words: Vec<&str> = last.split_whitespace().collect();
    words
        .windows(3)
        .find_map(|words| match words {
            [lost, "of", all] => Some((lost.parse().ok()?, all.parse().ok()?)),
            _ => None,
        })
        .with_context(|| format!("the last line does not say how many of how many: {log}"))
}

/// A message that is reported as undelivered may have arrived, if the broker went away before it
/// acknowledged the message. Every other message must have arrived, and the messages that arrived
/// have no gaps.
fn assert_every_loss_is_reported(kafka: &Kafka, (lost, all): (u64, u64)) -> Result<()> {
    let numbers = numbers(&kafka.read("info")?)?;
    ensure_in_order(&numbers)?;
    let arrived = numbers.len() as u64;
    assert!(lost > 0, "{arrived} of {all} arrived");
    assert!(
        (all - lost..=all).contains(&arrived),
        "{lost} of {all} undelivered, but {arrived} arrived"
    );
    Ok(())
}

#[test]
fn sigterm_while_the_broker_is_down_reports_every_lost_message() -> Result<()> {
    let Some((mut kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=5ms", "--flush-timeout=2s"];
    let running = start(&reporter, address, &[], &arguments)?;
    wait_for(&kafka, 100)?;
    kafka.kill()?;
    let reported = end_without_a_broker(running)?;
    kafka.start_again()?;
    assert_every_loss_is_reported(&kafka, reported)
}

#[test]
fn sigterm_while_the_broker_hangs_reports_every_lost_message() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=5ms", "--flush-timeout=2s"];
    let running = start(&reporter, address, &[], &arguments)?;
    wait_for(&kafka, 100)?;
    kafka.pause()?;
    let reported = end_without_a_broker(running)?;
    kafka.resume()?;
    assert_every_loss_is_reported(&kafka, reported)
}
