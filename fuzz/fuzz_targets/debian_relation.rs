//! Debian's versions and relations. Versions have a total order.

#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use slipway_debian::relation::parse_field;
use slipway_debian::version::Version;

fuzz_target!(|text: &str| {
    let versions: Vec<Version> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for pair in versions.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
        assert_eq!(a.cmp(a), Ordering::Equal, "{a}");
    }
    for group in parse_field(text).into_iter().flatten() {
        for relation in &group {
            let shown = relation.to_string();
            let again = parse_field(&shown);
            assert_eq!(again, Some(vec![vec![relation.clone()]]), "{shown}");
        }
    }
});
