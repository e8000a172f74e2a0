//! What a push or a pull tells about itself: a bar on a terminal, plain lines in a pipe, nothing
//! in tests.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Told how a transfer goes. Called from several threads.
pub trait Progress: Sync {
    /// Before the first blob: how many there are, and of how many bytes together.
    fn start(&self, blobs: usize, bytes: u64);
    /// Bytes went over, or need not, since they are there already.
    fn advance(&self, bytes: u64);
    /// Bytes that were counted have to go over again.
    fn rewind(&self, bytes: u64);
    /// A blob is at its end; `how` is a word such as `pushed`.
    fn done(&self, blob: &str, bytes: u64, how: &str);
    /// Something that the user may want to know: a retry.
    fn note(&self, message: &str);
    /// Everything is there, or has failed.
    fn end(&self);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: usize, _: u64) {}
    fn advance(&self, _: u64) {}
    fn rewind(&self, _: u64) {}
    fn done(&self, _: &str, _: u64, _: &str) {}
    fn note(&self, _: &str) {}
    fn end(&self) {}
}

/// The progress that suits standard error; `verb` is what is done, such as `pushing`.
pub fn for_stderr(verb: &'static str) -> Box<dyn Progress> {
    if stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        Box::new(Bar(bar, verb))
    } else {
        Box::new(Lines(
            verb,
            Mutex::new(Counted {
                total: 0,
                done: 0,
                shown: Instant::now(),
            }),
        ))
    }
}

struct Bar(ProgressBar, &'static str);

impl Progress for Bar {
    fn start(&self, blobs: usize, bytes: u64) {
        let template = "{prefix} {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_prefix(self.1);
        self.0.set_message(blobs_of(blobs));
        self.0.set_length(bytes);
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn rewind(&self, bytes: u64) {
        self.0.dec(bytes);
    }

    fn done(&self, _: &str, _: u64, _: &str) {}

    fn note(&self, message: &str) {
        self.0.println(message);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// How often plain lines are printed.
const LINE_EVERY: Duration = Duration::from_secs(5);

struct Lines(&'static str, Mutex<Counted>);

struct Counted {
    total: u64,
    done: u64,
    shown: Instant,
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut Counted)) {
        // A thread that panicked while it held the lock leaves numbers that are at worst a little
        // off.
        change(&mut self.1.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Lines {
    fn start(&self, blobs: usize, bytes: u64) {
        self.update(|counted| {
            *counted = Counted {
                total: bytes,
                done: 0,
                shown: Instant::now(),
            }
        });
        eprintln!("{} {}, {}", self.0, blobs_of(blobs), megabytes(bytes));
    }

    fn advance(&self, bytes: u64) {
        self.update(|counted| {
            counted.done += bytes;
            if counted.shown.elapsed() >= LINE_EVERY {
                counted.shown = Instant::now();
                let (done, total) = (megabytes(counted.done), megabytes(counted.total));
                eprintln!("{} {done} of {total}", self.0);
            }
        });
    }

    fn rewind(&self, bytes: u64) {
        self.update(|counted| counted.done = counted.done.saturating_sub(bytes));
    }

    fn done(&self, blob: &str, bytes: u64, how: &str) {
        eprintln!("{how} {blob}, {}", megabytes(bytes));
    }

    fn note(&self, message: &str) {
        eprintln!("{message}");
    }

    fn end(&self) {}
}

fn blobs_of(count: usize) -> String {
    format!("{count} blob{}", if count == 1 { "" } else { "s" })
}

/// `148.2 MB`: a million bytes each.
fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
