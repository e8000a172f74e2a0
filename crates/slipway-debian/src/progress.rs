//! What a download tells about itself: a bar on a terminal, plain lines in a pipe, nothing in
//! tests.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Told how downloads go. Called from several threads.
pub trait Progress: Sync {
    /// Before the first byte: how many files, and of how many bytes together.
    fn start(&self, files: usize, bytes: u64);
    /// Bytes came in, or were found from an earlier run.
    fn advance(&self, bytes: u64);
    /// Bytes that were counted have to be fetched again.
    fn rewind(&self, bytes: u64);
    /// Something that the user may want to know: a retry, a mirror that is down.
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
    fn note(&self, _: &str) {}
    fn end(&self) {}
}

/// The progress that suits standard error: a bar on a terminal, plain lines otherwise.
pub fn for_stderr() -> Box<dyn Progress> {
    if stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        Box::new(Bar(bar))
    } else {
        Box::new(Lines(Mutex::new(Counted {
            total: 0,
            done: 0,
            shown: Instant::now(),
        })))
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn start(&self, files: usize, bytes: u64) {
        let template = "fetching {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_message(files_of(files));
        self.0.set_length(bytes);
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn rewind(&self, bytes: u64) {
        self.0.dec(bytes);
    }

    fn note(&self, message: &str) {
        self.0.println(message);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// How often plain lines are printed.
const LINE_EVERY: Duration = Duration::from_secs(5);

struct Lines(Mutex<Counted>);

struct Counted {
    total: u64,
    done: u64,
    shown: Instant,
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut Counted)) {
        // A thread that panicked while it held the lock leaves numbers that are at worst a little
        // off.
        let mut counted = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut counted);
    }
}

impl Progress for Lines {
    fn start(&self, files: usize, bytes: u64) {
        self.update(|counted| {
            *counted = Counted {
                total: bytes,
                done: 0,
                shown: Instant::now(),
            }
        });
        eprintln!("fetching {}, {}", files_of(files), megabytes(bytes));
    }

    fn advance(&self, bytes: u64) {
        self.update(|counted| {
            counted.done += bytes;
            if counted.shown.elapsed() >= LINE_EVERY {
                counted.shown = Instant::now();
                eprintln!(
                    "fetched {} of {}",
                    megabytes(counted.done),
                    megabytes(counted.total)
                );
            }
        });
    }

    fn rewind(&self, bytes: u64) {
        self.update(|counted| counted.done = counted.done.saturating_sub(bytes));
    }

    fn note(&self, message: &str) {
        eprintln!("{message}");
    }

    fn end(&self) {}
}

fn files_of(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}

/// `148.2 MB`: a million bytes each, as Debian's own tools count.
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
