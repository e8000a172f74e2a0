//! Draws progress on standard error: bars on a terminal, plain lines elsewhere, or JSON for programs.

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use slipway_progress::{Progress, Task, seconds, size};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Bars on a terminal, else plain lines.
    Auto,
    /// Bars, and the derivations that are being built.
    Tty,
    /// Lines of text.
    Plain,
    /// A JSON object on each line.
    Json,
}

/// The value of `--progress`, for the whole process.
static STYLE: OnceLock<Style> = OnceLock::new();

/// Interval between two lines about the same transfer.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Sets the style of every [`Progress`] that [`for_stderr`] returns.
pub fn set_style(style: Style) {
    STYLE.get_or_init(|| style);
}

/// The progress output of a command, in the style set by [`set_style`].
pub fn for_stderr() -> Box<dyn Progress> {
    let style = match STYLE.get() {
        Some(Style::Auto) | None if stderr().is_terminal() => Style::Tty,
        Some(Style::Auto) | None => Style::Plain,
        Some(style) => *style,
    };
    match style {
        Style::Tty => Box::new(Bars::new()),
        Style::Json => Box::new(Lines::new(as_json)),
        Style::Auto | Style::Plain => Box::new(Lines::new(as_text)),
    }
}

struct Bars {
    all: MultiProgress,
    /// The transfer, or the number of finished steps. Drawn below the running steps.
    total: ProgressBar,
    running: Mutex<HashMap<u64, (ProgressBar, Instant)>>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::no_length());
        Self {
            all,
            total,
            running: Mutex::default(),
        }
    }
}

/// Falls back to the default style if the template is invalid.
fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}

