//! Parts of URLs, and redirects to relative URLs.

/// The authority of a URL: host and port, preceded by the credentials if there are any.
pub fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// Host and port of a URL.
pub fn host_and_port(url: &str) -> &str {
    let authority = authority(url);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

/// The URL without credentials, for messages. Credentials may contain a password.
pub fn without_login(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    match authority(url).rsplit_once('@') {
        Some((login, _)) => format!("{}{}", &url[..start], &url[start + login.len() + 1..]),
        None => url.to_owned(),
    }
}

/// Whether two URLs have the same scheme, host and port: RFC 6454, section 5.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme)?;
        let authority = host_and_port(url).to_ascii_lowercase();
        let port = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.strip_suffix(port).unwrap_or(&authority);
        Some((scheme.to_ascii_lowercase(), host.to_owned()))
    };
    origin(one).is_some_and(|it| Some(it) == origin(other))
}

/// Resolves the header `Location` of a response from `url`: an absolute URL, or a path or query on
/// the same host. `None` if it is not an HTTP URL.
///
/// Source: RFC 3986, section 5.2, except for the removal of `..`, which is left to the server.
pub fn resolve(url: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return (!authority(location).is_empty()).then(|| location.to_owned());
    }
    let (scheme, rest) = url.split_once("://")?;
    let authority = authority(url);
    if let Some(other) = location.strip_prefix("//") {
        return (!other.is_empty()).then(|| format!("{scheme}://{other}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    // A URL of another scheme.
    let name = location.split(['/', '?']).next().unwrap_or(location);
    if location.is_empty() || name.contains(':') {
        return None;
    }
    let path = &rest[authority.len()..];
    let path = path.split('?').next().unwrap_or(path);
    let directory = match location.starts_with('?') {
        true => path,
        false => &path[..path.rfind('/').map_or(0, |slash| slash + 1)],
    };
    let directory = if directory.is_empty() { "/" } else { directory };
    Some(format!("{scheme}://{authority}{directory}{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_absolute_urls_paths_and_queries() {
        let to = |location| resolve("http://mirror.example:80/debian/x?y=/z", location);
        for (location, expected) in [
            ("/y", "http://mirror.example:80/y"),
            ("https://other.example/y", "https://other.example/y"),
            ("//other.example/y", "http://other.example/y"),
            ("y?z", "http://mirror.example:80/debian/y?z"),
            ("?z=1", "http://mirror.example:80/debian/x?z=1"),
        ] {
            assert_eq!(to(location).as_deref(), Some(expected));
        }
        for location in ["", "//", "https://", "file:///etc/passwd", "mailto:a"] {
            assert_eq!(to(location), None, "{location}");
        }
        assert_eq!(
            resolve("http://mirror.example", "y").as_deref(),
            Some("http://mirror.example/y")
        );
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (other, same) in [
            ("https://A.example:443/v2/?x", true),
            ("https://a.example", true),
            ("http://a.example/v2/", false),
            ("https://a.example:5000/v2/", false),
            ("https://a.example@b.example/v2/", false),
            ("https://a.example.b.example/v2/", false),
            ("/v2/", false),
        ] {
            assert_eq!(
                is_same_origin("https://a.example/v2/", other),
                same,
                "{other}"
            );
        }
    }

    #[test]
    fn the_authority_ends_at_the_path_or_query() {
        assert_eq!(authority("https://a.example:5000/v2/"), "a.example:5000");
        assert_eq!(authority("https://a.example?x=/"), "a.example");
    }

    #[test]
    fn credentials_are_kept_for_requests_and_removed_for_messages() {
        let url = "https://ada:a@b@mirror.example:8443/x@y";
        assert_eq!(host_and_port(url), "mirror.example:8443");
        assert_eq!(without_login(url), "https://mirror.example:8443/x@y");
        assert_eq!(without_login("http://h/x@y"), "http://h/x@y");
        assert_eq!(without_login("ada:a@h/x"), "h/x");
        assert_eq!(
            resolve(url, "/z").as_deref(),
            Some("https://ada:a@b@mirror.example:8443/z")
        );
    }
}
