use std::process::ExitCode;

use anyhow::{Result, ensure};
use serde_json::json;
use slipway_oci::{Image, StorePath};
use slipway_registry::{Contents, Reference};

use crate::GlobalOptions;
use crate::cli::format::Format;
use crate::cli::temp_dir::TempDir;
use crate::cli::{progress, registry};

/// Print the commands that start a shell in a debug image
///
/// A debug image is what `slipway build --debug` makes: an image with busybox and strace in further
/// layers. kubectl starts it beside a container of a pod, and shares the container's processes.
#[derive(clap::Args)]
pub struct Debug {
    /// Debug image in a registry
    #[arg(value_name = "REFERENCE")]
    reference: Reference,

    /// Pod to start the shell in
    #[arg(long, default_value = "POD")]
    pod: String,

    /// Container of the pod whose processes the shell sees
    #[arg(long, default_value = "CONTAINER")]
    container: String,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    registry: registry::Options,
}

/// The shell in debug images (nix/debug-files.nix).
const SHELL: &str = "/usr/local/bin/sh";

impl Debug {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let temp_dir = TempDir::new()?;
        let layout = slipway_registry::pull(
            &self
                .registry
                .client(std::slice::from_ref(&self.reference))?,
            &self.reference,
            Contents::Documents,
            &temp_dir.path().join("layout"),
            progress::for_stderr().as_ref(),
        )?;
        ensure!(
            layout.images()?.iter().all(has_tools),
            "{} has no tools; push the debug image, and name it here: slipway build --debug --push --tag REFERENCE",
            self.reference
        );
        // Podman refuses a reference with both a tag and a digest.
        let image = self.reference.repository().pinned(layout.top()?.digest);
        let image = image.to_string();
        let podman = [
            "podman",
            "run",
            "--rm",
            "--interactive",
            "--tty",
            "--entrypoint",
            SHELL,
            &image,
        ];
        let (of, container) = (
            format!("--image={image}"),
            format!("--target={}", self.container),
        );
        // The profile lets strace attach to processes.
        let kubectl = [
            "kubectl",
            "debug",
            &self.pod,
            "--stdin",
            "--tty",
            "--profile=general",
            &of,
            &container,
            "--",
            SHELL,
        ];
        match self.format {
            Format::Text => println!("{}\n{}", podman.join(" "), kubectl.join(" ")),
            Format::Json => println!("{:#}", json!({"podman": podman, "kubectl": kubectl})),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether the history of the image has busybox as Slipway adds it.
fn has_tools(image: &Image) -> bool {
    let paths = image.config().value().store_paths();
    let is_busybox = |path: &StorePath| path.name().starts_with("busybox-static_");
    paths.iter().any(is_busybox)
}
