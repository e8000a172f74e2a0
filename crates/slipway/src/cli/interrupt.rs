//! Cleans up when a signal ends the command.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

type Cleanup = Box<dyn Fn() + Send>;

static CLEANUPS: Mutex<Vec<Cleanup>> = Mutex::new(Vec::new());
static WATCH: Once = Once::new();

/// Runs `cleanup` before a signal ends the command. The latest one runs first.
pub fn before_end(cleanup: impl Fn() + Send + 'static) {
    WATCH.call_once(watch);
    let mut cleanups = CLEANUPS.lock().unwrap_or_else(PoisonError::into_inner);
    cleanups.push(Box::new(cleanup));
}

/// Starts the thread that cleans up. If it cannot start, a signal still ends the command, but leaves
/// everything behind.
fn watch() {
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            let cleanups = CLEANUPS.lock().unwrap_or_else(PoisonError::into_inner);
            cleanups.iter().rev().for_each(|cleanup| cleanup());
            let _ = emulate_default_handler(signal);
        }
    });
}
