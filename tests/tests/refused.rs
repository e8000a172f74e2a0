//! What becomes of messages that a broker refuses, or that were sent with wrong settings: each of
//! them is told, with the reason, and none is lost without a word.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use end_to_end::certificate::{OPENSSL, certificates};
use end_to_end::kafka::{Kafka, Listener, USER};
use end_to_end::reporter::{Ended, Reporter, Running};
use end_to_end::requirement::met;
use end_to_end::sequence::scene;

/// Waits until the log has these words.
fn wait_for(running: &Running, words: &str) -> Result<()> {
    for _ in 0..600 {
        if running.log()?.contains(words) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{words:?} is not in the log:\n{}", running.log()?)
}

/// The last line tells that no message arrived, and so does a consumer; gives how many there were.
fn assert_all_are_lost(kafka: &Kafka, topic: &str, ended: &Ended) -> Result<u64> {
    let last = ended.log.lines().last().context("no log")?;
    assert_eq!(ended.code, 1, "{}", ended.log);
    let (counts, _) = last.split_once(" messages could not").context("no loss")?;
    let [.., lost, "of", all] = counts.split([' ', '"']).collect::<Vec<_>>()[..] else {
        bail!("{last}");
    };
    assert_eq!(lost, all, "{last}");
    assert_eq!(kafka.end_offset(topic)?, 0, "{}", ended.log);
    Ok(all.parse()?)
}

#[test]
fn messages_to_a_topic_that_does_not_exist_are_told_to_be_lost() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[("auto.create.topics.enable", "false")])? else {
        return Ok(());
    };
    let host = format!("--env=KAFKA_HOST={}", kafka.address(Listener::Plaintext));
    let ended = reporter
        .start(
            &[
                &host,
                // how long a topic may be unknown; half a minute by default
                "--env=KAFKA_TOPIC_METADATA_PROPAGATION_MAX_MS=1000",
            ],
            &["--topic=nowhere", "--count=5", "--interval=10ms"],
        )?
        .wait()?;
    assert!(ended.log.contains("nowhere"), "{}", ended.log);
    assert!(ended.log.contains("Unknown topic"), "{}", ended.log);
    assert_eq!(assert_all_are_lost(&kafka, "nowhere", &ended)?, 5);
    Ok(())
}

#[test]
fn messages_that_are_too_large_for_the_topic_are_told_to_be_lost() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    kafka.create_topic("narrow", 1, &[("max.message.bytes", "80")])?;
    let host = format!("--env=KAFKA_HOST={}", kafka.address(Listener::Plaintext));
    let arguments = ["--topic=narrow", "--count=20", "--interval=10ms"];
    let ended = reporter.start(&[&host], &arguments)?.wait()?;
    assert!(ended.log.contains("too large"), "{}", ended.log);
    assert_eq!(assert_all_are_lost(&kafka, "narrow", &ended)?, 20);
    Ok(())
}

/// Reports in vain until the log has these words, then asks the reporter to end.
fn assert_nothing_arrives(
    reporter: &Reporter,
    kafka: &Kafka,
    listener: Listener,
    options: &[&str],
    words: &str,
) -> Result<()> {
    let host = format!("--env=KAFKA_HOST={}", kafka.address(listener));
    let running = reporter.start(
        &[&[host.as_str()], options].concat(),
        &["--interval=10ms", "--flush-timeout=500ms"],
    )?;
    wait_for(&running, words)?;
    running.terminate()?;
    assert_all_are_lost(kafka, "info", &running.wait()?).map(drop)
}

/// Options that bring an authority's certificate into the container.
fn trust(authority: &Path) -> [String; 2] {
    [
        format!("--volume={}:/ca.crt:ro", authority.display()),
        "--env=KAFKA_SSL_CA_LOCATION=/ca.crt".into(),
    ]
}

#[test]
fn a_wrong_password_is_told_and_nothing_arrives() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    let [volume, location] = trust(&kafka.authority());
    let (user, password) = USER;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("password");
    fs::write(&file, format!("{password}!"))?;
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let options = [
            &volume,
            &location,
            "--env=KAFKA_SECURITY_PROTOCOL=SASL_SSL",
            &format!("--env=KAFKA_SASL_MECHANISM={mechanism}"),
            &format!("--env=KAFKA_SASL_USERNAME={user}"),
            &format!("--volume={}:/password:ro", file.display()),
            "--env=KAFKA_SASL_PASSWORD_FILE=/password",
        ];
        let words = "uthentication failed";
        assert_nothing_arrives(&reporter, &kafka, Listener::SaslSsl, &options, words)
            .context(mechanism)?;
    }
    Ok(())
}

#[test]
fn a_brokers_certificate_that_has_expired_is_told_and_nothing_arrives() -> Result<()> {
    if !met(&[OPENSSL])? {
        return Ok(());
    }
    let expired = tempfile::tempdir()?;
    let at = |name: &str| expired.path().join(name);
    certificates(expired.path(), -1)?;
    let keystore = at("server.pem").display().to_string();
    let Some((kafka, reporter)) = scene(&[("ssl.keystore.location", &keystore)])? else {
        return Ok(());
    };
    let [volume, location] = trust(&at("ca.crt"));
    let options = [&volume, &location, "--env=KAFKA_SECURITY_PROTOCOL=SSL"];
    let words = "certificate verify failed";
    assert_nothing_arrives(&reporter, &kafka, Listener::Ssl, &options, words)
}

#[test]
fn a_brokers_certificate_of_a_foreign_authority_is_told_and_nothing_arrives() -> Result<()> {
    let Some((kafka, reporter)) = scene(&[])? else {
        return Ok(());
    };
    let foreign = tempfile::tempdir()?;
    certificates(foreign.path(), 2)?;
    let [volume, location] = trust(&foreign.path().join("ca.crt"));
    let options = [&volume, &location, "--env=KAFKA_SECURITY_PROTOCOL=SSL"];
    let words = "certificate verify failed";
    assert_nothing_arrives(&reporter, &kafka, Listener::Ssl, &options, words)
}
