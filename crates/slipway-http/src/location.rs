//! Servers send clients on to other addresses, and few write those down in full.

/// Host and port of an address.
pub fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// Whether two addresses are of one scheme, host and port: RFC 6454, section 5.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme)?;
        let authority = authority(url).to_ascii_lowercase();
        let port = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.strip_suffix(port).unwrap_or(&authority);
        Some((scheme.to_ascii_lowercase(), host.to_owned()))
    };
    origin(one).is_some_and(|it| Some(it) == origin(other))
}

/// Where the header `Location` leads in an answer from `url`: an address, or else a path or a
/// query on the same host. None if it leads nowhere that HTTP is spoken.
///
/// Source: RFC 3986, section 5.2; without the removal of `..`, which is left to the server.
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
    // Any other scheme.
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
    fn a_redirect_leads_to_an_address_or_a_path_or_a_query() {
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
    fn an_authority_ends_where_the_path_or_the_query_begins() {
        assert_eq!(authority("https://a.example:5000/v2/"), "a.example:5000");
        assert_eq!(authority("https://a.example?x=/"), "a.example");
    }
}
