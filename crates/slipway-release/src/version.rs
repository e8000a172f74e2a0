//! Versions of releases.

use semver::Version;

use crate::{Error, Result};

/// The version of a tag: `1.2.3` for `v1.2.3` or `1.2.3`.
pub fn of_tag(tag: &str) -> Result<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    Version::parse(text).map_err(|_| Error::Tag(tag.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_semantic_versions_with_or_without_a_v() {
        for (tag, version) in [
            ("v1.2.3", Some("1.2.3")),
            ("0.1.0-rc.1", Some("0.1.0-rc.1")),
            ("v1.2", None),
            ("vv1.2.3", None),
            ("release-1.2.3", None),
            ("", None),
        ] {
            let found = of_tag(tag).ok().map(|it| it.to_string());
            assert_eq!(found.as_deref(), version, "{tag}");
        }
    }
}
