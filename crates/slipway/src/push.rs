use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use slipway_oci::Layout;
use slipway_registry::{Client, Outcome, Pushed, Reference, Repository, progress};

use crate::format::Format;
use crate::source;
use crate::{registry, seed};

/// Push an image, with all its platforms, to a registry
///
/// What the registry has is not sent again. A tag is moved when everything it stands for is there.
/// Prints REFERENCE@DIGEST for each reference.
#[derive(clap::Args)]
#[command(override_usage = "slipway push [OPTIONS] [IMAGE] <REFERENCE>...")]
pub struct Push {
    /// The image, if the first word is a layout, an archive or what a flake gives [default: .#image];
    /// and where to: [HOST[:PORT]/]NAME[:TAG], without a tag `latest`
    #[arg(required = true, value_name = "IMAGE|REFERENCE")]
    words: Vec<String>,

    /// A repository of the same registry that may have some of the layers already; may be given
    /// several times
    #[arg(long, value_name = "REPOSITORY")]
    mount_from: Vec<Repository>,

    /// How to show what was pushed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,

    #[command(flatten)]
    seeding: seed::Options,
}

impl Push {
    pub fn run(&self, directory: &Path, verbose: bool) -> Result<ExitCode> {
        let (image, references) = split(&self.words)?;
        let source = source::local(image, directory, verbose, &self.seeding)?;
        let client = self.registry.client(&references)?;
        let client = client.mounting(self.mount_from.clone());
        let pushed = push(&client, source.layout(), &references)?;
        match self.format {
            Format::Text => lines(&pushed).iter().for_each(|line| println!("{line}")),
            Format::Json => print_json(&pushed),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The image and the references. What has no slash is taken for an image: a slip of the pen in its
/// name should not push another one to a registry that nobody named.
fn split(words: &[String]) -> Result<(&str, Vec<Reference>)> {
    let (image, references) = match words {
        [first, rest @ ..] if source::is_local(first) => (&**first, rest),
        [first, ..] if !first.contains('/') => {
            bail!("{first} is no layout and no archive here, and an image comes first")
        }
        words => (source::DEFAULT, words),
    };
    if references.is_empty() {
        bail!("where to push {image} to? name it: slipway push {image} HOST/NAME:TAG");
    }
    let parse = |word: &String| word.parse().with_context(|| word.clone());
    Ok((image, references.iter().map(parse).collect::<Result<_>>()?))
}

/// Pushes what a layout holds, and shows how it goes.
pub fn push(client: &Client, layout: &Layout, references: &[Reference]) -> Result<Vec<Pushed>> {
    let progress = progress::for_stderr("pushing");
    Ok(slipway_registry::push(
        client,
        layout,
        layout.top()?,
        references,
        progress.as_ref(),
    )?)
}

/// Each reference with the digest that it has now.
pub fn lines(pushed: &[Pushed]) -> Vec<String> {
    let line = |one: &Pushed| one.reference.pinned(one.digest).to_string();
    pushed.iter().map(line).collect()
}

fn print_json(pushed: &[Pushed]) {
    let rows: Vec<_> = pushed
        .iter()
        .map(|one| {
            json!({
                "reference": one.reference.to_string(),
                "digest": one.digest.to_string(),
                "outcome": match one.outcome {
                    Outcome::Unchanged => "unchanged",
                    Outcome::Tagged => "tagged",
                    Outcome::Sent => "sent",
                },
            })
        })
        .collect();
    println!("{:#}", json!(rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_an_image_if_there_is_such_a_one() {
        let split = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let (image, references) = split(&words)?;
            let names: Vec<String> = references.iter().map(Reference::to_string).collect();
            anyhow::Ok((image.to_owned(), names.join(" ")))
        };
        let it = |image: &str, names: &str| (image.to_owned(), names.to_owned());
        assert_eq!(
            split(&["src", "h:1/a:b", "h:1/c"]).unwrap(),
            it("src", "h:1/a:b h:1/c:latest")
        );
        assert_eq!(
            split(&["x#image", "h:1/a:b"]).unwrap(),
            it("x#image", "h:1/a:b")
        );
        assert_eq!(split(&["h:1/a:b"]).unwrap(), it(".#image", "h:1/a:b"));
        for words in [&["scr", "h:1/a:b"][..], &["src"], &["src", "A"]] {
            assert!(split(words).is_err(), "{words:?}");
        }
    }
}
