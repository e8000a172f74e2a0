//! Tests with the embedded broker, whose consumer prints the messages.

mod running;

use running::reporter;

#[test]
fn reads_back_every_message_and_exits() {
    let running = reporter(&["--embedded-broker", "--count=5", "--interval=10ms"], &[]);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.len(), 5, "{ended:?}");
    for (offset, line) in ended.stdout.iter().enumerate() {
        let start = format!("info [0] @ {offset}: Time: ");
        assert!(line.starts_with(&start), "{line}");
    }
}

#[test]
fn accepts_options_as_environment_variables() {
    let variables = [
        ("KAFKA_TOPIC", "who"),
        ("REPORT_INTERVAL", "0"),
        ("REPORT_COUNT", "1000"),
    ];
    let ended = reporter(&["--embedded-broker"], &variables).end();
    assert_eq!(ended.code, Some(0), "{:?}", ended.stderr.last());
    assert_eq!(ended.stdout.len(), 1000);
    assert!(ended.stdout[999].starts_with("who [0] @ 999: Time: "));
}

#[test]
fn messages_contain_time_process_id_and_user_id() {
    let mut running = reporter(&["--embedded-broker"], &[("TZ", "UTC")]);
    let line = running.stdout_line();
    let fields: Vec<&str> = line
        .trim_start_matches("info [0] @ 0: ")
        .split(", ")
        .collect();
    let [time, pid, uid] = fields[..] else {
        panic!("{line}")
    };
    let time = time.strip_prefix("Time: ").unwrap();
    chrono::DateTime::parse_from_rfc3339(time).unwrap();
    assert!(time.ends_with('Z') && !time.contains('.'), "{time}");
    assert_eq!(pid, format!("PID: {}", running.id()));
    // SAFETY: getuid takes nothing, touches no memory and cannot fail (getuid(2)).
    assert_eq!(uid, format!("UID: {}", unsafe { libc::getuid() }));
}

#[test]
fn logs_each_delivery() {
    let mut running = reporter(&["--embedded-broker"], &[]);
    running.wait_for_log("delivered to info [0] @ 0: Time: ");
}

#[test]
fn sigterm_and_sigint_exit_after_delivery() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut running = reporter(&["--embedded-broker", "--interval=1ms"], &[]);
        running.stdout_line();
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let delivered = ended.stderr.last().unwrap();
        let read = ended.stdout.len() + 1;
        let all = format!("all {read} messages were delivered");
        assert!(delivered.ends_with(&all), "{delivered}");
    }
}

#[test]
fn flushes_batched_messages_before_exit() {
    let arguments = ["--embedded-broker", "--count=1", "-X", "linger.ms=600000"];
    let ended = reporter(&arguments, &[]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn exits_when_stdout_is_closed() {
    let mut running = reporter(&["--embedded-broker", "--interval=1ms"], &[]);
    running.stdout_line();
    running.close_stdout();
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let reason = ended.stderr.last().unwrap();
    assert!(reason.contains("cannot write to stdout"), "{reason}");
}
