//! What a page tells a reader to type works, in the order in which it is there.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::podman::Podman;
use end_to_end::project::Project;
use end_to_end::registry::{Guard, Registry};
use end_to_end::repository::{Copy, repository};
use end_to_end::{nix, slipway};

/// Programs that are not called here, and why.
const NOT_CALLED: [(&str, &str); 4] = [
    ("apt-get", "the machine is set up"),
    ("cd", "the test is in a copy of the repository"),
    ("git", "and did not fetch it"),
    ("make", "it calls this test"),
];

/// The registry that pages push to.
const REGISTRY: &str = "localhost:5000";

/// The commands in a text: lines after `$ ` in blocks of `console`, and all lines in blocks of
/// `sh` that are no comments. A line that ends with `\` goes on in the next.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut block = None;
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = if block.is_none() {
                Some(kind.trim())
            } else {
                None
            };
            continue;
        }
        let command = match block {
            _ if goes_on => Some(line),
            Some("console") => line.strip_prefix("$ "),
            Some("sh") => Some(line).filter(|line| !line.is_empty() && !line.starts_with('#')),
            _ => None,
        };
        let Some(command) = command else { continue };
        let (words, continued) = match command.strip_suffix('\\') {
            Some(words) => (words, true),
            None => (command, false),
        };
        match commands.last_mut() {
            Some(last) if goes_on => last.push_str(words.trim_start()),
            _ => commands.push(words.into()),
        }
        goes_on = continued;
    }
    commands
}

fn is_called(command: &str) -> bool {
    let program = command.split_whitespace().next();
    !NOT_CALLED.iter().any(|(name, _)| Some(*name) == program)
}

#[test]
fn commands_are_found_in_console_and_shell_blocks_but_not_in_those_for_a_cluster() {
    let text = "$ no\n```console\n$ a -b\noutput\n$ c \\\n    d\n```\n```sh\n# comment\ne\n```\n```nix\nf\n```\n```console cluster\n$ g\n```\n";
    assert_eq!(commands(text), ["a -b", "c d", "e"]);
}

fn try_commands_of(page: &str) -> Result<()> {
    let copy = Copy::new()?;
    // What `make` has made before.
    fs::create_dir_all(copy.file("target/driver"))?;
    let program = slipway::program()?;
    std::os::unix::fs::symlink(&program, copy.file("target/driver/slipway"))?;
    let podman = Podman::new()?;
    // In the place of the reader's own.
    let registry = Registry::start(Guard::Open)?;
    for overlay in ["plaintext", "scram"] {
        let file = format!("deploy/overlays/{overlay}/kustomization.yaml");
        copy.edit(&file, |text| text.replace(REGISTRY, registry.host()))?;
    }
    let kubectl = nix::nix_build(repository(), "kubectl")?.join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let directory = program.parent().unwrap_or(Path::new("/"));
    let path = format!("{}:{}:{path}", directory.display(), kubectl.display());
    try_each(page, |command| {
        let mut shell = shell(&command.replace(REGISTRY, registry.host()));
        shell.current_dir(copy.path()).env("PATH", &path);
        shell.envs(podman.environment());
        shell
    })
}

/// Runs the commands of a page, each as `prepare` makes it.
fn try_each(page: &str, prepare: impl Fn(&str) -> Command) -> Result<()> {
    let text = fs::read_to_string(repository().join(page)).with_context(|| page.to_owned())?;
    let commands = commands(&text);
    ensure!(!commands.is_empty(), "{page} has no commands");
    for command in commands.iter().filter(|command| is_called(command)) {
        prepare(command)
            .text()
            .with_context(|| format!("{page} says: {command}"))?;
    }
    Ok(())
}

fn shell(command: &str) -> Command {
    // An hour is for what would never end.
    let mut shell = Command::new("timeout");
    shell.args(["3600", "bash", "-e", "-o", "pipefail", "-c", command]);
    shell.env("NIX_CONFIG", nix::config());
    shell.env_remove("CARGO_TARGET_DIR");
    shell
}

#[test]
fn every_command_in_the_readme_works() -> Result<()> {
    try_commands_of("README.md")
}

#[test]
fn every_command_for_platforms_works() -> Result<()> {
    try_commands_of("docs/platforms.md")
}

#[test]
fn every_command_for_c_and_cpp_programs_works() -> Result<()> {
    try_commands_of("docs/c.md")
}

#[test]
fn every_command_for_kubernetes_that_needs_no_cluster_works() -> Result<()> {
    try_commands_of("docs/kubernetes.md")
}

#[test]
fn every_command_for_projects_of_others_works_in_one() -> Result<()> {
    let project = Project::example("rust")?;
    let program = slipway::program()?;
    let directory = program.parent().unwrap_or(Path::new("/"));
    let path = std::env::var("PATH").unwrap_or_default();
    try_each("docs/projects.md", |command| {
        let mut shell = shell(command);
        shell.current_dir(project.path());
        shell.env("PATH", format!("{}:{path}", directory.display()));
        shell.env("SLIPWAY_FLAKE", project.slipway_flake());
        shell
    })
}
