use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use slipway_oci::{Digest, Layout, Platform};
use slipway_progress::seconds;
use slipway_registry::{Client, Reference};

use crate::GlobalOptions;
use crate::cli::{error_display, registry};
use crate::image::container_engine::Engine;
use crate::image::dev_container::DevContainer;
use crate::image::{entrypoint_detection, image_source, load};
use crate::project::Project;
use crate::project::platform_table::Table;
use crate::project::seeds;
use crate::project::source_watch::SourceWatch;

/// Build an image at each save, and run it in place of the one before
///
/// Builds when a file changes that Nix reads: in a git repository those that git tracks. A build that
/// fails leaves the container as it is. Ctrl-C removes the container and ends.
#[derive(clap::Args)]
pub struct Dev {
    /// Image to build; the platform's name is added to the attribute
    #[arg(short, long, value_name = "FLAKE#ATTR", default_value = image_source::DEFAULT)]
    file: String,

    /// Platform to build for [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Push each image to this reference and print its digest, and run nothing here
    #[arg(
        long,
        value_name = "REF",
        conflicts_with_all = ["tag", "into", "env", "publish", "volume", "network", "arguments"]
    )]
    push: Option<Reference>,

    /// Name of the image, as NAME:TAG [default: localhost/TITLE:latest]
    #[arg(short, long, value_name = "REF")]
    tag: Option<Reference>,

    /// Engine to run the image in [default: the first that answers]
    #[arg(long, value_enum, value_name = "ENGINE")]
    into: Option<Engine>,

    /// Set an environment variable of the container (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,

    /// Make a port of the container reachable, as `podman run` and `docker run` do (repeatable)
    #[arg(short, long, value_name = "PORTS")]
    publish: Vec<String>,

    /// Mount a file or directory into the container, as `podman run` and `docker run` do (repeatable)
    #[arg(long, value_name = "SOURCE:TARGET")]
    volume: Vec<String>,

    /// Network of the container, such as host
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,

    #[command(flatten)]
    registry: registry::Options,

    #[command(flatten)]
    seeding: seeds::Options,

    /// Arguments of the program, instead of the image's own
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Where images go.
enum Destination {
    Registry {
        client: Box<Client>,
        reference: Reference,
    },
    Container {
        engine: Engine,
        container: DevContainer,
    },
}

/// The image that went there last.
struct Current {
    manifest: Digest,
    /// Its ID in a container engine.
    id: Digest,
}

impl Dev {
    pub fn run(&self, global: &GlobalOptions) -> Result<ExitCode> {
        let root = Project::find(&global.directory)?.root;
        let mut destination = self.destination()?;
        let mut attribute = None;
        let mut current = None;
        loop {
            let watch = SourceWatch::start(&root)?;
            let start = Instant::now();
            let updated = self
                .build(global, &mut attribute)
                .and_then(|source| self.update(source.layout(), &mut destination, &mut current));
            match updated {
                Ok(Some(what)) => eprintln!("{what}, {}", seconds(start.elapsed())),
                Ok(None) => eprintln!("the image is the same, {}", seconds(start.elapsed())),
                Err(error) => eprintln!("error: {}", error_display::one_line(&error)),
            }
            eprintln!("waiting for the next save; Ctrl-C ends");
            watch.wait()?;
        }
    }

    fn destination(&self) -> Result<Destination> {
        if let Some(reference) = &self.push {
            if reference.digest().is_some() {
                bail!("{reference} has a digest, which the next build will not have; name a tag");
            }
            return Ok(Destination::Registry {
                client: Box::new(self.registry.client(std::slice::from_ref(reference))?),
                reference: reference.clone(),
            });
        }
        let engine = match self.into {
            Some(engine) => engine,
            None => Engine::find()?,
        };
        Ok(Destination::Container {
            engine,
            container: DevContainer::new(engine)?,
        })
    }

    /// Builds the image. The attribute is looked up once.
    fn build(
        &self,
        global: &GlobalOptions,
        attribute: &mut Option<String>,
    ) -> Result<image_source::Source> {
        let (directory, verbose) = (global.directory.as_path(), global.verbose);
        let attribute = match attribute {
            Some(attribute) => attribute,
            None => {
                let project = Project::find(directory)?;
                let nix = project.nix(verbose, std::slice::from_ref(&self.file))?;
                let platform = match &self.platform {
                    Some(platform) => platform.clone(),
                    None => entrypoint_detection::this_machine()?,
                };
                attribute.insert(Table::read(&nix)?.attribute(&self.file, &platform)?)
            }
        };
        image_source::local(attribute, directory, verbose, &self.seeding)
    }

    /// Pushes the image, or runs it. Returns what it did, or `None` if the image is the same as
    /// before.
    fn update(
        &self,
        layout: &Layout,
        destination: &mut Destination,
        current: &mut Option<Current>,
    ) -> Result<Option<String>> {
        let image = load::choose(layout, self.platform.as_ref())?;
        let new = Current {
            manifest: image.manifest().descriptor().digest,
            id: image.config().descriptor().digest,
        };
        if current
            .as_ref()
            .is_some_and(|old| old.manifest == new.manifest)
        {
            return Ok(None);
        }
        let old = current.take();
        let what = match destination {
            Destination::Registry { client, reference } => {
                let pushed = registry::push(client, layout, std::slice::from_ref(reference))?;
                registry::lines(&pushed)
                    .iter()
                    .for_each(|line| println!("{line}"));
                format!("{} is pushed", image.platform())
            }
            Destination::Container { engine, container } => {
                let names = load::names(&image, self.tag.as_slice())?;
                engine.load(layout, &image, &names)?;
                container.replace(&names[0], &self.container_options(), &self.arguments)?;
                if let Some(old) = old {
                    // It may have another name, or another container.
                    let _ = engine.call(["rmi", &old.id.to_string()]);
                }
                format!("{} runs as {}", names[0], container.name())
            }
        };
        *current = Some(new);
        Ok(Some(what))
    }

    /// Options of `podman run` and `docker run`.
    fn container_options(&self) -> Vec<String> {
        let repeated = [
            ("--env", &self.env),
            ("--publish", &self.publish),
            ("--volume", &self.volume),
        ];
        let options = repeated
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")));
        let network = self.network.iter().map(|it| format!("--network={it}"));
        options.chain(network).collect()
    }
}
