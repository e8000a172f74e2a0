//! Broker metrics from librdkafka's statistics (its STATISTICS.md).
//!
//! The reporter uses a few of hundreds of values. It reads these from the untyped JSON, because
//! deriving types for the whole document would take half of the compile time.

use serde_json::Value;

/// One broker at the time of the statistics. Counters start with the process.
#[derive(Debug, PartialEq)]
pub struct Broker {
    /// `host:port/id`
    pub name: String,
    /// Whether the client is connected to the broker.
    pub is_up: bool,
    /// Recent round-trip times in seconds: the median and the 99th percentile. `None` without
    /// recent requests.
    pub rtt: Option<(f64, f64)>,
    /// Number of connection attempts.
    pub connects: u64,
    /// Number of lost connections.
    pub disconnects: u64,
    /// Number of requests sent again.
    pub retries: u64,
    /// Number of requests that timed out.
    pub timeouts: u64,
}

/// Returns the brokers of the cluster, by name. Until a broker has returned the cluster metadata,
/// returns the bootstrap brokers.
pub fn from_statistics(statistics: &[u8]) -> serde_json::Result<Vec<Broker>> {
    let statistics: Value = serde_json::from_slice(statistics)?;
    let all = statistics["brokers"].as_object();
    let all: Vec<&Value> = all.into_iter().flat_map(|all| all.values()).collect();
    let is_of_cluster = |broker: &Value| broker["nodeid"].as_i64() >= Some(0);
    let known = all.iter().any(|broker| is_of_cluster(broker));
    let mut brokers: Vec<Broker> = all
        .into_iter()
        .filter(|broker| match known {
            true => is_of_cluster(broker),
            false => broker["source"] == "configured",
        })
        .map(from_value)
        .collect();
    brokers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(brokers)
}

fn from_value(broker: &Value) -> Broker {
    let count = |name: &str| broker[name].as_u64().unwrap_or(0);
    let rtt = &broker["rtt"];
    let seconds = |name: &str| rtt[name].as_f64().unwrap_or(0.0) / 1e6;
    Broker {
        name: broker["name"].as_str().unwrap_or_default().to_owned(),
        is_up: broker["state"] == "UP",
        rtt: (rtt["cnt"].as_u64() > Some(0)).then(|| (seconds("p50"), seconds("p99"))),
        connects: count("connects"),
        disconnects: count("disconnects"),
        retries: count("txretries"),
        timeouts: count("req_timeouts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(statistics: &str) -> Vec<String> {
        let brokers = from_statistics(statistics.as_bytes()).unwrap();
        brokers.into_iter().map(|broker| broker.name).collect()
    }

    #[test]
    fn reads_the_metrics_of_a_broker() {
        let statistics = r#"{"brokers": {"kafka:9092/1": {"name": "kafka:9092/1", "nodeid": 1, "source": "learned",
            "state": "UP", "connects": 3, "disconnects": 2, "txretries": 1, "req_timeouts": 4,
            "rtt": {"cnt": 9, "p50": 1500, "p99": 20000}}}}"#;
        let broker = Broker {
            name: "kafka:9092/1".to_owned(),
            is_up: true,
            rtt: Some((0.0015, 0.02)),
            connects: 3,
            disconnects: 2,
            retries: 1,
            timeouts: 4,
        };
        assert_eq!(from_statistics(statistics.as_bytes()).unwrap(), [broker]);
    }

    #[test]
    fn replaces_bootstrap_brokers_by_cluster_brokers() {
        let asked = r#""a": {"name": "a", "nodeid": -1, "source": "configured", "state": "DOWN"}"#;
        let inner = r#""c": {"name": "c", "nodeid": -1, "source": "internal", "state": "INIT"}"#;
        let learned = r#""b": {"name": "b", "nodeid": 0, "source": "learned", "state": "UP"}"#;
        assert_eq!(
            names(&format!(r#"{{"brokers": {{{asked}, {inner}}}}}"#)),
            ["a"]
        );
        assert_eq!(
            names(&format!(
                r#"{{"brokers": {{{asked}, {inner}, {learned}}}}}"#
            )),
            ["b"]
        );
    }

    #[test]
    fn omits_missing_values() {
        assert_eq!(names("{}"), [""; 0]);
        let silent = r#"{"brokers": {"b": {"name": "b", "nodeid": 0, "rtt": {"cnt": 0}}}}"#;
        let brokers = from_statistics(silent.as_bytes()).unwrap();
        assert_eq!(brokers[0].rtt, None);
    }
}
