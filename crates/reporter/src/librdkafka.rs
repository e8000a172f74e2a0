//! Queries librdkafka for its properties, so that the reporter needs no list of its own.
//!
//! librdkafka's CONFIGURATION.md documents the properties.

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

/// Aliases of properties that affect a producer, with the canonical name.
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

/// Canonical name of the property with the broker list, better known as `bootstrap.servers`.
pub const BROKERS: &str = "metadata.broker.list";

/// Frequently used properties that librdkafka does not list while they are unset.
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

/// Returns the canonical name of a property.
pub fn canonical(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, name)| name)
}

/// Returns librdkafka's properties that have a default, with the default.
pub fn defaults() -> Result<BTreeMap<String, String>, KafkaError> {
    let native = ClientConfig::new().create_native_config()?;
    // SAFETY: it is freed at the end of this function.
    let mut all = unsafe { of_client(native.ptr()) };
    all.extend(of_topics());
    Ok(all)
}

/// Returns names to suggest for misspelt ones.
pub fn well_known_names<'a>() -> impl Iterator<Item = &'a str> {
    ALIASES.iter().map(|(alias, _)| *alias).chain(UNLISTED)
}

/// Reports whether a property exists.
pub fn is_known(name: &str) -> bool {
    !matches!(
        set(name, ""),
        Err(KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
            ..
        ))
    )
}

/// Validates a value of a property. The error states the reason.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    let native = set(name, value).map_err(|error| match error {
        KafkaError::ClientConfig(_, reason, ..) => reason,
        // A NUL byte in the value.
        error => error.to_string(),
    })?;
    // librdkafka reads `30s` as 30, and truncates larger numbers to 32 bits.
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

/// Returns the effective properties of a client, including derived ones.
pub fn in_force<C: ClientContext>(client: &Client<C>) -> BTreeMap<String, String> {
    // SAFETY: the client, and with it its configuration, outlives this function.
    unsafe { of_client(rd_kafka_conf(client.native_ptr())) }
}

/// Makes the client send batched messages immediately, until all are settled or `time` has passed.
/// Another thread must poll in the meantime.
pub fn flush<C: ClientContext>(client: &Client<C>, time: Duration) {
    let millis = time.as_millis().try_into().unwrap_or(i32::MAX);
    // SAFETY: the client outlives this call.
    unsafe { rd_kafka_flush(client.native_ptr(), millis) };
}

/// Reports whether an undelivered message was never sent, so that it cannot have arrived.
pub fn was_never_sent(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the message is valid while it is borrowed.
    let status = unsafe { rd_kafka_message_status(message.ptr()) };
    status == rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// # Safety
///
/// The configuration must stay allocated during the call.
unsafe fn of_client(config: *const rd_kafka_conf_t) -> BTreeMap<String, String> {
    let mut count = 0;
    // SAFETY: by this function's contract the configuration is valid. It is not modified, although
    // the pointer is mutable; `count` is only written. The dump was created with this count and has
    // no other owner.
    unsafe {
        let dump = rd_kafka_conf_dump(config.cast_mut(), &raw mut count);
        pairs(dump, count)
    }
}

fn of_topics() -> BTreeMap<String, String> {
    let mut count = 0;
    // SAFETY: the new configuration is destroyed once, after its last use; `count` is only written.
    let dump = unsafe {
        let config = rd_kafka_topic_conf_new();
        let dump = rd_kafka_topic_conf_dump(config, &raw mut count);
        rd_kafka_topic_conf_destroy(config);
        dump
    };
    // SAFETY: the dump was created with this count and has no other owner.
    unsafe { pairs(dump, count) }
}

/// Converts a dump to names and values, and frees it.
///
/// # Safety
///
/// `dump` must come from one of librdkafka's dump functions, with this count, and must not be used
/// afterwards.
unsafe fn pairs(dump: *mut *const c_char, count: usize) -> BTreeMap<String, String> {
    // SAFETY: by the contract of the dump there are `count` NUL-terminated strings.
    let texts = (0..count).map(|at| unsafe { CStr::from_ptr(*dump.add(at)) });
    let texts: Vec<_> = texts.map(|text| text.to_string_lossy()).collect();
    let pairs = texts
        .chunks_exact(2)
        .map(|pair| (pair[0].to_string(), pair[1].to_string()))
        .collect();
    drop(texts);
    // SAFETY: no borrows of the dump remain.
    unsafe { rd_kafka_conf_dump_free(dump, count) };
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_client_and_topic_properties() {
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
    fn aliases_set_the_canonical_property() {
        for (alias, name) in ALIASES {
            let value = match check(name, "1") {
                Ok(()) => "1",
                Err(_) => "zstd",
            };
            // A topic property can be read once the configuration sets one.
            let native = ClientConfig::new()
                .set("partitioner", "random")
                .set(alias, value)
                .create_native_config();
            assert_eq!(native.unwrap().get(name).unwrap(), value, "{alias}");
        }
    }
}
