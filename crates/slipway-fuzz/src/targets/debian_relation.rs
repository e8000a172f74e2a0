//! Debian's versions and relations. Each line is a version; the whole text is a relation field.

use std::cmp::Ordering;

use slipway_debian::relation::parse_field;
use slipway_debian::version::Version;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let versions = text.lines().filter_map(|line| line.parse().ok());
    order_is_total(&versions.take(8).collect::<Vec<Version>>());
    for relation in parse_field(text).into_iter().flatten().flatten() {
        let shown = relation.to_string();
        assert_eq!(parse_field(&shown), Some(vec![vec![relation]]), "{shown}");
    }
}

fn order_is_total(versions: &[Version]) {
    for a in versions {
        assert_eq!(a.cmp(a), Ordering::Equal, "{a}");
        assert_eq!(a.to_string().parse().ok().as_ref(), Some(a), "{a}");
        for b in versions {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
            for c in versions {
                assert!(a > b || b > c || a <= c, "{a} {b} {c}");
            }
        }
    }
}
