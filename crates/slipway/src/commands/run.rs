use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use slipway_oci::config::RuntimeConfig;
use slipway_oci::{Platform, unpack};

use crate::GlobalOptions;
use crate::cli::binfmt;
use crate::cli::key_value::name_and_value;
use crate::image::image_source;
use crate::image::load;

/// Run an image without a container engine, in its own root and PID namespace
///
/// The network and the kernel are those of the machine: this is for looking at what was built, not
/// for keeping it apart.
#[derive(clap::Args)]
pub struct Run {
    /// Image to run: a layout such as ./result or an archive; add :NAME if it has several images
    image: String,

    /// Platform to run [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    env: Vec<(String, String)>,

    /// Arguments, instead of the image's own
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Files of the machine that a program needs to resolve host names. Container engines provide the
/// same files.
const HOST_FILES: [&str; 2] = ["etc/hosts", "etc/resolv.conf"];

impl Run {
    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let source = image_source::on_disk(&self.image)?;
        let layout = source.layout();
        let image = load::choose(layout, self.platform.as_ref())?;
        let runtime = &image.config().value().config;
        let temporary = tempfile::Builder::new().prefix("slipway-run-").tempdir()?;
        let root = temporary.path().join("root");
        unpack(layout, &image, &root)?;
        prepare(&root)?;
        let command_line = self.command_line(runtime)?;
        check_emulator(&root, &command_line[0], image.platform())?;
        let mut command = namespaces(&root, runtime)?;
        command.args(&command_line).env_clear();
        command.envs(
            runtime
                .env
                .iter()
                .filter_map(|variable| variable.split_once('=')),
        );
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let status = run_with_signals(&mut command, child_of)?;
        Ok(exit_code(status))
    }

    fn command_line(&self, runtime: &RuntimeConfig) -> Result<Vec<String>> {
        let arguments = if self.arguments.is_empty() {
            &runtime.cmd
        } else {
            &self.arguments
        };
        let line: Vec<String> = runtime
            .entrypoint
            .iter()
            .chain(arguments)
            .cloned()
            .collect();
        if line.is_empty() {
            bail!("the image says no program to run; name one after --");
        }
        Ok(line)
    }
}

/// Creates the directories and files that a container engine would create.
fn prepare(root: &Path) -> Result<()> {
    for directory in ["etc", "proc", "tmp"] {
        let path = root.join(directory);
        if path.symlink_metadata().is_err() {
            fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        }
    }
    for file in HOST_FILES {
        let (own, copy) = (Path::new("/").join(file), root.join(file));
        if own.exists() && copy.symlink_metadata().is_err() {
            fs::copy(&own, &copy).with_context(|| format!("copying {}", own.display()))?;
        }
    }
    Ok(())
}

fn check_emulator(root: &Path, program: &str, platform: &Platform) -> Result<()> {
    let path = root.join(program.trim_start_matches('/'));
    // Leave a program that is found only inside the root, through a link or PATH, to the kernel.
    if path.symlink_metadata().is_ok_and(|found| found.is_file()) && !binfmt::can_run(&path)? {
        bail!(
            "programs for {platform} cannot run on this machine: no emulator for them is registered with the kernel; \
             install one: apt-get install qemu-user-static"
        );
    }
    Ok(())
}

/// The first process of a PID namespace: runs a command, passes signals on to it, and ends as it does
///
/// The kernel spares this process signals that it does not handle, those of its own faults as well: an
/// emulated program in its place would never end when it crashes.
#[derive(clap::Args)]
pub struct FirstProcess {
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl FirstProcess {
    pub const NAME: &str = "run-first-process";

    pub fn run(&self, _: &GlobalOptions) -> Result<ExitCode> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        let status = run_with_signals(&mut command, |child| Pid::from_raw(child.try_into().ok()?))?;
        Ok(exit_code(status))
    }
}

