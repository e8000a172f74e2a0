//! Loads images into container engines. Each engine reads an archive from standard input, with its
//! own command and options.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use slipway_oci::layout::oci_archive;
use slipway_oci::{Image, Layout};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Podman,
    Docker,
    Containerd,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
        })
    }
}

impl Engine {
    const ALL: [Self; 3] = [Self::Podman, Self::Docker, Self::Containerd];

    /// The first engine that answers.
    pub fn find() -> Result<Self> {
        let mut reasons = Vec::new();
        for engine in Self::ALL {
            match engine.answers() {
                Ok(()) => return Ok(engine),
                Err(reason) => reasons.push(format!("{engine}: {reason}")),
            }
        }
        bail!(
            "no container engine is here to load the image into ({}); install podman, or start one of them",
            reasons.join("; ")
        )
    }

    /// The name of its command.
    pub fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Containerd => "ctr",
        }
    }

    /// Checks that the engine is installed and that its daemon, if it has one, is running. The
    /// error is the reason for the user.
    pub fn answers(self) -> Result<(), String> {
        let program = self.program();
        let arguments: &[&str] = match self {
            Self::Podman => &["--version"],
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
            Self::Containerd => &["version"],
        };
        let output = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(last_line(&output.stderr)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(format!("there is no {program}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Loads one image of a layout under these names.
    pub fn load(self, layout: &Layout, image: &Image, names: &[String]) -> Result<()> {
        let tops = |names: &[String]| -> Vec<_> {
            let top = image.descriptor();
            names
                .iter()
                .map(|name| oci_archive::named(&top, name))
                .collect()
        };
        match self {
            Self::Docker => feed(Command::new(self.program()).arg("load"), |to| {
                oci_archive::write_docker(layout, image, names, to)
            }),
            Self::Containerd => {
                let mut import = Command::new(self.program());
                import.args(["images", "import", "--platform"]);
                import.args([&image.platform().to_string(), "-"]);
                feed(&mut import, |to| {
                    oci_archive::write(layout, &tops(names), to)
                })
            }
            Self::Podman => {
                // Podman rejects an archive with several names unless the user chooses one, so the
                // other names are added as tags.
                let (first, others) = names.split_at(1);
                feed(Command::new(self.program()).arg("load"), |to| {
                    oci_archive::write(layout, &tops(first), to)
                })?;
                if others.is_empty() {
                    return Ok(());
                }
                self.call(["tag"].into_iter().chain(names.iter().map(String::as_str)))
            }
        }
    }

    /// Runs its command with these arguments and without input.
    pub fn call<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
        feed(Command::new(self.program()).args(arguments), |_| Ok(()))
    }
}

/// Runs a command, and passes it the output of `write` as standard input.
fn feed(
    command: &mut Command,
    write: impl FnOnce(&mut dyn Write) -> slipway_oci::Result<()> + Send,
) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {shown}"))?;
    let input = child.stdin.take();
    let (written, output) = thread::scope(|scope| {
        // Write and read at the same time, so that neither pipe fills up and blocks.
        let writer = scope.spawn(move || match input {
            Some(input) => write(&mut BufWriter::with_capacity(128 * 1024, input)),
            None => Ok(()),
        });
        let output = child.wait_with_output();
        (writer.join(), output)
    });
    let output = output.with_context(|| format!("waiting for {shown}"))?;
    // If the command fails early, the writer sees only a broken pipe. Report the command's own
    // message.
    if !output.status.success() {
        bail!("{shown} failed: {}", last_line(&output.stderr));
    }
    match written {
        Ok(written) => Ok(written?),
        Err(cause) => std::panic::resume_unwind(cause),
    }
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or("it said nothing").to_owned()
}
