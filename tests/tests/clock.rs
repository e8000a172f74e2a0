//! Delivery when the machine's clock is set back, as by NTP after a boot with a wrong time. A wait
//! until a time of day would then last an hour too long. librdkafka waits in this way while a
//! broker is unreachable.

use std::fs;
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::kafka::Listener;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use end_to_end::sequence::{ensure_delivered, fixture, start, wait_for};

const HOUR: i64 = 3600;

#[test]
fn delivers_everything_if_the_clock_is_set_back_while_the_broker_is_down() -> Result<()> {
    if !met(&[Requirement::Program("cc", "gcc libc6-dev")])? {
        return Ok(());
    }
    let Some((mut kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name).display().to_string();
    Command::new("cc")
        .args(["-shared", "-fPIC", "-o", &at("step.so")])
        .arg(repository().join("tests/clock/step.c"))
        .text()?;
    fs::write(at("step"), 0_i64.to_ne_bytes())?;

    let options = [
        &format!("--volume={}:/step.so:ro", at("step.so")),
        "--env=LD_PRELOAD=/step.so",
        &format!("--volume={}:/step:ro", at("step")),
        "--env=CLOCK_STEP=/step",
    ];
    let arguments = ["--interval=10ms", "--count=600"];
    let address = kafka.address(Listener::Plaintext);
    let running = start(&reporter, address, &options, &arguments)?;
    wait_for(&kafka, 200)?;
    kafka.stop()?;
    fs::write(at("step"), (-HOUR).to_ne_bytes())?;
    kafka.start_again()?;
    wait_for(&kafka, 400)?;
    ensure_delivered(&kafka, &running.wait()?, 600)?;

    let records = kafka.read("info")?;
    let steps: Vec<i64> = records
        .windows(2)
        .map(|pair| pair[1].timestamp - pair[0].timestamp)
        .filter(|step| *step < 0)
        .collect();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(steps[0] < (60 - HOUR) * 1000, "{steps:?}");
    Ok(())
}
