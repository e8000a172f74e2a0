//! Messages that a broker rejects, or that are sent with wrong settings. The reporter reports each
//! of them as lost, with the reason.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use end_to_end::certificate::{OPENSSL, certificates};
use end_to_end::kafka::{Kafka, Listener, USER};
use end_to_end::reporter::{Ended, Reporter, Running};
use end_to_end::requirement::met;
use end_to_end::sequence::fixture;

/// Waits until the log contains these words.
fn wait_for(running: &Running, words: &str) -> Result<()> {
    for _ in 0..600 {
        if running.log()?.contains(words) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{words:?} is not in the log:\n{}", running.log()?)
}

/// Checks that the last line reports all messages as lost, and that the topic is empty. Returns the
/// number of messages.
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
fn reports_messages_to_a_missing_topic_as_lost() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[("auto.create.topics.enable", "false")])? else {
        return Ok(());
    };
    let host = format!("--env=KAFKA_HOST={}", kafka.address(Listener::Plaintext));
    let ended = reporter
        .start(
            &[
                &host,
                // How long a topic may be unknown. The default is half a minute.
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
fn reports_messages_that_are_too_large_as_lost() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
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

/// Reports until the log contains these words, then stops the reporter. No message may arrive.
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

/// Options that mount an authority's certificate into the container.
fn trust(authority: &Path) -> [String; 2] {
    [
        format!("--volume={}:/ca.crt:ro", authority.display()),
        "--env=KAFKA_SSL_CA_LOCATION=/ca.crt".into(),
    ]
}

#[test]
fn reports_a_wrong_password() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
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
fn reports_an_expired_broker_certificate() -> Result<()> {
    if !met(&[OPENSSL])? {
        return Ok(());
    }
    let expired = tempfile::tempdir()?;
    let at = |name: &str| expired.path().join(name);
    certificates(expired.path(), -1)?;
    let keystore = at("server.pem").display().to_string();
    let Some((kafka, reporter)) = fixture(&[("ssl.keystore.location", &keystore)])? else {
        return Ok(());
    };
    let [volume, location] = trust(&at("ca.crt"));
    let options = [&volume, &location, "--env=KAFKA_SECURITY_PROTOCOL=SSL"];
    let words = "certificate verify failed";
    assert_nothing_arrives(&reporter, &kafka, Listener::Ssl, &options, words)
}

#[test]
fn reports_a_broker_certificate_of_another_authority() -> Result<()> {
    let Some((kafka, reporter)) = fixture(&[])? else {
        return Ok(());
    };
    let foreign = tempfile::tempdir()?;
    certificates(foreign.path(), 2)?;
    let [volume, location] = trust(&foreign.path().join("ca.crt"));
    let options = [&volume, &location, "--env=KAFKA_SECURITY_PROTOCOL=SSL"];
    let words = "certificate verify failed";
    assert_nothing_arrives(&reporter, &kafka, Listener::Ssl, &options, words)
}
