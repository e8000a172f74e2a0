//! `slipway verify` for the Nix sandbox. It has few dependencies, so that a change to the command
//! line does not rerun every check.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use slipway_oci::Layout;

const USAGE: &str = "usage: slipway-verify LAYOUT...";

fn main() -> ExitCode {
    let layouts: Vec<_> = env::args_os().skip(1).collect();
    if layouts.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let mut sound = true;
    for layout in &layouts {
        let reports = Layout::open(Path::new(layout))
            .and_then(|layout| slipway_verify::verify(&layout, None));
        match reports {
            Ok(reports) => {
                reports.iter().for_each(|report| println!("{report}"));
                sound &= slipway_verify::is_sound(&reports);
            }
            Err(error) => {
                eprintln!("slipway-verify: {error}");
                sound = false;
            }
        }
    }
    match sound {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
