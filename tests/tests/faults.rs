//! What becomes of messages when brokers and networks fail under way: each message has a number, and
//! a consumer must find all of them, each once, in order.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use end_to_end::kafka::{Kafka, Listener};
use end_to_end::proxy::{Cut, Proxy};
use end_to_end::reporter::{Ended, Running};
use end_to_end::sequence::{ensure_delivered, ensure_in_order, numbers, scene, start, wait_for};

#[test]
fn a_broker_that_is_killed_and_then_shut_down_under_load_loses_doubles_and_reorders_nothing()
-> Result<()> {
    let Some((mut kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    let running = start(
        &reporter,
        kafka.address(Listener::Plaintext),
        // Small batches: the load goes on for seconds, and some are under way at any time.
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
fn a_broker_that_hangs_for_a_minute_loses_doubles_and_reorders_nothing() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
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
fn a_cluster_that_has_no_broker_again_and_again_loses_doubles_and_reorders_nothing() -> Result<()> {
    // For two seconds of four the controller takes the broker for dead, and its clients are told so.
    let too_seldom = [
        ("broker.heartbeat.interval.ms", "4000"),
        ("broker.session.timeout.ms", "2000"),
    ];
    let Some((kafka, reporter)) = scene(&too_seldom)? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=100ms", "--count=400"];
    let running = start(&reporter, address, &[], &arguments)?;
    ensure_delivered(&kafka, &running.wait()?, 400)
}

#[test]
fn connections_that_are_cut_half_way_lose_double_and_reorder_nothing() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
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

/// Asks the reporter to end while its broker is away. Gives how many messages it says that it could
/// not deliver, and of how many.
fn end_without_a_broker(running: Running<'_>) -> Result<(u64, u64)> {
    // Some more messages, that nobody takes.
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

/// A message that it reports as undelivered may have arrived, if the broker went away before it could
/// say so. One that it does not report has arrived; and what arrived has no gaps.
fn assert_no_loss_is_concealed(kafka: &Kafka, (lost, all): (u64, u64)) -> Result<()> {
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
fn sigterm_while_the_broker_is_down_ends_it_with_every_loss_reported() -> Result<()> {
    let Some((mut kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=5ms", "--flush-timeout=2s"];
    let running = start(&reporter, address, &[], &arguments)?;
    wait_for(&kafka, 100)?;
    kafka.kill()?;
    let reported = end_without_a_broker(running)?;
    kafka.start_again()?;
    assert_no_loss_is_concealed(&kafka, reported)
}

#[test]
fn sigterm_while_the_broker_hangs_ends_it_with_every_loss_reported() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    let address = kafka.address(Listener::Plaintext);
    let arguments = ["--interval=5ms", "--flush-timeout=2s"];
    let running = start(&reporter, address, &[], &arguments)?;
    wait_for(&kafka, 100)?;
    kafka.pause()?;
    let reported = end_without_a_broker(running)?;
    kafka.resume()?;
    assert_no_loss_is_concealed(&kafka, reported)
}
