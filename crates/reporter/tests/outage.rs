//! Tests with unreachable brokers, and brokers that go down and come back.

// clippy's exception for tests covers test functions only.
#![allow(clippy::unwrap_used)]

mod running;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use running::reporter;

type Kafka = MockCluster<'static, DefaultProducerContext>;

/// A cluster of one broker with the topic `info`. One partition, so that messages keep their order.
fn kafka() -> Kafka {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("info", 1, 1).unwrap();
    kafka
}

/// Returns a loopback address without a listener.
fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Forwards connections from `from` to `to`.
fn forward(from: SocketAddr, to: String) {
    let listener = TcpListener::bind(from).unwrap();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(&to) else {
                continue;
            };
            relay(&near, &far);
            relay(&far, &near);
        }
    });
}

fn relay(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || io::copy(&mut from, &mut to));
}

/// Reads the first `count` messages of the topic with a consumer and returns their Kafka
/// timestamps.
fn timestamps(kafka: &Kafka, count: usize) -> Vec<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut whole = TopicPartitionList::new();
    whole
        .add_partition_offset("info", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&whole).unwrap();
    (0..count)
        .map(|_| {
            let message = consumer.poll(Duration::from_secs(60)).unwrap().unwrap();
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            let time = text.strip_prefix("Time: ").unwrap();
            let time = time.split(',').next().unwrap();
            let time = chrono::DateTime::parse_from_rfc3339(time).unwrap();
            let timestamp = message.timestamp().to_millis().unwrap();
            assert_eq!(time.timestamp(), timestamp / 1000, "{text}");
            timestamp
        })
        .collect()
}

#[test]
fn delivers_messages_queued_during_an_outage_in_order() {
    let (kafka, address) = (kafka(), unused_address());
    let mut running = reporter(
        &["--count=20", "--interval=20ms", "--flush-timeout=100s"],
        &[("KAFKA_HOST", &address.to_string())],
    );
    running.wait_for_log("no broker can be reached");
    forward(address, kafka.bootstrap_servers());
    running.wait_for_log("messages are delivered again");
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let read = timestamps(&kafka, 20);
    assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
}

#[test]
fn continues_after_a_broker_restart() {
    let kafka = kafka();
    let mut running = reporter(
        &["--interval=20ms", "--flush-timeout=100s"],
        &[("KAFKA_HOST", &kafka.bootstrap_servers())],
    );
    running.wait_for_log("delivered to info [0] @ 3");
    kafka.broker_down(-1).unwrap();
    running.wait_for_log("no broker can be reached");
    kafka.broker_up(-1).unwrap();
    running.wait_for_log("messages are delivered again");
    running.signal(libc::SIGTERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    let count = last.split("all ").nth(1).unwrap().split(' ').next();
    let read = timestamps(&kafka, count.unwrap().parse().unwrap());
    assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
}

#[test]
fn sigterm_without_a_broker_reports_the_number_of_lost_messages() {
    let host = unused_address().to_string();
    let mut running = reporter(
        &["--interval=1h", "--flush-timeout=0"],
        &[("KAFKA_HOST", &host)],
    );
    running.wait_for_log("no broker can be reached");
    running.signal(libc::SIGTERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    assert!(
        last.ends_with("1 of 1 messages could not be delivered"),
        "{last}"
    );
}

#[test]
fn reports_unacknowledged_messages_separately() {
    let kafka = kafka();
    let mut running = reporter(
        &["--interval=500ms", "--flush-timeout=0"],
        &[("KAFKA_HOST", &kafka.bootstrap_servers())],
    );
    running.wait_for_log("delivered to info [0] @ 0");
    // Messages sent from now on are acknowledged too late, and the broker is down for retries.
    kafka
        .broker_round_trip_time(-1, Duration::from_secs(3600))
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    kafka.broker_down(-1).unwrap();
    running.wait_for_log("no broker can be reached");
    running.signal(libc::SIGTERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    assert!(last.ends_with("of them may have arrived"), "{last}");
}

#[test]
fn waits_at_most_the_grace_period_after_the_last_message() {
    let host = unused_address().to_string();
    let arguments = ["--count=3", "--interval=0", "--flush-timeout=500ms"];
    let ended = reporter(&arguments, &[("KAFKA_HOST", &host)]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    let all = "the grace period of 500ms is over; 3 of 3 messages could not be delivered";
    assert!(last.ends_with(all), "{last}");
}

#[test]
fn second_signal_exits_without_waiting() {
    let host = unused_address().to_string();
    let mut running = reporter(&["--flush-timeout=1h"], &[("KAFKA_HOST", &host)]);
    running.wait_for_log("no broker can be reached");
    running.signal(libc::SIGINT);
    running.wait_for_log("SIGINT: delivering what is in flight");
    running.signal(libc::SIGINT);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn reports_too_few_in_sync_replicas() {
    let kafka = kafka();
    let mut running = reporter(
        &["--interval=100ms"],
        &[("KAFKA_HOST", &kafka.bootstrap_servers())],
    );
    running.wait_for_log("delivered to info [0] @ 3");
    let too_few = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    kafka.request_errors(RDKafkaApiKey::Produce, &[too_few; 10_000]);
    running.wait_for_log("nothing was delivered for 30s");
    kafka.clear_request_errors(RDKafkaApiKey::Produce);
    running.wait_for_log("messages are delivered again");
    running.signal(libc::SIGTERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn logs_an_outage_once() {
    let host = unused_address().to_string();
    let arguments = ["--count=1", "--flush-timeout=5s"];
    let ended = reporter(&arguments, &[("KAFKA_HOST", &host)]).end();
    let lines = |text: &str| ended.stderr.iter().filter(|l| l.contains(text)).count();
    assert_eq!(lines("Connection refused"), 1, "{ended:?}");
    assert_eq!(lines("no broker can be reached"), 1, "{ended:?}");
}

#[test]
fn logs_a_full_queue_and_counts_every_message() {
    let host = unused_address().to_string();
    let arguments = ["--interval=0", "--flush-timeout=0"];
    let mut running = reporter(&arguments, &[("KAFKA_HOST", &host)]);
    running.wait_for_log("10000 messages wait for a broker and no more fit");
    running.signal(libc::SIGTERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    // One more than the capacity: the message that waited for space.
    let all = "10001 of 10001 messages could not be delivered";
    assert!(last.ends_with(all), "{last}");
}
