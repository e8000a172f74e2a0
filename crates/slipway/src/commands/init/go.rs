//! What `slipway init` finds out about Go modules.

use anyhow::Result;
use slipway_debian::config;
use slipway_debian::contents_index::{File, Kind};
use slipway_debian::lock::GoProgram;

use crate::commands::init::goreleaser::Moved;
use crate::commands::init::{Found, Place, main_program};
use crate::project::Project;
use crate::project::go::{Links, Packages};
use crate::project::go_modules::{self, Defaults};
use crate::project::native_libraries::Needs;
use crate::project::seeds;

/// The pkg-config module of librdkafka, which Slipway compiles itself.
const RDKAFKA: &str = "rdkafka";
/// What librdkafka links with.
const RDKAFKA_NEEDS: [&str; 4] = ["liblz4-dev", "libssl-dev", "libzstd-dev", "zlib1g-dev"];

pub fn find(place: &Place, tags: &[String], moved: Option<&mut Moved>) -> Result<Found> {
    let options = seeds::Options::pinned(place.sources);
    let project = Project::at(place.directory);
    let defaults = Defaults::build(place.nix, &project, place.flake, place.own, &options)?;
    let wanted = config::Go {
        version: None,
        tags: tags.to_vec(),
    };
    let (pins, packages) = go_modules::pin(place.directory, &wanted, place.rows, None, &defaults)?;

    let (wanted, further) = match moved {
        Some(moved) => {
            let wanted = moved.packages(&packages.programs);
            let further = moved.flake_settings(&wanted);
            (wanted, further)
        }
        None => (Vec::new(), Vec::new()),
    };
    let programs = || {
        let is_wanted = |it: &&GoProgram| wanted.is_empty() || wanted.contains(&it.package);
        packages.programs.iter().filter(is_wanted)
    };
    let names: Vec<String> = programs().map(|it| it.name.clone()).collect();
    let directory = place.directory.file_name().unwrap_or_default();
    let main = programs()
        .find(|it| it.package == ".")
        .or_else(|| programs().find(|it| *it.name == *directory))
        .or_else(|| programs().next());
    let mut settings = main.map_or(Vec::new(), |main| main_program(&names, &main.name));
    settings.extend(further);
    if links_with_rdkafka(&packages) {
        settings.push("# the librdkafka that Slipway compiles".into());
        settings.push("buildInputs = target: [target.librdkafka.dev];".into());
    }
    Ok(Found {
        function: "mkGoProject",
        settings,
        needs: needs(&packages),
        manifests: &["go.mod", "go.sum", "go.work", "go.work.sum"],
        go: Some(pins),
    })
}

fn links_with_rdkafka(packages: &Packages) -> bool {
    packages.cgo.values().any(|it| it.modules.contains(RDKAFKA))
}

/// What packages with cgo link with.
fn needs(packages: &Packages) -> Needs {
    let mut needs = Needs::default();
    for (package, links) in &packages.cgo {
        if links.modules.contains(RDKAFKA) {
            let packages = RDKAFKA_NEEDS.map(String::from).to_vec();
            needs.packages.push((package.clone(), packages));
        }
        let files = files(links);
        if !files.is_empty() {
            needs.modules.push((package.clone(), files));
        }
    }
    needs
}

fn files(links: &Links) -> Vec<File> {
    let file = |kind| {
        move |name: &String| File {
            kind,
            name: name.clone(),
        }
    };
    let modules = links.modules.iter().filter(|name| *name != RDKAFKA);
    modules
        .map(file(Kind::PkgConfig))
        .chain(links.libraries.iter().map(file(Kind::Library)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_cgo_need_modules_and_libraries() {
        let mut packages = Packages::default();
        let links = Links {
            modules: ["rdkafka".into(), "x11".into()].into(),
            libraries: ["pcap".into()].into(),
        };
        packages.cgo.insert("example.com/m".into(), links);
        let needs = needs(&packages);
        assert_eq!(needs.packages[0].1, RDKAFKA_NEEDS);
        let files = ["pkg-config:x11", "lib:pcap"].map(|it| it.parse().unwrap());
        assert_eq!(
            needs.modules,
            [("example.com/m".to_owned(), files.to_vec())]
        );
    }
}
