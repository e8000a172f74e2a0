//! The container of `slipway dev`: one at a time, with a fixed name, so that it can be removed
//! whatever happened before.

use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::interrupt;
use crate::image::container_engine::Engine;

/// After how many seconds a program is killed that does not end on SIGTERM. As the first process of a
/// container, a program has to handle this signal to end by it.
const GRACE: &str = "2";

/// How often to look whether a container has started or ended.
const STEP: Duration = Duration::from_millis(20);
/// How long to wait at most until a container starts, which may include that it is made.
const START: Duration = Duration::from_secs(30);
/// How long to wait for the last output of a container that has ended.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

/// A container that is replaced by each build. Removed when dropped, and when a signal ends the
/// command.
pub struct DevContainer {
    engine: Engine,
    name: String,
    /// Held while the container changes.
    lock: Arc<Mutex<()>>,
    /// Whether the container is to end.
    is_stopped: Arc<AtomicBool>,
    running: Option<Running>,
}

/// The engine's command, which runs as long as the container, and prints its output.
struct Running {
    pid: Pid,
    /// Waits for it.
    end: JoinHandle<()>,
}

impl DevContainer {
    pub fn new(engine: Engine) -> Result<Self> {
        if engine == Engine::Containerd {
            bail!(
                "containerd has no command that runs containers as needed here; use podman or docker"
            );
        }
        let name = format!("slipway-dev-{}", process::id());
        let lock = Arc::new(Mutex::new(()));
        let is_stopped = Arc::new(AtomicBool::new(false));
        interrupt::before_end({
            let (name, lock, is_stopped) = (name.clone(), lock.clone(), is_stopped.clone());
            move || {
                // The lock stays: no new container may start from here on.
                mem::forget(hold(&lock));
                is_stopped.store(true, Ordering::SeqCst);
                stop(engine, &name);
                remove(engine, &name);
            }
        });
        Ok(Self {
            engine,
            name,
            lock,
            is_stopped,
            running: None,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops the container, and starts one of another image. `options` are those of `podman run` and
    /// `docker run`. Returns once the new one runs or has ended.
    pub fn replace(&mut self, image: &str, options: &[String], arguments: &[String]) -> Result<()> {
        let lock = self.lock.clone();
        let _held = hold(&lock);
        self.stop();
        self.is_stopped.store(false, Ordering::SeqCst);
        let mut run = Command::new(self.engine.program());
        run.args(["run", "--pull=never", "--name", &self.name]);
        run.args(options).arg(image).args(arguments);
        // Ctrl-C does not reach it, so that the last output of the container is seen.
        run.stdin(Stdio::null()).process_group(0);
        let mut child = run
            .spawn()
            .with_context(|| format!("running {} run", self.engine))?;
        let pid = Pid::from_child(&child);
        let is_stopped = self.is_stopped.clone();
        let end = thread::spawn(move || {
            let status = child.wait();
            if !is_stopped.load(Ordering::SeqCst) {
                eprintln!("the container ended: {}", shown(status));
            }
        });
        wait(START, || end.is_finished() || self.is_running());
        self.running = Some(Running { pid, end });
        Ok(())
    }

    fn is_running(&self) -> bool {
        let mut inspect = Command::new(self.engine.program());
        inspect.args(["inspect", "--format={{.State.Running}}", &self.name]);
        let output = inspect.stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.stdout.starts_with(b"true"))
    }

    fn stop(&mut self) {
        let Some(Running { pid, end }) = self.running.take() else {
            return;
        };
        self.is_stopped.store(true, Ordering::SeqCst);
        stop(self.engine, &self.name);
        wait(LAST_OUTPUT, || end.is_finished());
        if !end.is_finished() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = end.join();
        remove(self.engine, &self.name);
    }
}

impl Drop for DevContainer {
    fn drop(&mut self) {
        let lock = self.lock.clone();
        let _held = hold(&lock);
        self.stop();
    }
}

fn hold(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(longest: Duration, is_over: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_over() && start.elapsed() < longest {
        thread::sleep(STEP);
    }
}

fn shown(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Stops a container, if it runs.
fn stop(engine: Engine, name: &str) {
    let _ = engine.call(["stop", "-t", GRACE, name]);
}

/// Removes a container, if it is there.
fn remove(engine: Engine, name: &str) {
    let _ = engine.call(["rm", "--force", name]);
}
