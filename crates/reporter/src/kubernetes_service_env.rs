//! Recognizes the variables that Kubernetes sets in every container for every Service of the
//! namespace.
//!
//! The variables of a Service named `kafka` have the same prefix as the reporter's own, and would
//! be rejected as unknown properties. See "Accessing the Service" in Kubernetes' documentation; the
//! format is that of Docker links.

/// Reports whether a variable is a Service variable: `KAFKA_SERVICE_HOST`, `KAFKA_SERVICE_PORT_…`,
/// `KAFKA_PORT`, `KAFKA_PORT_9092_TCP…`. Longer Service names that start with `kafka` add text
/// after `KAFKA`.
pub fn is_one(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") {
        return true;
    }
    if let Some((_, port)) = name.split_once("_SERVICE_PORT") {
        return port.is_empty() || port.starts_with('_');
    }
    match name.split_once("_PORT") {
        Some((_, "")) => is_url(value),
        Some((_, rest)) => is_of_a_port(rest),
        None => false,
    }
}

fn is_url(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
}

/// Reports whether the text is `_9092_TCP`, optionally followed by `_PROTO`, `_PORT` or `_ADDR`.
fn is_of_a_port(rest: &str) -> bool {
    let mut parts = rest.split('_').skip(1);
    let (number, protocol, detail) = (parts.next(), parts.next(), parts.next());
    number.is_some_and(|number| number.parse::<u16>().is_ok())
        && matches!(protocol, Some("TCP" | "UDP" | "SCTP"))
        && matches!(detail, None | Some("PROTO" | "PORT" | "ADDR"))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_kubernetes_variables() {
        for (name, value) in [
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT", "9092"),
            ("KAFKA_SERVICE_PORT_PLAINTEXT", "9092"),
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_PROTO", "tcp"),
            ("KAFKA_PORT_9092_TCP_PORT", "9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_BROKERS_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_BROKERS_PORT_9092_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_one(name, value), "{name}");
        }
    }

    #[test]
    fn does_not_match_other_variables() {
        for (name, value) in [
            ("KAFKA_PORT", "9092"),
            ("KAFKA_SASL_USERNAME", "tcp://"),
            ("KAFKA_PORT_TCP", "9092"),
            ("KAFKA_PORT_9092_TCP_NAME", "9092"),
        ] {
            assert!(!is_one(name, value), "{name}");
        }
    }
}
