//! The value of `--output`, with the keys of `docker buildx`: `type=oci,dest=image`.

use std::path::PathBuf;
use std::str::FromStr;

/// The value of `--output`: `type=oci|docker,dest=PATH[,tar=true|false]`, or only a PATH, which is
/// short for `type=oci,dest=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub kind: Kind,
    /// A new file or directory.
    pub destination: PathBuf,
}

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory: an OCI image layout.
    Oci,
    /// A file: the tar archive of an OCI image layout.
    OciArchive,
    /// A file: the tar archive that `docker load` reads.
    Docker,
}

/// Why a value is invalid. Clap adds the value itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it as type=oci,dest=PATH or type=docker,dest=FILE")]
pub struct BadOutput(String);

impl FromStr for Output {
    type Err = BadOutput;

    fn from_str(text: &str) -> Result<Self, BadOutput> {
        if !text.contains('=') {
            return Self::new(Type::Oci, text, None);
        }
        let (mut kind, mut destination, mut tar) = (None, None, None);
        for field in text.split(',') {
            let Some((key, value)) = field.split_once('=') else {
                return Err(BadOutput(format!("{field:?} is not KEY=VALUE")));
            };
            let twice = match key {
                "type" => kind.replace(value.parse()?).is_some(),
                "dest" => destination.replace(value).is_some(),
                "tar" => tar.replace(boolean(value)?).is_some(),
                _ => return Err(BadOutput(format!("there is no key {key:?}"))),
            };
            if twice {
                return Err(BadOutput(format!("{key} is there twice")));
            }
        }
        let Some(kind) = kind else {
            return Err(BadOutput("type is missing".into()));
        };
        let Some(destination) = destination else {
            return Err(BadOutput("dest is missing".into()));
        };
        Self::new(kind, destination, tar)
    }
}

impl Output {
    /// A destination that ends in `.tar` is an archive, unless `tar` says otherwise.
    fn new(kind: Type, destination: &str, tar: Option<bool>) -> Result<Self, BadOutput> {
        match destination {
            "" => return Err(BadOutput("the destination is empty".into())),
            "-" => return Err(BadOutput("standard output is not a destination".into())),
            _ => {}
        }
        let destination = PathBuf::from(destination);
        let named_so = destination.extension().is_some_and(|end| end == "tar");
        let kind = match (kind, tar.unwrap_or(named_so)) {
            (Type::Oci, true) => Kind::OciArchive,
            (Type::Oci, false) => Kind::Oci,
            (Type::Docker, _) if tar == Some(false) => {
                return Err(BadOutput("type=docker is always a tar".into()));
            }
            (Type::Docker, _) => Kind::Docker,
        };
        Ok(Self { kind, destination })
    }
}

enum Type {
    Oci,
    Docker,
}

impl FromStr for Type {
    type Err = BadOutput;

    fn from_str(text: &str) -> Result<Self, BadOutput> {
        match text {
            "oci" => Ok(Self::Oci),
            "docker" => Ok(Self::Docker),
            _ => Err(BadOutput(format!("there is no type {text:?}"))),
        }
    }
}

fn boolean(text: &str) -> Result<bool, BadOutput> {
    text.parse()
        .map_err(|_| BadOutput(format!("tar is true or false, not {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(kind: Kind, destination: &str) -> Output {
        Output {
            kind,
            destination: destination.into(),
        }
    }

    #[test]
    fn destination_is_a_directory_unless_it_ends_in_tar() {
        for (text, expected) in [
            ("type=oci,dest=image", output(Kind::Oci, "image")),
            (
                "dest=image.tar,type=oci",
                output(Kind::OciArchive, "image.tar"),
            ),
            (
                "type=oci,dest=image.tar,tar=false",
                output(Kind::Oci, "image.tar"),
            ),
            (
                "type=oci,tar=true,dest=image",
                output(Kind::OciArchive, "image"),
            ),
            ("type=docker,dest=image", output(Kind::Docker, "image")),
            ("type=oci,dest=a=b", output(Kind::Oci, "a=b")),
            ("image", output(Kind::Oci, "image")),
            ("a,b/image.tar", output(Kind::OciArchive, "a,b/image.tar")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rejects_missing_unknown_and_repeated_keys() {
        for (text, reason) in [
            ("", "the destination is empty"),
            ("-", "standard output is not a destination"),
            ("dest=image", "type is missing"),
            ("type=oci", "dest is missing"),
            ("type=oci,dest=", "the destination is empty"),
            ("type=oci,dest=a,dest=b", "dest is there twice"),
            ("type=local,dest=a", "there is no type \"local\""),
            ("type=oci,dest=a,b", "\"b\" is not KEY=VALUE"),
            ("type=oci,dest=a,push=true", "there is no key \"push\""),
            (
                "type=oci,dest=a,tar=yes",
                "tar is true or false, not \"yes\"",
            ),
            (
                "type=docker,dest=a,tar=false",
                "type=docker is always a tar",
            ),
        ] {
            let error = text.parse::<Output>().unwrap_err().to_string();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }
}
