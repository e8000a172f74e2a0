//! Input and output that the commands share: arguments, results, errors and progress.

pub mod binfmt;
pub mod error_display;
pub mod format;
pub mod interrupt;
pub mod key_value;
pub mod progress;
pub mod registry;
pub mod temp_dir;
