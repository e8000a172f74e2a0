use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use slipway_registry::{Outcome, Pushed, Reference, Repository};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::registry;
use crate::image::image_source;
use crate::project::seeds;

/// Push an image with all its platforms to a registry
///
/// Sends only what the registry lacks, and moves a tag after everything else is there. Prints
/// REFERENCE@DIGEST for each reference.
#[derive(clap::Args)]
#[command(override_usage = "slipway push [OPTIONS] [IMAGE] <REFERENCE>...")]
pub struct Push {
    /// Image to push (a layout, an archive or a flake output) [default: .#image], then where to:
    /// [HOST[:PORT]/]NAME[:TAG]; the default tag is `latest`
    #[arg(required = true, value_name = "IMAGE|REFERENCE")]
    words: Vec<String>,

    /// Repository of the same registry that may have some of the layers (repeatable)
    #[arg(long, value_name = "REPOSITORY")]
    mount_from: Vec<Repository>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,

    #[command(flatten)]
    seeding: seeds::Options,
}

impl Push {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let (image, references) = split(&self.words)?;
        let source = image_source::local(image, directory, verbose, &self.seeding)?;
        let client = self.registry.client(&references)?;
        let client = client.mounting(self.mount_from.clone());
        let pushed = registry::push(&client, source.layout(), &references)?;
        match self.format {
            Format::Text => registry::lines(&pushed)
                .iter()
                .for_each(|line| println!("{line}")),
            Format::Json => print_json(&pushed),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Splits the arguments into the image and the references. A word without a slash is an image: a
/// typo in the image's name must not push another image to a registry that nobody named.
fn split(words: &[String]) -> Result<(&str, Vec<Reference>)> {
    let (image, references) = match words {
        [first, rest @ ..] if image_source::is_local(first) => (&**first, rest),
        [first, ..] if !first.contains('/') => {
            bail!("{first} is neither a layout nor an archive, and the image comes first")
        }
        words => (image_source::DEFAULT, words),
    };
    if references.is_empty() {
        bail!("where to push {image} to? name it: slipway push {image} HOST/NAME:TAG");
    }
    let parse = |word: &String| word.parse().with_context(|| word.clone());
    Ok((image, references.iter().map(parse).collect::<Result<_>>()?))
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
    fn first_word_is_an_image_unless_it_is_a_reference() {
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
