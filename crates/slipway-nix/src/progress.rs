//! What a build tells about itself: a line for each derivation, and on a terminal a live view of
//! those being built.

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::path::StorePath;

/// Told how a build goes.
pub trait Progress {
    /// How many derivations are built by now, of how many that are known to be needed.
    fn count(&self, built: u64, needed: u64);
    fn started(&self, derivation: &StorePath);
    /// A line of its log.
    fn log(&self, derivation: &StorePath, line: &str);
    fn finished(&self, derivation: &StorePath, failed: bool);
    /// Something else that Nix wants to be known.
    fn note(&self, message: &str);
}

/// The progress that suits standard error.
pub fn for_stderr() -> Box<dyn Progress> {
    if stderr().is_terminal() {
        Box::new(Live::new())
    } else {
        Box::new(Lines(Mutex::default()))
    }
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn count(&self, _: u64, _: u64) {}
    fn started(&self, _: &StorePath) {}
    fn log(&self, _: &StorePath, _: &str) {}
    fn finished(&self, _: &StorePath, _: bool) {}
    fn note(&self, _: &str) {}
}

fn title(derivation: &StorePath) -> &str {
    derivation.name().trim_end_matches(".drv")
}

fn result_line(derivation: &StorePath, since: Option<Duration>, failed: bool) -> String {
    let verb = if failed { "failed" } else { "built" };
    let seconds = since.unwrap_or_default().as_secs_f64();
    format!("{verb} {} ({seconds:.1} s)", title(derivation))
}

struct Lines(Mutex<HashMap<StorePath, Instant>>);

impl Progress for Lines {
    fn count(&self, _: u64, _: u64) {}

    fn started(&self, derivation: &StorePath) {
        lock(&self.0).insert(derivation.clone(), Instant::now());
    }

    fn log(&self, _: &StorePath, _: &str) {}

    fn finished(&self, derivation: &StorePath, failed: bool) {
        let since = lock(&self.0)
            .remove(derivation)
            .map(|start| start.elapsed());
        eprintln!("{}", result_line(derivation, since, failed));
    }

    fn note(&self, message: &str) {
        eprintln!("{message}");
    }
}

struct Live {
    all: MultiProgress,
    /// Below those of the derivations.
    total: ProgressBar,
    running: Mutex<HashMap<StorePath, (ProgressBar, Instant)>>,
}

impl Live {
    fn new() -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::no_length());
        total.set_style(style("{bar:30} {pos}/{len} built, {elapsed}"));
        Self {
            all,
            total,
            running: Mutex::default(),
        }
    }
}

/// A template that is wrong would only look less good.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Live {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}

impl Progress for Live {
    fn count(&self, built: u64, needed: u64) {
        if needed > 0 {
            self.total.set_length(needed);
            self.total.set_position(built);
            self.total.enable_steady_tick(Duration::from_millis(500));
        }
    }

    fn started(&self, derivation: &StorePath) {
        let bar = self
            .all
            .insert_before(&self.total, ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg:.dim}"));
        bar.set_prefix(title(derivation).to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        lock(&self.running).insert(derivation.clone(), (bar, Instant::now()));
    }

    fn log(&self, derivation: &StorePath, line: &str) {
        if let Some((bar, _)) = lock(&self.running).get(derivation) {
            bar.set_message(line.to_owned());
        }
    }

    fn finished(&self, derivation: &StorePath, failed: bool) {
        let ended = lock(&self.running).remove(derivation);
        if let Some((bar, start)) = ended {
            bar.finish_and_clear();
            self.note(&result_line(derivation, Some(start.elapsed()), failed));
        }
    }

    fn note(&self, message: &str) {
        // That the terminal is gone is no reason to stop a build.
        let _ = self.all.println(message);
    }
}

/// A thread that panicked while it held the lock can only have left a line too many.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