/// The calls of unshare(1) (util-linux) that start the program. The first creates the namespaces;
/// the second runs below the first process of the PID namespace, and enters the root as the image's
/// user.
fn namespaces(root: &Path, runtime: &RuntimeConfig) -> Result<Command> {
    let (user, group) = user_of(root, runtime.user.as_deref().unwrap_or_default())?;
    // Use the full path of unshare, because PATH will be the image's.
    let path = env::var_os("PATH").unwrap_or_default();
    let unshare = env::split_paths(&path)
        .map(|directory| directory.join("unshare"))
        .find(|file| file.is_file())
        .context("unshare could not be found; it is in the package util-linux")?;
    let is_root = geteuid().is_root();

    let mut command = Command::new(&unshare);
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "--pid", "--fork", "--kill-child"])
        .arg(format!("--mount-proc={}", root.join("proc").display()))
        .arg("--")
        .arg(env::current_exe().context("finding this program")?)
        .args([FirstProcess::NAME, "--"])
        .arg(&unshare);
    if is_root {
        command
            .arg(format!("--setuid={user}"))
            .arg(format!("--setgid={group}"));
    } else {
        command
            .arg("--user")
            .arg(format!("--map-user={user}"))
            .arg(format!("--map-group={group}"));
    }
    command
        .arg(format!("--root={}", root.display()))
        .arg(format!(
            "--wd={}",
            runtime.working_dir.as_deref().unwrap_or("/")
        ))
        .arg("--");
    Ok(command)
}

/// The numeric user and group of `user[:group]` (OCI image-spec, config.md, `User`). Looks up names
/// in the image.
fn user_of(root: &Path, text: &str) -> Result<(u32, u32)> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let row = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|row| row.len() > 3 && (row[0] == user || row[2] == user));
    let number = |field: usize| row.as_ref().and_then(|row| row[field].parse::<u32>().ok());
    let user_number = match user {
        "" => 0,
        user => user
            .parse()
            .ok()
            .or(number(2))
            .with_context(|| format!("the image has no user {user}"))?,
    };
    let group_number = match group {
        "" => number(3).unwrap_or(0),
        group => {
            let groups = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
            let named = groups
                .lines()
                .map(|line| line.split(':').collect::<Vec<_>>());
            let named = named
                .into_iter()
                .find(|row| row.len() > 2 && row[0] == group);
            let named = named.and_then(|row| row[2].parse().ok());
            group
                .parse()
                .ok()
                .or(named)
                .with_context(|| format!("the image has no group {group}"))?
        }
    };
    Ok((user_number, group_number))
}

/// Runs the command, and forwards signals to the process that `target` returns for the command's
/// process ID.
fn run_with_signals(
    command: &mut Command,
    target: impl Fn(u32) -> Option<Pid> + Send + 'static,
) -> Result<ExitStatus> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let mut child = command
        .spawn()
        .with_context(|| format!("running {}", command.get_program().to_string_lossy()))?;
    let handle = signals.handle();
    let started = child.id();
    let forwarder = thread::spawn(move || {
        for signal in signals.forever() {
            // A terminal sends these signals to all processes in its foreground group itself.
            if [SIGINT, SIGQUIT].contains(&signal)
                && std::io::IsTerminal::is_terminal(&std::io::stdin())
            {
                continue;
            }
            if let (Some(pid), Some(signal)) = (target(started), Signal::from_named_raw(signal)) {
                // Ignore an error: the process may have ended already.
                let _ = kill_process(pid, signal);
            }
        }
    });
    let status = child.wait().context("waiting for the program")?;
    handle.close();
    // The thread ends, because no more signals arrive.
    let _ = forwarder.join();
    Ok(status)
}

/// The child process of unshare. unshare itself ignores signals while it waits for the child.
fn child_of(unshare: u32) -> Option<Pid> {
    for _ in 0..100 {
        let children =
            fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
        if let Some(pid) = children.split_whitespace().next() {
            return Pid::from_raw(pid.parse().ok()?);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// The exit code as in a shell: 128 plus the signal number if a signal ended the command.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0::/:\napp:x:65532:65533::/:\n",
        )
        .unwrap();
        fs::write(root.path().join("etc/group"), "web:x:33:\n").unwrap();
        root
    }

    #[test]
    fn user_is_a_name_or_a_number() {
        let root = root();
        for (text, numbers) in [
            ("", (0, 0)),
            ("app", (65532, 65533)),
            ("65532", (65532, 65533)),
            ("7", (7, 0)),
            ("65532:5", (65532, 5)),
            ("app:web", (65532, 33)),
        ] {
            assert_eq!(user_of(root.path(), text).unwrap(), numbers, "{text:?}");
        }
        assert!(user_of(root.path(), "nobody").is_err());
        assert!(user_of(root.path(), "app:nobody").is_err());
    }

    #[test]
    fn variable_is_a_name_and_a_value() {
        assert_eq!(name_and_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(name_and_value("A="), Ok(("A".into(), String::new())));
        assert!(name_and_value("A").is_err() && name_and_value("=b").is_err());
    }
}
