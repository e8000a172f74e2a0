//! How a command shows its result.

use clap::ValueEnum;

/// The value of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Format {
    /// Prints what is said besides the result: for people below it, for programs apart from it.
    pub fn also(self, lines: &[String]) {
        for line in lines {
            match self {
                Self::Text => println!("{line}"),
                Self::Json => eprintln!("{line}"),
            }
        }
    }
}
