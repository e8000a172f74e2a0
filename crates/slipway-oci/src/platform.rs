//! Platforms, and how to choose an image from an index. Platforms are compared as specified, not as
//! strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Error;

/// An operating system and an architecture, written `linux/arm64` or `linux/arm/v7`.
///
/// The names are those of Go's `GOOS` and `GOARCH`. Source: OCI image-spec, image-index.md,
/// "platform" and "Platform Variants".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    pub fn os(&self) -> &str {
        &self.os
    }

    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The platform without a variant that its architecture implies: `v8` is the only one of arm64.
    pub fn short(&self) -> Platform {
        let mut short = self.clone();
        if self.architecture == "arm64" {
            short.variant = short.variant.filter(|variant| variant != "v8");
        }
        short
    }

    /// Whether an image for this platform satisfies a request for `wanted`. `v8` is the only
    /// variant of arm64. A request without a variant matches every variant.
    pub fn matches(&self, wanted: &Platform) -> bool {
        let variant = |platform: &Platform| match (&*platform.architecture, &platform.variant) {
            ("arm64", None) => Some("v8".to_owned()),
            (_, variant) => variant.clone(),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(self) == variant(wanted))
    }

    /// Whether the platform is unknown. Index entries that are not images have such a platform.
    pub fn is_unknown(&self) -> bool {
        self.os == UNKNOWN && self.architecture == UNKNOWN
    }

    /// How well an image for this platform fits `machine`: higher is better, `None` if it does not
    /// run there. A processor runs images for older variants of its architecture. A platform
    /// without a variant means the default variant.
    ///
    /// Source: containerd, platforms/compare.go, `platformVector`.
    pub fn fitness(&self, machine: &Platform) -> Option<u32> {
        if self.os != machine.os {
            return None;
        }
        if (&*machine.architecture, &*self.architecture) == ("amd64", "386") {
            return Some(0);
        }
        if self.architecture != machine.architecture {
            return None;
        }
        match (self.level(), machine.level()) {
            (Some(own), Some(most)) => (own <= most).then_some(own),
            _ => (self.variant == machine.variant || machine.variant.is_none()).then_some(1),
        }
    }

    /// The number of a variant such as v3.
    fn level(&self) -> Option<u32> {
        match (&*self.architecture, &self.variant) {
            ("amd64", None) => Some(1),
            ("arm", None) => Some(7),
            ("arm64", None) => Some(8),
            (_, Some(variant)) => variant.strip_prefix('v')?.parse().ok(),
            _ => None,
        }
    }

    fn checked(os: &str, architecture: &str, variant: Option<&str>) -> Option<Platform> {
        let word = |text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
        };
        Some(Platform {
            os: word(os)?,
            architecture: word(architecture)?,
            variant: match variant {
                Some(variant) => Some(word(variant)?),
                None => None,
            },
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Platform, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let platform = match parts[..] {
            [os, architecture] => Platform::checked(os, architecture, None),
            [os, architecture, variant] => Platform::checked(os, architecture, Some(variant)),
            _ => None,
        };
        platform.ok_or_else(|| Error::Platform(text.to_owned()))
    }
}

/// Stands for an unspecified operating system or architecture.
const UNKNOWN: &str = "unknown";

/// Aliases of architectures, with the variant that they imply. Source: containerd,
/// platforms/database.go, `normalizeArch`.
const OTHER_NAMES: [(&str, &str, Option<&str>); 10] = [
    ("x86_64", "amd64", None),
    ("x86-64", "amd64", None),
    ("aarch64", "arm64", None),
    ("armhf", "arm", Some("v7")),
    ("armv7l", "arm", Some("v7")),
    ("armel", "arm", Some("v6")),
    ("i386", "386", None),
    ("i486", "386", None),
    ("i586", "386", None),
    ("i686", "386", None),
];

/// The fields of a descriptor's `platform` and of an image config.
#[derive(Serialize, Deserialize)]
struct Fields {
    architecture: Option<String>,
    os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

impl Fields {
    fn says_nothing(&self) -> bool {
        let is_empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        is_empty(&self.os) && is_empty(&self.architecture)
    }
}

/// Reads a platform, or `None` if it is empty or not valid.
pub(crate) fn or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Platform>, D::Error> {
    let fields: Option<Fields> = Option::deserialize(deserializer)?;
    let fields = fields.filter(|fields| !fields.says_nothing());
    Ok(fields.and_then(|fields| fields.try_into().ok()))
}

impl TryFrom<Fields> for Platform {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Platform, Error> {
        // Some writers use an empty string for an absent field.
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let os = given(fields.os).unwrap_or_else(|| UNKNOWN.to_owned());
        let architecture = given(fields.architecture).unwrap_or_else(|| UNKNOWN.to_owned());
        let variant = given(fields.variant);
        let other = OTHER_NAMES.iter().find(|row| row.0 == architecture);
        let (name, meant) = other.map_or((&*architecture, None), |row| (row.1, row.2));
        Platform::checked(&os, name, variant.as_deref().or(meant))
            .ok_or_else(|| Error::Platform(format!("{os}/{architecture}")))
    }
}

impl From<Platform> for Fields {
    fn from(platform: Platform) -> Fields {
        Fields {
            architecture: Some(platform.architecture),
            os: Some(platform.os),
            variant: platform.variant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn platforms_round_trip_through_their_text() {
        for text in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
            assert_eq!(platform(text).to_string(), text);
        }
    }

    #[test]
    fn rejects_anything_but_two_or_three_parts() {
        for text in [
            "",
            "linux",
            "linux/",
            "/arm64",
            "linux/arm/v7/x",
            "linux/arm 64",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn requests_without_variant_match_any_and_arm64_implies_v8() {
        assert!(platform("linux/arm/v7").matches(&platform("linux/arm")));
        assert!(!platform("linux/arm/v7").matches(&platform("linux/arm/v6")));
        assert!(platform("linux/arm64").matches(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm64/v8").matches(&platform("linux/arm64")));
        assert!(!platform("linux/arm64").matches(&platform("linux/amd64")));
    }

    #[test]
    fn the_newest_supported_variant_fits_best() {
        let best = |machine: &str, images: &[&str]| {
            let machine = platform(machine);
            let images = images.iter().map(|text| platform(text));
            let fitting = images.filter(|image| image.fitness(&machine).is_some());
            let best = fitting.max_by_key(|image| image.fitness(&machine));
            best.map(|image| image.to_string())
        };
        let levels = [
            "linux/amd64/v4",
            "linux/386",
            "linux/amd64",
            "linux/amd64/v3",
        ];
        assert_eq!(best("linux/amd64/v3", &levels).unwrap(), "linux/amd64/v3");
        assert_eq!(best("linux/amd64/v2", &levels).unwrap(), "linux/amd64");
        assert_eq!(best("linux/amd64", &levels[..2]).unwrap(), "linux/386");
        assert_eq!(
            best("linux/arm/v7", &["linux/arm/v6", "linux/arm/v5"]).unwrap(),
            "linux/arm/v6"
        );
        assert_eq!(
            best("linux/arm64", &["linux/arm64/v8"]).unwrap(),
            "linux/arm64/v8"
        );
        assert_eq!(best("linux/s390x", &["linux/amd64"]), None);
    }

    #[test]
    fn empty_variants_in_json_are_absent() {
        let json = r#"{"architecture":"arm64","os":"linux","variant":""}"#;
        let read: Platform = serde_json::from_str(json).unwrap();
        assert_eq!(read, platform("linux/arm64"));
    }
}
