//! Runs the commands in the documentation, in their order on each page.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::command::CommandExt;
use end_to_end::documentation::commands;
use end_to_end::podman::Podman;
use end_to_end::project::Project;
use end_to_end::registry::{Guard, Registry};
use end_to_end::repository::{Copy, repository};
use end_to_end::{nix, slipway};

/// Programs that the test does not run, and why.
const NOT_RUN: [(&str, &str); 4] = [
    ("apt-get", "the machine is set up"),
    ("cd", "the test is in a copy of the repository"),
    ("git", "and did not fetch it"),
    ("make", "it calls this test"),
];

/// The kinds of blocks whose commands are run here. own_release.rs runs those of `console install`.
const RUN: [&str; 2] = ["console", "sh"];

/// The registry that the pages push to.
const REGISTRY: &str = "localhost:5000";

fn is_run(command: &str) -> bool {
    let program = command.split_whitespace().next();
    !NOT_RUN.iter().any(|(name, _)| Some(*name) == program)
}

#[test]
fn finds_commands_in_console_and_sh_blocks_but_not_in_cluster_blocks() {
    let text = "$ no\n```console\n$ a -b\noutput\n$ c \\\n    d\n```\n```sh\n# comment\ne\n```\n```nix\nf\n```\n```console cluster\n$ g\n```\n";
    assert_eq!(commands(text, &RUN), ["a -b", "c d", "e"]);
    assert_eq!(commands(text, &["console cluster"]), ["g"]);
}

fn run_commands_of(page: &str) -> Result<()> {
    let copy = Copy::new()?;
    // The output of `make`.
    fs::create_dir_all(copy.file("target/driver"))?;
    let program = slipway::program()?;
    std::os::unix::fs::symlink(&program, copy.file("target/driver/slipway"))?;
    let podman = Podman::new()?;
    // Stands in for the reader's registry.
    let registry = Registry::start(Guard::Open)?;
    for overlay in ["plaintext", "scram"] {
        let file = format!("deploy/overlays/{overlay}/kustomization.yaml");
        copy.edit(&file, |text| text.replace(REGISTRY, registry.host()))?;
    }
    let kubectl = nix::nix_build(repository(), "kubectl")?.join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let directory = program.parent().unwrap_or(Path::new("/"));
    let path = format!("{}:{}:{path}", directory.display(), kubectl.display());
    run_each(page, |command| {
        let mut shell = shell(&command.replace(REGISTRY, registry.host()));
        shell.current_dir(copy.path()).env("PATH", &path);
        shell.envs(podman.environment());
        shell
    })
}

/// Runs the commands of a page, each prepared by `prepare`.
fn run_each(page: &str, prepare: impl Fn(&str) -> Command) -> Result<()> {
    let text = fs::read_to_string(repository().join(page)).with_context(|| page.to_owned())?;
    let commands = commands(&text, &RUN);
    ensure!(!commands.is_empty(), "{page} has no commands");
    for command in commands.iter().filter(|command| is_run(command)) {
        prepare(command)
            .text()
            .with_context(|| format!("{page} says: {command}"))?;
    }
    Ok(())
}

fn shell(command: &str) -> Command {
    // Stop a command that does not end within an hour.
    let mut shell = Command::new("timeout");
    shell.args(["3600", "bash", "-e", "-o", "pipefail", "-c", command]);
    shell.env("NIX_CONFIG", nix::config());
    shell.env_remove("CARGO_TARGET_DIR");
    shell
}

#[test]
fn every_command_in_the_readme_works() -> Result<()> {
    run_commands_of("README.md")
}

#[test]
fn every_command_in_platforms_md_works() -> Result<()> {
    run_commands_of("docs/platforms.md")
}

#[test]
fn every_command_in_c_md_works() -> Result<()> {
    run_commands_of("docs/c.md")
}

#[test]
fn every_command_in_kubernetes_md_without_a_cluster_works() -> Result<()> {
    run_commands_of("docs/kubernetes.md")
}

#[test]
fn every_command_in_compose_md_without_compose_works() -> Result<()> {
    run_commands_of("docs/compose.md")
}

#[test]
fn every_command_in_projects_md_works() -> Result<()> {
    run_commands_in(&Project::example("rust")?, "docs/projects.md")
}

#[test]
fn every_command_in_go_md_works() -> Result<()> {
    run_commands_in(&Project::example("go")?, "docs/go.md")
}

/// Runs the commands of a page in a user's project.
fn run_commands_in(project: &Project, page: &str) -> Result<()> {
    let program = slipway::program()?;
    let directory = program.parent().unwrap_or(Path::new("/"));
    let path = std::env::var("PATH").unwrap_or_default();
    run_each(page, |command| {
        let mut shell = shell(command);
        shell.current_dir(project.path());
        shell.env("PATH", format!("{}:{path}", directory.display()));
        shell.env("SLIPWAY_FLAKE", project.slipway_flake());
        shell
    })
}

#[test]
fn every_code_of_verify_is_documented() -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(repository().join(name));
    let (source, page) = (
        read("crates/slipway-verify/src/finding.rs")?,
        read("docs/verify.md")?,
    );
    let names = source.split("pub fn name(").nth(1).context("no codes")?;
    let names = names.split("\n    }\n").next().unwrap_or_default();
    let code = |line: &str| {
        line.split("=> \"")
            .nth(1)?
            .split('"')
            .next()
            .map(str::to_owned)
    };
    let codes: Vec<String> = names.lines().filter_map(code).collect();
    for code in &codes {
        assert!(page.contains(&format!("| `{code}` | ")), "{code}");
    }
    assert_eq!(codes.len(), page.matches("\n| `").count());
    Ok(())
}
