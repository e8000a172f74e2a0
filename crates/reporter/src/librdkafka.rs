//! What librdkafka itself knows of its properties, so that no list of them is kept here.
//!
//! Their meaning is told in librdkafka's CONFIGURATION.md.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};

use rdkafka::bindings::{
    rd_kafka_conf_dump, rd_kafka_conf_dump_free, rd_kafka_topic_conf_destroy,
    rd_kafka_topic_conf_dump, rd_kafka_topic_conf_new,
};
use rdkafka::config::{ClientConfig, NativeClientConfig};
use rdkafka::error::KafkaError;
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
    let mut all = of_clients(&native);
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
    set(name, value).map_err(|error| match error {
        KafkaError::ClientConfig(_, reason, ..) => reason,
        // a zero byte
        error => error.to_string(),
    })
}

fn set(name: &str, value: &str) -> Result<(), KafkaError> {
    let mut config = ClientConfig::new();
    config.set(name, value).create_native_config().map(drop)
}

fn of_clients(config: &NativeClientConfig) -> BTreeMap<String, String> {
    let mut count = 0;
    // SAFETY: the configuration lives until the end of this function, and `count` is written only.
    let dump = unsafe { rd_kafka_conf_dump(config.ptr(), &raw mut count) };
    // SAFETY: it was just made, with this count, and nobody else has it.
    unsafe { pairs(dump, count) }
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
