//! What librdkafka itself knows of its properties, so that no list of them is kept here.
//!
//! Their meaning is told in librdkafka's CONFIGURATION.md.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_conf, rd_kafka_conf_dump, rd_kafka_conf_dump_free, rd_kafka_conf_t, rd_kafka_flush,
    rd_kafka_message_status, rd_kafka_msg_status_t, rd_kafka_topic_conf_destroy,
    rd_kafka_topic_conf_dump, rd_kafka_topic_conf_new,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, NativeClientConfig};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaConfRes;

/// Names that mean the property of another name, of those that a producer heeds.
const ALIASES: [(&str, &str); 8] = [
    ("acks", "request.required.acks"),
    ("bootstrap.servers", BROKERS),
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
];

/// The property that lists the brokers; `bootstrap.servers` is its better known name.
pub const BROKERS: &str = "metadata.broker.list";

/// Properties that librdkafka does not list while they are not set, of those that people often set.
const UNLISTED: [&str; 12] = [
    BROKERS,
    "debug",
    "sasl.password",
    "sasl.username",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
];

/// The one name of a property that has several.
pub fn canonical(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, name)| name)
}

/// The properties that have a value if nothing is set, and that value.
pub fn defaults() -> Result<BTreeMap<String, String>, KafkaError> {
    let native = ClientConfig::new().create_native_config()?;
    // SAFETY: it is freed at the end of this function.
    let mut all = unsafe { of_client(native.ptr()) };
    all.extend(of_topics());
    Ok(all)
}

/// Names that somebody may have meant who wrote another.
pub fn well_known_names<'a>() -> impl Iterator<Item = &'a str> {
    ALIASES.iter().map(|(alias, _)| *alias).chain(UNLISTED)
}

/// Whether there is such a property.
pub fn is_known(name: &str) -> bool {
    !matches!(
        set(name, ""),
        Err(KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
            ..
        ))
    )
}

/// Checks a value of a property; the error says what is wrong with it.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    let native = set(name, value).map_err(|error| match error {
        KafkaError::ClientConfig(_, reason, ..) => reason,
        // a zero byte
        error => error.to_string(),
    })?;
    // Of `30s` librdkafka takes the 30, and of a number beyond 32 bits the lower ones.
    let looks_like_number = value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let taken = native.get(name).unwrap_or_default();
    match taken.parse::<f64>() {
        Ok(taken) if looks_like_number && value.parse() != Ok(taken) => Err(format!(
            "{name} takes a number alone, without a unit, and would be {taken} with this one"
        )),
        _ => Ok(()),
    }
}

fn set(name: &str, value: &str) -> Result<NativeClientConfig, KafkaError> {
    let mut config = ClientConfig::new();
    config.set(name, value).create_native_config()
}

/// The properties that hold in a client: some follow from others.
pub fn in_force<C: ClientContext>(client: &Client<C>) -> BTreeMap<String, String> {
    // SAFETY: the client, and with it its configuration, outlives this function.
    unsafe { of_client(rd_kafka_conf(client.native_ptr())) }
}

/// Has the client send at once what waits for more, until all is settled or the time is over. In the
/// meantime someone must poll.
pub fn flush<C: ClientContext>(client: &Client<C>, time: Duration) {
    let millis = time.as_millis().try_into().unwrap_or(i32::MAX);
    // SAFETY: the client outlives this call.
    unsafe { rd_kafka_flush(client.native_ptr(), millis) };
}

/// Of a message that was not delivered: whether it cannot have arrived all the same.
pub fn was_never_sent(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the message is there as long as it is borrowed.
    let status = unsafe { rd_kafka_message_status(message.ptr()) };
    status == rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// # Safety
///
/// The configuration must not be freed meanwhile.
unsafe fn of_client(config: *const rd_kafka_conf_t) -> BTreeMap<String, String> {
    let mut count = 0;
    // SAFETY: the configuration is there, by this function's contract, and is not changed in spite of
    // the type; `count` is written only. The dump was just made, with this count, for nobody else.
    unsafe {
        let dump = rd_kafka_conf_dump(config.cast_mut(), &raw mut count);
        pairs(dump, count)
    }
}

fn of_topics() -> BTreeMap<String, String> {
    let mut count = 0;
    // SAFETY: the configuration that is made is destroyed once, after its last use, and `count` is
    // written only.
    let dump = unsafe {
        let config = rd_kafka_topic_conf_new();
        let dump = rd_kafka_topic_conf_dump(config, &raw mut count);
        rd_kafka_topic_conf_destroy(config);
        dump
    };
    // SAFETY: it was just made, with this count, and nobody else has it.
    unsafe { pairs(dump, count) }
}

/// Takes a dump apart into names and values, and frees it.
///
/// # Safety
///
/// `dump` must come from a function of librdkafka that dumps, with this count, and not be used again.
unsafe fn pairs(dump: *mut *const c_char, count: usize) -> BTreeMap<String, String> {
    // SAFETY: by the contract of the dump there are `count` strings that end with zero.
    let texts = (0..count).map(|at| unsafe { CStr::from_ptr(*dump.add(at)) });
    let texts: Vec<_> = texts.map(|text| text.to_string_lossy()).collect();
    let pairs = texts
        .chunks_exact(2)
        .map(|pair| (pair[0].to_string(), pair[1].to_string()))
        .collect();
    drop(texts);
    // SAFETY: nothing that is borrowed of it is left.
    unsafe { rd_kafka_conf_dump_free(dump, count) };
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_clients_and_of_topics_are_known() {
        let all = defaults().unwrap();
        assert_eq!(all["enable.idempotence"], "false");
        assert_eq!(all["message.timeout.ms"], "300000");
        assert!(
            well_known_names()
                .chain(all.keys().map(String::as_str))
                .all(is_known)
        );
        assert!(!is_known("sasl.pasword"));
    }

    #[test]
    fn an_alias_is_another_name_of_a_property() {
        for (alias, name) in ALIASES {
            let value = match check(name, "1") {
                Ok(()) => "1",
                Err(_) => "zstd",
            };
            // A topic's property can be read when there is one of them.
            let native = ClientConfig::new()
                .set("partitioner", "random")
                .set(alias, value)
                .create_native_config();
            assert_eq!(native.unwrap().get(name).unwrap(), value, "{alias}");
        }
    }
}
