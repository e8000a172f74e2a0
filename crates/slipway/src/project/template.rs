//! The files that `slipway init` writes: templates with the values of the project.

use anyhow::Result;
use slipway_debian::config::Config;
use slipway_debian::config_edit::add_packages;

use crate::project::native_libraries::Needs;
use crate::project::platform_table::Row;

const FLAKE: &str = include_str!("../../template/flake.nix");
const CONFIG: &str = include_str!("../../template/slipway.toml");
/// Placeholders in the templates.
const URL: &str = "git+https://slipway.example/slipway";
const PLATFORMS: &str = "platforms = [\"linux/amd64\" \"linux/arm64\"];\n";
const ARCHITECTURES: &str = "architectures = [\"amd64\", \"arm64\"]\n";
const RELEASE: &str = "trixie";

pub fn flake(flake: &str, settings: &[String]) -> String {
    let lines = settings.join("\n      ") + "\n";
    FLAKE.replace(URL, flake).replace(PLATFORMS, &lines)
}

pub fn config(release: &str, rows: &[&Row], needs: &Needs) -> Result<String> {
    let architectures: Vec<String> = rows
        .iter()
        .map(|row| format!("\"{}\"", row.name_in("debian")))
        .collect();
    let text = CONFIG.replace(RELEASE, release).replace(
        ARCHITECTURES,
        &format!("architectures = [{}]\n", architectures.join(", ")),
    );
    let packages: Vec<String> = needs
        .packages
        .iter()
        .flat_map(|(_, packages)| packages.clone())
        .collect();
    let mut text = add_packages(&text, "libraries", &packages).map_err(anyhow::Error::msg)?;
    let tools: Vec<String> = needs
        .tools
        .iter()
        .filter_map(|tool| Some(tool.strip_prefix("tools.")?.to_owned()))
        .collect();
    if !tools.is_empty() {
        text = add_tools(&text, &tools).map_err(anyhow::Error::msg)?;
    }
    Ok(text)
}

/// The set of programs that builds run.
pub const TOOLS: &str = "tools";
const TOOLS_TEMPLATE: &str = include_str!("tools-set.toml");

/// Adds programs that builds run to the text of slipway.toml. Adds the set for them if it is
/// missing.
pub fn add_tools(text: &str, packages: &[String]) -> Result<String, String> {
    let config = Config::parse(text)?;
    if config.sets.contains_key(TOOLS) {
        return add_packages(text, TOOLS, packages);
    }
    let set = TOOLS_TEMPLATE.replace(RELEASE, &config.release);
    add_packages(&(text.to_owned() + &set), TOOLS, packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_build_programs_to_a_set_of_the_same_release() {
        let text = "release = \"forky\"\n[set.libraries]\narchitectures = [\"arm64\"]\n\
                    suites = [\"forky\"]\npackages = [\"libc6\"]\n";
        let once = add_tools(text, &["nasm".into()]).unwrap();
        let twice = add_tools(&once, &["bison".into(), "nasm".into()]).unwrap();
        assert!(once.starts_with(text), "{once}");
        let set = &Config::parse(&twice).unwrap().sets[TOOLS];
        assert_eq!(set.packages, ["bison", "nasm"]);
        assert_eq!(set.suites, ["forky"]);
    }

    #[test]
    fn templates_contain_the_placeholders() {
        assert!(FLAKE.contains(URL) && FLAKE.contains(PLATFORMS));
        assert!(CONFIG.contains(ARCHITECTURES) && CONFIG.contains(RELEASE));
    }

    #[test]
    fn config_contains_the_packages_that_crates_need() {
        let needs = Needs {
            packages: vec![("openssl-sys".into(), vec!["libssl-dev".into()])],
            ..Needs::default()
        };
        let text = config("forky", &[], &needs).unwrap();
        let config = Config::parse(&text.replace("architectures = []", "architectures = [\"x\"]"));
        let config = config.unwrap();
        assert_eq!(config.release, "forky");
        assert!(
            config.sets["libraries"]
                .packages
                .contains(&"libssl-dev".into())
        );
        assert_eq!(config.sets["libraries"].suites, ["forky", "forky-security"]);
    }

    #[test]
    fn flake_contains_the_settings_of_the_workspace() {
        let settings = [
            "platforms = [\"linux/arm64\"];".to_owned(),
            "program = \"x\";".into(),
        ];
        let text = flake("path:/slipway", &settings);
        assert!(
            text.contains("inputs.slipway.url = \"path:/slipway\";"),
            "{text}"
        );
        assert!(
            text.contains("\n      platforms = [\"linux/arm64\"];\n      program = \"x\";\n    };"),
            "{text}"
        );
    }
}
