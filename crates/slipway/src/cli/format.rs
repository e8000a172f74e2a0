//! The output format of a command.

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
    /// Prints lines that are not part of the result: to standard output for people, to standard
    /// error for programs.
    pub fn also(self, lines: &[String]) {
        for line in lines {
            match self {
                Self::Text => println!("{line}"),
                Self::Json => eprintln!("{line}"),
            }
        }
    }
}
