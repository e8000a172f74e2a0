//! What packing tells about itself: a bar on a terminal, plain lines in a pipe.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use slipway_debian::progress::megabytes;

use crate::layers::Progress;

/// The progress that suits standard error.
pub fn for_stderr() -> Box<dyn Progress> {
    if stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        Box::new(Bar(bar))
    } else {
        Box::new(Lines(Mutex::new(Counted {
            layers: 0,
            made: 0,
            shown: Instant::now(),
        })))
    }
}

/// `3 layers, 12.0 MB (6 more are in the cache)`
fn task(layers: usize, bytes: u64, cached: usize) -> String {
    let plural = if layers == 1 { "" } else { "s" };
    let found = match cached {
        0 => String::new(),
        cached => format!(" ({cached} more from the cache)"),
    };
    format!("{layers} layer{plural}, {}{found}", megabytes(bytes))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn start(&self, layers: usize, bytes: u64, cached: usize) {
        let template = "packing {msg} {bar:30} {bytes}/{total_bytes} {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_message(task(layers, bytes, cached));
        self.0.set_length(bytes);
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn made(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// How often plain lines are printed.
const LINE_EVERY: Duration = Duration::from_secs(5);

struct Lines(Mutex<Counted>);

struct Counted {
    layers: usize,
    made: usize,
    shown: Instant,
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut Counted)) {
        // A thread that panicked while it held the lock leaves a number that is at worst one off.
        let mut counted = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut counted);
    }
}

impl Progress for Lines {
    fn start(&self, layers: usize, bytes: u64, cached: usize) {
        self.update(|counted| {
            *counted = Counted {
                layers,
                made: 0,
                shown: Instant::now(),
            }
        });
        eprintln!("packing {}", task(layers, bytes, cached));
    }

    fn made(&self, _: u64) {
        self.update(|counted| {
            counted.made += 1;
            if counted.shown.elapsed() >= LINE_EVERY {
                counted.shown = Instant::now();
                eprintln!("packed {} of {} layers", counted.made, counted.layers);
            }
        });
    }

    fn end(&self) {}
}
