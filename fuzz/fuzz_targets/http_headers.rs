//! Headers of servers: `Location` and `Retry-After`. The first line is the header, the second one
//! the URL that was asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_http::{host_and_port, is_same_origin, resolve, without_login};

fuzz_target!(|text: &str| {
    let (location, url) = text
        .split_once('\n')
        .unwrap_or((text, "https://h.example/v2/"));
    let _ = (host_and_port(url), without_login(url));
    if let Some(target) = resolve(url, location) {
        let _ = is_same_origin(url, &target);
    }
});
