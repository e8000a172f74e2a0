//! The brokers as librdkafka's statistics tell of them (its STATISTICS.md).
//!
//! Of hundreds of figures a few are wanted. So they are picked out of the text, and not all of them
//! made into types first, which would take half of the program's compilation.

use serde_json::Value;

/// One broker, at the time of the statistics. The counts are from the start of the process.
#[derive(Debug, PartialEq)]
pub struct Broker {
    /// `host:port/id`
    pub name: String,
    /// Whether there is a connection.
    pub is_up: bool,
    /// Seconds that it took to answer lately, if it did: the median, and what 99 % are below.
    pub rtt: Option<(f64, f64)>,
    /// Connections attempted.
    pub connects: u64,
    /// Connections lost.
    pub disconnects: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
}

/// The brokers of the cluster, by name; or until one has told of them, those to ask.
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
    fn a_broker_is_told_with_its_figures() {
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
    fn the_brokers_of_the_cluster_stand_for_those_that_were_asked() {
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
    fn what_is_not_there_is_not_told() {
        assert_eq!(names("{}"), [""; 0]);
        let silent = r#"{"brokers": {"b": {"name": "b", "nodeid": 0, "rtt": {"cnt": 0}}}}"#;
        let brokers = from_statistics(silent.as_bytes()).unwrap();
        assert_eq!(brokers[0].rtt, None);
    }
}
