//! Configuration errors are one line, with exit code 2.

mod running;

use running::reporter;

/// Runs a reporter that must fail, and returns its one line of output.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ended = reporter(arguments, variables).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    ended.stderr.concat()
}

#[test]
fn missing_host_error_says_what_to_set() {
    assert_eq!(
        refusal(&[], &[]),
        "error: KAFKA_HOST is not set, so there is no broker to report to; \
         set it to host[:port], or use --embedded-broker to try without one"
    );
}

#[test]
fn invalid_host_errors_state_reason_and_remedy() {
    for (host, line) in [
        (
            "",
            "error: KAFKA_HOST ``: it is empty; write host or host:port",
        ),
        (
            "a,,b",
            "error: KAFKA_HOST `a,,b`: entry 2 ``: it is empty; remove the comma too many",
        ),
        (
            "a, b",
            "error: KAFKA_HOST `a, b`: entry 2 ` b`: it contains a space; separate hosts by a comma alone",
        ),
        (
            "a\nb",
            "error: KAFKA_HOST `a\\nb`: entry 1 `a\\nb`: it contains a space; separate hosts by a comma alone",
        ),
        (
            "a:kafka",
            "error: KAFKA_HOST `a:kafka`: entry 1 `a:kafka`: its port `kafka` is not a number from 1 to 65535",
        ),
        (
            "::1",
            "error: KAFKA_HOST `::1`: entry 1 `::1`: an IPv6 address goes in brackets: [::1]",
        ),
    ] {
        assert_eq!(refusal(&[], &[("KAFKA_HOST", host)]), line);
    }
}

#[test]
fn errors_name_the_option_and_the_variable() {
    for (name, option, value) in [
        ("KAFKA_TOPIC", "--topic", "in fo"),
        ("REPORT_INTERVAL", "--interval", "often"),
        ("REPORT_COUNT", "--count", "0"),
        ("REPORT_FLUSH_TIMEOUT", "--flush-timeout", "-1"),
    ] {
        let line = refusal(&[], &[("KAFKA_HOST", "kafka"), (name, value)]);
        let start = format!("error: invalid value '{value}' for '{option} <{name}>': ");
        assert!(line.starts_with(&start), "{line}");
    }
}

#[test]
fn rejects_unknown_options() {
    let line = refusal(&["--hots=kafka"], &[]);
    assert!(line.contains("--hots"), "{line}");
    assert!(line.ends_with("(see reporter --help)"), "{line}");
}
