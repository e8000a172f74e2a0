//! Headers and URLs. The first line is the header of a response, the second one the URL that was
//! requested, the third one an entry of `no_proxy`.

use slipway_http::{
    Proxies, RetryPolicy, Tries, host_and_port, is_same_origin, resolve, retry_after, without_login,
};
use ureq::http::{HeaderMap, HeaderValue};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let url = lines.next().unwrap_or("https://h.example/v2/");
    let direct = lines.next().unwrap_or("h.example:443");

    if let Ok(value) = HeaderValue::from_str(header) {
        let headers = HeaderMap::from_iter([("retry-after".parse().expect("a name"), value)]);
        let policy = RetryPolicy::STANDARD;
        let pause = Tries::new(&policy).next_pause(retry_after(&headers));
        assert!(pause.is_none_or(|pause| pause <= policy.total), "{pause:?}");
    }
    let _ = host_and_port(url);
    let shown = without_login(url);
    assert_eq!(without_login(&shown), shown, "{url}");
    if let Some(target) = resolve(url, header) {
        let _ = is_same_origin(url, &target);
    }
    let proxies = Proxies {
        http: Some("http://proxy.example:3128".to_owned()),
        https: None,
        direct: vec![direct.to_owned()],
    };
    let _ = proxies.for_url(url);
}
