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
const WORKSPACE: &str = "this cargo workspace";
const CALL: &str = "    slipway.lib.mkProject {\n";
const ARCHITECTURES: &str = "architectures = [\"amd64\", \"arm64\"]\n";
const RELEASE: &str = "trixie";

/// A call of a function of Slipway's `lib` that makes the outputs of a flake.
pub struct Call {
    pub function: &'static str,
    /// Arguments besides `src`, as lines.
    pub settings: Vec<String>,
}

/// The text of flake.nix. The outputs of several calls are merged.
pub fn flake(flake: &str, calls: &[Call]) -> String {
    let text = FLAKE.replace(URL, flake);
    let (head, _) = text.split_once(CALL).unwrap_or((&text, ""));
    let what = match calls {
        [
            Call {
                function: "mkGoProject",
                ..
            },
        ] => "these Go modules",
        [_] => WORKSPACE,
        _ => "this repository",
    };
    let mut text = head.replace(WORKSPACE, what);
    match calls {
        [call] => text += &call.text("    "),
        _ => {
            text += "    slipway.lib.merge [\n";
            for call in calls {
                let lines = call.text("      ");
                let (first, rest) = lines.trim_start().split_once('\n').unwrap_or((&lines, ""));
                let rest = rest.trim_end().trim_end_matches(';');
                text += &format!("      ({first}\n{rest})\n");
            }
            text += "    ];\n";
        }
    }
    text + "}\n"
}

impl Call {
    fn text(&self, indent: &str) -> String {
        let mut text = format!(
            "{indent}slipway.lib.{} {{\n{indent}  src = ./.;\n",
            self.function
        );
        for line in &self.settings {
            text += &format!("{indent}  {line}\n");
        }
        text + &format!("{indent}}};\n")
    }
}

/// The table of slipway.toml with the build tags of Go packages.
pub fn tags(tags: &[String]) -> String {
    if tags.is_empty() {
        return String::new();
    }
    let tags: Vec<String> = tags.iter().map(|tag| format!("{tag:?}")).collect();
    format!(
        "\n# How Go packages are compiled.\n[go]\ntags = [{}]\n",
        tags.join(", ")
    )
}

pub fn config<'a>(
    release: &str,
    rows: &[&Row],
    needs: impl Iterator<Item = &'a Needs>,
) -> Result<String> {
    let needs: Vec<&Needs> = needs.collect();
    let architectures: Vec<String> = rows
        .iter()
        .map(|row| format!("\"{}\"", row.name_in("debian")))
        .collect();
    let text = CONFIG.replace(RELEASE, release).replace(
        ARCHITECTURES,
        &format!("architectures = [{}]\n", architectures.join(", ")),
    );
    let packages: Vec<String> = needs
        .iter()
        .flat_map(|needs| &needs.packages)
        .flat_map(|(_, packages)| packages.clone())
        .collect();
    let mut text = add_packages(&text, "libraries", &packages).map_err(anyhow::Error::msg)?;
    let tools: Vec<String> = needs
        .iter()
        .flat_map(|needs| &needs.tools)
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
    let set = TOOLS_TEMPLATE.replace(RELEASE, &config.debian);
    add_packages(&(text.to_owned() + &set), TOOLS, packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_build_programs_to_a_set_of_the_same_release() {
        let text = "debian = \"forky\"\n[set.libraries]\narchitectures = [\"arm64\"]\n\
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
        assert!([URL, WORKSPACE, CALL].iter().all(|it| FLAKE.contains(it)));
        assert!(CONFIG.contains(ARCHITECTURES) && CONFIG.contains(RELEASE));
    }

    #[test]
    fn config_contains_the_packages_that_crates_need() {
        let needs = Needs {
            packages: vec![("openssl-sys".into(), vec!["libssl-dev".into()])],
            ..Needs::default()
        };
        let text = config("forky", &[], [&needs].into_iter()).unwrap();
        let config = Config::parse(&text.replace("architectures = []", "architectures = [\"x\"]"));
        let config = config.unwrap();
        assert_eq!(config.debian, "forky");
        assert!(
            config.sets["libraries"]
                .packages
                .contains(&"libssl-dev".into())
        );
        assert_eq!(config.sets["libraries"].suites, ["forky", "forky-security"]);
    }

    fn call(function: &'static str, setting: &str) -> Call {
        Call {
            function,
            settings: vec![setting.to_owned()],
        }
    }

    #[test]
    fn flake_is_the_template_with_the_settings_of_the_workspace() {
        let text = flake(
            URL,
            &[call(
                "mkProject",
                "platforms = [\"linux/amd64\" \"linux/arm64\"];",
            )],
        );
        assert_eq!(text, FLAKE);
        let text = flake("path:/slipway", &[call("mkGoProject", "program = \"x\";")]);
        assert!(
            text.contains("inputs.slipway.url = \"path:/slipway\";"),
            "{text}"
        );
        assert!(text.contains("\n    slipway.lib.mkGoProject {\n"), "{text}");
        assert!(
            text.contains("\n      program = \"x\";\n    };\n}\n"),
            "{text}"
        );
    }

    #[test]
    fn flake_of_several_languages_merges_their_outputs() {
        let text = flake(
            URL,
            &[call("mkProject", "a = 1;"), call("mkGoProject", "b = 2;")],
        );
        let expected = "    slipway.lib.merge [
      (slipway.lib.mkProject {
        src = ./.;
        a = 1;
      })
      (slipway.lib.mkGoProject {
        src = ./.;
        b = 2;
      })
    ];
}
";
        assert!(text.ends_with(expected), "{text}");
    }
}
