//! Checks Nix, the project's platforms, and free space in the store.

use std::path::Path;

use anyhow::Result;
use slipway_nix::{Access, Nix, Setup};

use super::{Finding, system};
use crate::project::Project;
use crate::project::platform_table::Table;

/// Returns the findings, and the platforms of the project, if there is one.
pub fn findings(directory: &Path, verbose: bool) -> (Vec<Finding>, Option<Table>) {
    let project = Project::find(directory);
    let root = match &project {
        Ok(project) => project.root.clone(),
        Err(_) => directory.to_owned(),
    };
    let found = Nix::find(&root, verbose).and_then(|nix| Ok((nix.setup()?, nix)));
    let (setup, nix) = match found {
        Ok(found) => found,
        Err(e) => return (vec![Finding::lacks("nix", e.to_string())], None),
    };
    let mut findings = of_setup(&setup);
    findings.push(system::room("store", &setup.store));
    let table = match project {
        Ok(_) => Table::read(&nix),
        Err(e) => {
            findings.push(Finding::note("project", format!("{e:#}")));
            return (findings, None);
        }
    };
    findings.push(of_project(&root, &table));
    (findings, table.ok())
}

fn of_setup(setup: &Setup) -> Vec<Finding> {
    let (major, minor) = setup.version;
    vec![
        Finding::ok("nix", format!("version {major}.{minor}")),
        Finding::ok(
            "flakes",
            match setup.flakes {
                true => "on",
                false => "off in nix.conf, and turned on by slipway for each call",
            },
        ),
        Finding::ok(
            "store access",
            match setup.access {
                Access::Daemon => "through Nix's daemon",
                Access::Own => "this user's own",
            },
        ),
        match (setup.sandbox, setup.access) {
            (true, _) => Finding::ok("sandbox", "on"),
            (false, Access::Own) => Finding::ok(
                "sandbox",
                "off in nix.conf, and turned on by slipway for each call",
            ),
            (false, Access::Daemon) => Finding::note(
                "sandbox",
                "off, so builds see this machine; set sandbox = true in nix.conf and restart nix-daemon",
            ),
        },
    ]
}

fn of_project(root: &Path, table: &Result<Table>) -> Finding {
    match table {
        Ok(table) => Finding::ok(
            "project",
            format!("{}, for {}", root.display(), table.names().join(", ")),
        ),
        Err(e) => Finding::note(
            "project",
            format!("its flake does not say its platforms: {e:#}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn notes_a_daemon_without_a_sandbox() {
        let setup = |sandbox, access| Setup {
            version: (2, 8),
            flakes: false,
            sandbox,
            access,
            store: "/nix/store".into(),
        };
        let state = |setup: &Setup| {
            let findings = of_setup(setup);
            findings
                .into_iter()
                .find(|it| it.subject == "sandbox")
                .unwrap()
                .state
        };
        assert_eq!(state(&setup(true, Access::Daemon)), State::Ok);
        assert_eq!(state(&setup(false, Access::Own)), State::Ok);
        assert_eq!(state(&setup(false, Access::Daemon)), State::Note);
    }
}
