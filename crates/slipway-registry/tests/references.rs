//! Compares the parser of references with the one of Docker and containerd.

use slipway_registry::Reference;

/// What the other parser accepts and this one rejects on purpose: a port that does not exist, a host name with an
/// underscore, and upper case without a dot, which is a mistyped namespace more often than a host.
const REJECTED: [&str; 4] = ["host:99999/", "host_x.example/", "Host/", "App/"];

/// Each line of `references.txt`, which `make-references.go` wrote, has a text and the complete reference that it
/// stands for, or `-` if it is invalid.
#[test]
fn reads_references_as_docker_and_containerd_do() {
    let mut different = Vec::new();
    for line in include_str!("references.txt").lines() {
        let (text, expected) = line.split_once('\t').unwrap_or((line, ""));
        let found = match text.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(_) if REJECTED.iter().any(|it| text.starts_with(it)) => continue,
            Err(_) => "-".to_owned(),
        };
        if found != expected {
            different.push(format!("{text}: {found}, not {expected}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