impl Progress for Bars {
    fn start(&self, task: &Task) {
        self.total.set_style(template(
            "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ));
        self.total
            .set_prefix(format!("{} {}", task.verb, task.what));
        self.total.set_length(task.bytes);
        self.total.set_position(0);
        self.total.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.total.inc(bytes);
    }

    fn rewind(&self, bytes: u64) {
        self.total.dec(bytes);
    }

    fn end(&self) {
        self.total.finish_and_clear();
    }

    fn steps(&self, ended: u64, known: u64) {
        if known > 0 {
            self.total
                .set_style(template("{bar:30} {pos}/{len} built, {elapsed}"));
            self.total.set_length(known);
            self.total.set_position(ended);
            self.total.enable_steady_tick(Duration::from_millis(500));
        }
    }

    fn step_started(&self, id: u64, step: &str) {
        let bar = self
            .all
            .insert_before(&self.total, ProgressBar::new_spinner());
        bar.set_style(template("{spinner} {prefix} {elapsed} {wide_msg:.dim}"));
        bar.set_prefix(step.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        lock(&self.running).insert(id, (bar, Instant::now()));
    }

    fn step_output(&self, id: u64, line: &str) {
        if let Some((bar, _)) = lock(&self.running).get(&id) {
            bar.set_message(line.to_owned());
        }
    }

    // The bar of a transfer shows steps that were not reported when they started.
    fn step_ended(&self, id: u64, how: &str) {
        let ended = lock(&self.running).remove(&id);
        if let Some((bar, start)) = ended {
            bar.finish_and_clear();
            self.note(&as_text(&Event::Step {
                step: &bar.prefix(),
                how,
                time: Some(start.elapsed()),
            }));
        }
    }

    fn note(&self, message: &str) {
        // Keep working when the terminal is closed.
        let _ = self.all.println(message);
    }
}

/// An event that gets its own line.
enum Event<'a> {
    Start(&'a Task<'a>),
    Transferred {
        verb: &'a str,
        done: u64,
        total: u64,
    },
    Step {
        step: &'a str,
        how: &'a str,
        time: Option<Duration>,
    },
    Note(&'a str),
}

fn as_text(event: &Event) -> String {
    match event {
        Event::Start(task) => format!("{} {}, {}", task.verb, task.what, size(task.bytes)),
        Event::Transferred { verb, done, total } => {
            format!("{verb} {} of {}", size(*done), size(*total))
        }
        Event::Step {
            step,
            how,
            time: Some(time),
        } => format!("{how} {step} ({})", seconds(*time)),
        Event::Step { step, how, .. } => format!("{how} {step}"),
        Event::Note(message) => (*message).to_owned(),
    }
}

/// `{"event": "start", "verb", "what", "bytes"}`, `{"event": "progress", "verb", "bytes", "total"}`,
/// `{"event": "step", "step", "how", "seconds"}` and `{"event": "note", "message"}`.
fn as_json(event: &Event) -> String {
    let object: Value = match event {
        Event::Start(Task { verb, what, bytes }) => {
            json!({"event": "start", "verb": verb, "what": what, "bytes": bytes})
        }
        Event::Transferred { verb, done, total } => {
            json!({"event": "progress", "verb": verb, "bytes": done, "total": total})
        }
        Event::Step { step, how, time } => {
            let seconds = time.map(|time| time.as_secs_f64());
            json!({"event": "step", "step": step, "how": how, "seconds": seconds})
        }
        Event::Note(message) => json!({"event": "note", "message": message}),
    };
    object.to_string()
}

struct Lines {
    format: fn(&Event) -> String,
    state: Mutex<State>,
}

struct State {
    verb: String,
    total: u64,
    done: u64,
    /// When the last line was printed.
    shown: Instant,
    running: HashMap<u64, (String, Instant)>,
}

impl Lines {
    fn new(format: fn(&Event) -> String) -> Self {
        let state = State {
            verb: String::new(),
            total: 0,
            done: 0,
            shown: Instant::now(),
            running: HashMap::new(),
        };
        Self {
            format,
            state: Mutex::new(state),
        }
    }

    fn print(&self, event: &Event) {
        eprintln!("{}", (self.format)(event));
    }
}

impl Progress for Lines {
    fn start(&self, task: &Task) {
        let mut state = lock(&self.state);
        state.verb = task.verb.to_owned();
        (state.total, state.done) = (task.bytes, 0);
        state.shown = Instant::now();
        self.print(&Event::Start(task));
    }

    fn advance(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.done += bytes;
        if state.shown.elapsed() >= LINE_EVERY {
            state.shown = Instant::now();
            self.print(&Event::Transferred {
                verb: &state.verb,
                done: state.done,
                total: state.total,
            });
        }
    }

    fn rewind(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.done = state.done.saturating_sub(bytes);
    }

    fn step_started(&self, id: u64, step: &str) {
        lock(&self.state)
            .running
            .insert(id, (step.to_owned(), Instant::now()));
    }

    fn step_ended(&self, id: u64, how: &str) {
        let ended = lock(&self.state).running.remove(&id);
        if let Some((step, start)) = ended {
            self.print(&Event::Step {
                step: &step,
                how,
                time: Some(start.elapsed()),
            });
        }
    }

    fn step(&self, step: &str, how: &str) {
        self.print(&Event::Step {
            step,
            how,
            time: None,
        });
    }

    fn note(&self, message: &str) {
        self.print(&Event::Note(message));
    }
}

/// Locks, and ignores poisoning: a thread that panicked with the lock leaves at worst a count that
/// is slightly off.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_events_as_text_or_json() {
        let task = Task {
            verb: "fetching",
            what: "3 files",
            bytes: 1_234_567,
        };
        let step = Event::Step {
            step: "zlib",
            how: "built",
            time: Some(Duration::from_millis(1250)),
        };
        for (event, text, object) in [
            (
                Event::Start(&task),
                "fetching 3 files, 1.23 MB",
                json!({"event": "start", "verb": "fetching", "what": "3 files", "bytes": 1_234_567}),
            ),
            (
                step,
                "built zlib (1.2 s)",
                json!({"event": "step", "step": "zlib", "how": "built", "seconds": 1.25}),
            ),
            (
                Event::Note("again"),
                "again",
                json!({"event": "note", "message": "again"}),
            ),
        ] {
            assert_eq!(as_text(&event), text);
            assert_eq!(as_json(&event), object.to_string());
        }
    }
}
