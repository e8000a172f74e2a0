//! An index chooses an image by platform, so a platform must compare as the specification says
//! and not as two strings happen to be spelled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// An operating system and a processor, written `linux/arm64` or `linux/arm/v7`.
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

    /// Whether an image for this platform is what someone who asks for `wanted` means: `v8` is
    /// the only variant of arm64, and who names no variant takes any.
    pub fn serves(&self, wanted: &Platform) -> bool {
        let variant = |platform: &Platform| match (&*platform.architecture, &platform.variant) {
            ("arm64", None) => Some("v8".to_owned()),
            (_, variant) => variant.clone(),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(self) == variant(wanted))
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

/// The fields as they stand in a descriptor's `platform` and in an image config.
#[derive(Serialize, Deserialize)]
struct Fields {
    architecture: String,
    os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

impl TryFrom<Fields> for Platform {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Platform, Error> {
        // Some writers give an empty variant where they mean none.
        let variant = fields
            .variant
            .as_deref()
            .filter(|variant| !variant.is_empty());
        Platform::checked(&fields.os, &fields.architecture, variant)
            .ok_or_else(|| Error::Platform(format!("{}/{}", fields.os, fields.architecture)))
    }
}

impl From<Platform> for Fields {
    fn from(platform: Platform) -> Fields {
        Fields {
            architecture: platform.architecture,
            os: platform.os,
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
    fn a_platform_prints_as_it_was_written() {
        for text in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
            assert_eq!(platform(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_two_or_three_words_is_refused() {
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
    fn who_names_no_variant_takes_any_and_arm64_is_v8() {
        assert!(platform("linux/arm/v7").serves(&platform("linux/arm")));
        assert!(!platform("linux/arm/v7").serves(&platform("linux/arm/v6")));
        assert!(platform("linux/arm64").serves(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm64/v8").serves(&platform("linux/arm64")));
        assert!(!platform("linux/arm64").serves(&platform("linux/amd64")));
    }

    #[test]
    fn an_empty_variant_in_json_means_none() {
        let json = r#"{"architecture":"arm64","os":"linux","variant":""}"#;
        let read: Platform = serde_json::from_str(json).unwrap();
        assert_eq!(read, platform("linux/arm64"));
    }
}
