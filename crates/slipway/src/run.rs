use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use slipway_oci::config::Execution;
use slipway_oci::{Image, Layout, Platform, unpack};
use slipway_verify::Machine;

use crate::binfmt;
use crate::pair::name_and_value;

/// Run an image without a container engine, in a root and a PID namespace of its own
///
/// The network and the kernel are those of the machine: this is for looking at what was built, not
/// for keeping it apart.
#[derive(clap::Args)]
pub struct Run {
    /// Image layout to run: a directory such as ./result
    layout: PathBuf,

    /// Platform to run, if the layout holds several [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    env: Vec<(String, String)>,

    /// Arguments, in place of those that the image has
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Files of the machine that a program needs to reach others by name; container engines lend the
/// same.
const LENT: [&str; 2] = ["etc/hosts", "etc/resolv.conf"];

impl Run {
    pub fn run(&self) -> Result<ExitCode> {
        let layout = Layout::open(&self.layout)?;
        let image = self.choose(&layout)?;
        let execution = &image.config().value().config;
        let temporary = tempfile::Builder::new().prefix("slipway-run-").tempdir()?;
        let root = temporary.path().join("root");
        unpack(&layout, &image, &root)?;
        prepare(&root)?;
        let command_line = self.command_line(execution)?;
        check_emulator(&root, &command_line[0], image.platform())?;
        let mut command = unshare(&root, execution)?;
        command.args(&command_line).env_clear();
        command.envs(
            execution
                .env
                .iter()
                .filter_map(|variable| variable.split_once('=')),
        );
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let status = run_with_signals(&mut command)?;
        Ok(exit_code(status))
    }

    fn choose(&self, layout: &Layout) -> Result<Image> {
        if let Some(platform) = &self.platform {
            return Ok(layout.image(platform)?);
        }
        let mut images = layout.images()?;
        if images.len() == 1 {
            return Ok(images.remove(0));
        }
        let own = Machine::of_file(Path::new("/proc/self/exe"))?;
        let is_own = |image: &Image| own.is_some() && own == Machine::of(image.platform());
        if let Some(at) = images.iter().position(is_own) {
            return Ok(images.swap_remove(at));
        }
        let names: Vec<String> = images
            .iter()
            .map(|image| image.platform().to_string())
            .collect();
        bail!(
            "{} holds several images, and none for this machine; name one with --platform: {}",
            self.layout.display(),
            names.join(", ")
        )
    }

    fn command_line(&self, execution: &Execution) -> Result<Vec<String>> {
        let arguments = if self.arguments.is_empty() {
            &execution.cmd
        } else {
            &self.arguments
        };
        let line: Vec<String> = execution
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

/// Makes the places that a container engine would make.
fn prepare(root: &Path) -> Result<()> {
    for directory in ["etc", "proc", "tmp"] {
        let path = root.join(directory);
        if path.symlink_metadata().is_err() {
            fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        }
    }
    for file in LENT {
        let (own, lent) = (Path::new("/").join(file), root.join(file));
        if own.exists() && lent.symlink_metadata().is_err() {
            fs::copy(&own, &lent).with_context(|| format!("copying {}", own.display()))?;
        }
    }
    Ok(())
}

fn check_emulator(root: &Path, program: &str, platform: &Platform) -> Result<()> {
    let path = root.join(program.trim_start_matches('/'));
    // A program that is found only from within, through a link or PATH, is left to the kernel to
    // judge.
    if path.symlink_metadata().is_ok_and(|found| found.is_file()) && !binfmt::can_run(&path)? {
        bail!(
            "programs for {platform} cannot run on this machine: no emulator for them is registered with the kernel; \
             install one: apt-get install qemu-user-static"
        );
    }
    Ok(())
}

/// The call of unshare(1) (util-linux), up to the program to run.
fn unshare(root: &Path, execution: &Execution) -> Result<Command> {
    let (user, group) = user_of(root, execution.user.as_deref().unwrap_or_default())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    if geteuid().is_root() {
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
        .arg("--mount-proc=/proc");
    command
        .arg(format!(
            "--wd={}",
            execution.working_dir.as_deref().unwrap_or("/")
        ))
        .arg("--");
    Ok(command)
}

/// The numbers of `user[:group]` (OCI image-spec, config.md, `User`), of which names are looked up
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

/// Runs the command, and passes on what would end it.
fn run_with_signals(command: &mut Command) -> Result<ExitStatus> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut child = command
        .spawn()
        .context("unshare could not be run; it is in the package util-linux")?;
    let handle = signals.handle();
    let unshare = child.id();
    let forwarder = thread::spawn(move || {
        for signal in signals.forever() {
            // A terminal sends it to all of its programs by itself.
            if signal == SIGINT && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                continue;
            }
            if let (Some(pid), Some(signal)) = (program_of(unshare), Signal::from_named_raw(signal))
            {
                // That it has ended meanwhile is what was wanted.
                let _ = kill_process(pid, signal);
            }
        }
    });
    let status = child.wait().context("waiting for the program")?;
    handle.close();
    // It only waits for signals, and there are none any more.
    let _ = forwarder.join();
    Ok(status)
}

/// The process that unshare made: unshare itself holds signals back while it waits for it.
fn program_of(unshare: u32) -> Option<Pid> {
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

/// As a shell gives it: 128 and the number of the signal that ended it.
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
    fn the_user_of_an_image_is_a_name_or_a_number() {
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
    fn a_variable_has_a_name_and_a_value() {
        assert_eq!(name_and_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(name_and_value("A="), Ok(("A".into(), String::new())));
        assert!(name_and_value("A").is_err() && name_and_value("=b").is_err());
    }
}
