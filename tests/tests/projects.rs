//! Projects of users: from a Cargo workspace to images with `slipway init`, and the errors on the
//! way.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::http::serve;
use end_to_end::network;
use end_to_end::nix::{nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::project::Project;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use tempfile::TempDir;

/// The expected output of the example.
fn expected(example: &str) -> Result<String> {
    let file = repository().join("examples").join(example).join("expected");
    fs::read_to_string(&file).with_context(|| file.display().to_string())
}

fn assert_matches_example(project: &Project, example: &str) -> Result<()> {
    for file in ["flake.nix", "slipway.toml"] {
        let shown = fs::read_to_string(repository().join("examples").join(example).join(file))?;
        let written = project.read(file)?;
        let written = written.replace(&project.slipway_flake(), "path:../..");
        assert_eq!(written, shown, "{file}");
    }
    Ok(())
}

#[test]
fn a_new_project_builds_valid_images_that_run() -> Result<()> {
    let project = Project::example("rust")?;
    project.command("git", &["init", "--quiet"]).text()?;
    project.command("git", &["add", "--all"]).text()?;
    let messages = project.slipway(&["init"])?.text()?;
    assert!(
        messages.contains("written: slipway.toml, slipway.lock, flake.lock, flake.nix"),
        "{messages}"
    );
    assert_matches_example(&project, "rust")?;
    let tracked = project.command("git", &["ls-files"]).text()?;
    for file in ["flake.lock", "flake.nix", "slipway.lock", "slipway.toml"] {
        assert!(tracked.lines().any(|name| name == file), "{tracked}");
    }

    project.slipway(&["build", ".#image"])?.text()?;
    project.slipway(&["verify", "result"])?.text()?;
    for platform in Platform::defaults()? {
        if met(&[Requirement::Runs(&platform)])? {
            let run = ["run", "result", "--platform", &platform.oci];
            let printed = project.slipway(&run)?.text()?;
            assert_eq!(printed, expected("rust")?);
        }
    }
    Ok(())
}

#[test]
fn init_adds_the_packages_of_native_libraries() -> Result<()> {
    let project = Project::example("rust-libraries")?;
    let messages = project.slipway(&["init"])?.text()?;
    for line in [
        "libsqlite3-sys needs libsqlite3-dev",
        "openssl-sys needs libssl-dev",
        "pq-sys needs libpq-dev",
    ] {
        assert!(
            messages.lines().any(|messages| messages == line),
            "{messages}"
        );
    }
    assert_matches_example(&project, "rust-libraries")
}

#[test]
fn init_adds_the_programs_that_build_scripts_run() -> Result<()> {
    let project = Project::example("rust-protobuf")?;
    project.slipway(&["init"])?.text()?;
    assert_matches_example(&project, "rust-protobuf")
}

#[test]
fn init_reuses_slipways_own_pins_without_a_network() -> Result<()> {
    if !met(&[Requirement::NoNetwork])? {
        return Ok(());
    }
    let project = Project::example("rust")?;
    project.command("cargo", &["fetch", "--quiet"]).text()?;
    for platform in Platform::all()? {
        let init = project.slipway(&["init", "--force", "--platform", &platform.oci])?;
        network::none(&init)?.text()?;
        let lock = project.read("slipway.lock")?;
        let pinned = format!("for = [\"{}\"]", platform.debian);
        assert!(lock.contains(&pinned), "{lock}");
    }
    Ok(())
}

#[test]
fn template_gives_the_same_image_as_init() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    // The output path does not depend on the directory of a mirror.
    let image = |project: &Project| {
        nix(project.path())
            .args(["eval", "--raw", ".#image.outPath"])
            .text()
    };
    let made = image(&project)?;
    // Keep slipway.lock, because `slipway lock` does not change existing pins.
    for file in ["flake.lock", "flake.nix", "slipway.toml"] {
        fs::remove_file(project.file(file))?;
    }

    let slipway = project.slipway_flake();
    project
        .command("nix", &["flake", "init", "-t", &slipway])
        .text()?;
    project.edit("flake.nix", |text| {
        text.replace("git+https://slipway.example/slipway", &slipway)
    })?;
    project.slipway(&["lock"])?.text()?;
    assert_eq!(image(&project)?, made);
    Ok(())
}

#[test]
fn init_does_not_overwrite_files_without_force() -> Result<()> {
    let project = Project::example("rust")?;
    project.write("flake.nix", "mine")?;
    let error = project.slipway(&["init"])?.failure()?;
    assert!(
        error.contains("has flake.nix; nothing is written.") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(project.read("flake.nix")?, "mine");
    assert!(!project.file("slipway.toml").exists());
    project.slipway(&["init", "--force"])?.text()?;
    assert!(project.read("flake.nix")?.contains("mkProject"));
    Ok(())
}

#[test]
fn init_rejects_an_unknown_platform_and_lists_the_known_ones() -> Result<()> {
    let project = Project::example("rust")?;
    let error = project
        .slipway(&["init", "--platform", "linux/vax"])?
        .failure()?;
    assert!(
        error.contains("linux/vax is not a platform that can be built; these are: "),
        "{error}"
    );
    assert!(!project.file("flake.nix").exists());
    Ok(())
}

#[test]
fn init_explains_how_to_create_a_missing_cargo_lock() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    fs::remove_file(project.file("Cargo.lock"))?;
    let error = project.evaluation_error("image")?;
    assert!(error.contains("run: cargo generate-lockfile"), "{error}");
    let error = project.slipway(&["init", "--force"])?.failure()?;
    assert!(
        error.contains("no Cargo.lock in ")
            && error.contains("write it with: cargo generate-lockfile"),
        "{error}"
    );
    Ok(())
}

#[test]
fn init_in_a_member_names_the_root_of_the_workspace() -> Result<()> {
    let project = Project::of(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"one\"]\n"),
        ("one/Cargo.toml", "[package]\nname = \"one\"\n"),
        ("one/src/main.rs", "fn main() {}\n"),
    ])?;
    let error = project.slipway(&["init", "one"])?.failure()?;
    assert!(
        error.contains("/one is part of the workspace in ") && error.contains("run: slipway init"),
        "{error}"
    );
    Ok(())
}

#[test]
fn init_explains_how_to_update_an_outdated_cargo_lock() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    project.edit("Cargo.toml", |text| format!("{text}serde = \"1\"\n"))?;
    let error = project.evaluation_error("image")?;
    assert!(
        error.contains(
            "Cargo.lock is older than Cargo.toml (it has no serde for checksum); run: cargo update --workspace"
        ),
        "{error}"
    );
    let error = project.slipway(&["init", "--force"])?.failure()?;
    assert!(
        error.contains("Cargo.lock is older than Cargo.toml; run: cargo update --workspace"),
        "{error}"
    );
    Ok(())
}

/// A git repository with a submodule. Its crates inherit from its workspace and depend on each
/// other.
const REPOSITORY: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\"]\n\n[workspace.package]\nversion = \"0.3.0\"\nedition = \"2021\"\n\n\
         [workspace.dependencies]\nnear = { path = \"crates/near\" }\n",
    ),
    (
        "crates/far/Cargo.toml",
        "[package]\nname = \"far\"\nversion.workspace = true\nedition.workspace = true\n\n\
         [dependencies]\nnear.workspace = true\n",
    ),
    (
        "crates/far/src/lib.rs",
        "#![deny(warnings)]\nfn unused() {}\npub fn far() -> String {\n    \
         format!(\"{} {}\", near::near(), include_str!(\"../../../words/text\"))\n}\n",
    ),
    (
        "crates/near/Cargo.toml",
        "[package]\nname = \"near\"\nversion.workspace = true\nedition.workspace = true\n",
    ),
    (
        "crates/near/src/lib.rs",
        "pub fn near() -> &'static str {\n    \"first\"\n}\n",
    ),
];

#[test]
fn builds_crates_from_git_at_their_commits() -> Result<()> {
    let project = Project::of(&[(
        "src/main.rs",
        "fn main() {\n    println!(\"{}, {}\", far::far(), newer::far());\n}\n",
    )])?;
    let home = TempDir::new()?;
    let repository = home.path().join("repository");
    let words = home.path().join("words");
    let git = |directory: &Path, arguments: &[&str]| -> Result<()> {
        let mut git = Command::new("git");
        git.args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x",
            "-c",
            "protocol.file.allow=always",
        ]);
        git.args(arguments).current_dir(directory).text()?;
        Ok(())
    };
    for (directory, files) in [
        (&words, &[("text", "of a submodule")][..]),
        (&repository, REPOSITORY),
    ] {
        for (name, text) in files {
            let file = directory.join(name);
            fs::create_dir_all(file.parent().context("a root")?)?;
            fs::write(file, text)?;
        }
        git(directory, &["init", "--quiet", "--initial-branch", "main"])?;
        if directory == &repository {
            git(
                directory,
                &[
                    "submodule",
                    "--quiet",
                    "add",
                    &format!("file://{}", words.display()),
                    "words",
                ],
            )?;
        }
        git(directory, &["add", "."])?;
        git(directory, &["commit", "--quiet", "--message", "first"])?;
    }
    git(&repository, &["switch", "--quiet", "--create", "next"])?;
    let newer = "pub fn near() -> &'static str {\n    \"second\"\n}\n";
    fs::write(repository.join("crates/near/src/lib.rs"), newer)?;
    git(
        &repository,
        &["commit", "--quiet", "--all", "--message", "second"],
    )?;
    git(&repository, &["tag", "v2/b"])?;

    let url = format!("file://{}", repository.display());
    let manifest = |newer: &str| {
        format!(
            "[package]\nname = \"program\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\n\
             far = {{ git = \"{url}\", branch = \"main\" }}\n{newer}"
        )
    };
    project.write("Cargo.toml", &manifest(""))?;
    let run = |mut command: Command| -> Result<Command> {
        command.env("CARGO_HOME", home.path().join("cargo"));
        Ok(command)
    };
    let slipway = |arguments: &[&str]| run(project.slipway(arguments)?);
    let cargo = |arguments: &[&str]| run(project.command("cargo", arguments));
    cargo(&["generate-lockfile", "--quiet"])?.text()?;
    slipway(&["init", "--platform", "linux/amd64"])?.text()?;

    // Add the same crates at another commit, which has no hash yet.
    let newer = format!("newer = {{ git = \"{url}\", tag = \"v2/b\", package = \"far\" }}\n");
    project.write("Cargo.toml", &manifest(&newer))?;
    cargo(&["update", "--workspace", "--quiet"])?.text()?;
    let error = project.evaluation_error("image")?;
    assert!(
        error.contains("slipway.lock has no hash for far from git")
            && error.contains("run: slipway lock"),
        "{error}"
    );
    slipway(&["lock"])?.text()?;
    slipway(&["build", ".#image"])?.text()?;
    let printed = project.slipway(&["run", "result"])?.text()?;
    assert_eq!(printed, "first of a submodule, second of a submodule\n");

    // Slipway rejects a hash that does not match the files.
    let wrong = format!("sha256 = \"{}\"\n\n[git.crates]", "0".repeat(64));
    project.edit("slipway.lock", |text| {
        let (before, rest) = text.split_once("[[git]]").unwrap_or_default();
        let (row, rest) = rest.split_once("sha256 = ").unwrap_or_default();
        let (_, rest) = rest.split_once("[git.crates]").unwrap_or_default();
        format!("{before}[[git]]{row}{wrong}{rest}")
    })?;
    let error = slipway(&["build", ".#image"])?.failure()?;
    assert!(
        error.contains("does not have the files that slipway.lock pins"),
        "{error}"
    );
    Ok(())
}

#[test]
fn fetches_a_crate_from_another_registry() -> Result<()> {
    let project = Project::of(&[
        (
            "library/Cargo.toml",
            "[package]\nname = \"greeting\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
        ),
        (
            "library/src/lib.rs",
            "pub fn greet() -> &'static str {\n    \"hello\"\n}\n",
        ),
        (
            "Cargo.toml",
            "[package]\nname = \"program\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n\
             [dependencies]\ngreeting = { version = \"1\", registry = \"ours\" }\n",
        ),
        (
            "src/main.rs",
            "fn main() {\n    println!(\"{}\", greeting::greet());\n}\n",
        ),
    ])?;
    let address = serve(project.file("registry"))?;
    let settings = format!("[registries.ours]\nindex = \"sparse+http://{address}/index/\"\n");
    project.write(".cargo/config.toml", &settings)?;
    let manifest = ["--manifest-path", "library/Cargo.toml"];
    project
        .command("cargo", &["package", "--quiet", "--no-verify"])
        .args(manifest)
        .text()?;
    let archive = "library/target/package/greeting-1.0.0.crate";
    let sum = project.command("sha256sum", &[archive]).text()?;
    let (sum, _) = sum.split_once(' ').context("no hash")?;

    let entry = format!(
        r#"{{"name":"greeting","vers":"1.0.0","deps":[],"cksum":"{sum}","features":{{}},"yanked":false}}"#
    );
    let config = format!(r#"{{"dl":"http://{address}/{{crate}}-{{version}}.crate"}}"#);
    project.write("registry/index/config.json", &config)?;
    project.write("registry/index/gr/ee/greeting", &entry)?;
    fs::copy(
        project.file(archive),
        project.file("registry/greeting-1.0.0.crate"),
    )?;
    project
        .command("cargo", &["generate-lockfile", "--quiet"])
        .text()?;

    project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .text()?;
    project.slipway(&["build", ".#image"])?.text()?;
    let printed = project.slipway(&["run", "result"])?.text()?;
    assert_eq!(printed, "hello\n");
    Ok(())
}

#[test]
fn error_names_a_platform_whose_packages_are_not_pinned() -> Result<()> {
    let project = Project::example("rust")?;
    project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .text()?;
    project.edit("flake.nix", |text| {
        text.replace("[\"linux/amd64\"]", "[\"linux/amd64\" \"linux/arm64\"]")
    })?;
    let error = project.evaluation_error("image")?;
    assert!(
        error.contains(
            "slipway.lock has no set libraries for arm64; add it to the set's architectures in slipway.toml"
        ),
        "{error}"
    );
    Ok(())
}

#[test]
fn error_names_the_missing_package_of_a_crate() -> Result<()> {
    let project = Project::example("rust-libraries")?;
    project.slipway(&["init"])?.text()?;
    project.edit("slipway.toml", |text| text.replace("\"libpq-dev\", ", ""))?;
    project.slipway(&["lock"])?.text()?;
    let error = project.slipway(&["build", ".#image-x86_64"])?.failure()?;
    assert!(
        error.contains(
            "the crate pq-sys needs libpq-dev (amd64), which slipway.lock does not have; run: slipway add libpq-dev"
        ),
        "{error}"
    );
    Ok(())
}

#[test]
fn failed_link_suggests_what_to_add() -> Result<()> {
    let project = Project::example("rust")?;
    project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .text()?;
    project.write(
        "src/main.rs",
        "//! Links with zlib.\n\n#[link(name = \"z\")]\nunsafe extern \"C\" {\n    fn zlibVersion();\n}\n\n\
         fn main() {\n    unsafe { zlibVersion() }\n}\n",
    )?;
    let error = project.slipway(&["build", ".#image"])?.failure()?;
    // The error names the package only if Debian's Contents index is available.
    let ends = ["run: slipway add lib:z", "run: slipway add zlib1g-dev"];
    let last = error.trim_end();
    assert!(ends.iter().any(|end| last.ends_with(end)), "{error}");
    Ok(())
}

#[test]
fn init_succeeds_if_no_mirror_can_look_up_packages() -> Result<()> {
    let manifest = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{more}")
    };
    let odd = "[dependencies]\nodd-sys = { path = \"odd-sys\" }\nstrange-sys = { path = \"strange-sys\" }\n";
    let project = Project::of(&[
        ("Cargo.toml", &manifest("app", odd)),
        ("src/main.rs", "fn main() {}\n"),
        (
            "odd-sys/Cargo.toml",
            &manifest("odd-sys", "links = \"odd\"\n"),
        ),
        ("odd-sys/build.rs", "fn main() {}\n"),
        ("odd-sys/src/lib.rs", ""),
        (
            "strange-sys/Cargo.toml",
            &manifest(
                "strange-sys",
                "[package.metadata.system-deps]\nstrange = \"1\"\n",
            ),
        ),
        ("strange-sys/src/lib.rs", ""),
    ])?;
    project
        .command("cargo", &["generate-lockfile", "--offline"])
        .text()?;
    let output = project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .env("SLIPWAY_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")
        .env("no_proxy", "127.0.0.1")
        .output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warned}");
    assert!(warned.contains("warning: "), "{warned}");
    for hint in [
        "strange-sys looks for what no package was found for; run: slipway add pkg-config:strange",
        "slipway add lib:odd",
        "written: slipway.toml, slipway.lock",
    ] {
        assert!(messages.contains(hint), "{messages}");
    }
    Ok(())
}

#[test]
fn failed_c_or_cpp_build_suggests_what_to_add() -> Result<()> {
    let project = Project::of(&[
        (
            "slipway.toml",
            "debian = \"trixie\"\n[set.libraries]\narchitectures = [\"arm64\"]\nsuites = [\"trixie\"]\npackages = [\"libc6-dev\"]\n",
        ),
        ("main.c", "int main(void) { return 0; }\n"),
        ("odd.c", "#include <odd/odd.h>\n"),
        ("odd.cpp", "#include <odd/odd.h>\n"),
    ])?;
    let packages = |script: &str| {
        format!(
            "{{\n  inputs.slipway.url = \"{}\";\n  outputs = {{slipway, ...}}: let\n    \
             target = slipway.lib.targets.aarch64;\n  in {{\n    packages.x86_64-linux.app = target.stdenv.mkDerivation {{\n      \
             name = \"app\";\n      src = ./.;\n      nativeBuildInputs = [target.pkg-config];\n      \
             buildPhase = \"{script}\";\n    }};\n  }};\n}}\n",
            project.slipway_flake()
        )
    };
    for (script, file) in [
        ("$CC -c odd.c", "header:odd/odd.h"),
        ("$CXX -c odd.cpp", "header:odd/odd.h"),
        ("$CC main.c -lodd", "lib:odd"),
        ("$PKG_CONFIG --cflags odd", "pkg-config:odd"),
    ] {
        project.write("flake.nix", &packages(script))?;
        let error = project
            .slipway(&["build", ".#app"])?
            .env("SLIPWAY_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")
            .env("no_proxy", "127.0.0.1")
            .failure()?;
        let hint = format!("run: slipway add {file}");
        assert!(error.trim_end().ends_with(&hint), "{script}: {error}");
    }
    Ok(())
}

/// A workspace that uses many features of Cargo at once.
const FEATURE_RICH: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"[workspace]
members = ["apps/*", "libs/[go]*", "./libs/nested/macros"]
exclude = ["apps/broken"]
resolver = "2"

[workspace.package]
version = "1.2.3"
edition = "2021"

[workspace.dependencies]
greeting = { path = "libs/greeting", default-features = false }

[workspace.lints.rust]
unused = "deny"
missing_docs = "deny"

[patch.crates-io]
equivalent = { path = "patched/equivalent" }

[profile.release]
lto = "thin"
"#,
    ),
    ("apps/broken/Cargo.toml", "this is no manifest"),
    ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.2.3\"\n"),
    (
        "apps/odd/Cargo.toml",
        r#"[package]
name = "odd-app"
version.workspace = true
edition = "2018"
build = "make/build.rs"

[features]
default = ["loud"]
loud = ["greeting/loud"]
never = []

[dependencies]
greeting.workspace = true
indexmap = { version = "2", default-features = false, features = ["std"] }
making = { package = "macros", path = "../../libs/nested/macros" }

[target.'cfg(unix)'.dependencies]
old = { path = "../../libs/old" }

[target.'cfg(windows)'.dependencies]
nowhere = { path = "../../libs/nowhere", optional = true }

[[bin]]
name = "odd"
path = "start.rs"

[[bin]]
name = "hidden"
path = "hidden.rs"
required-features = ["never"]

[[bench]]
name = "declared"
"#,
    ),
    ("apps/odd/benches/declared.rs", "fn main() {}\n"),
    ("apps/odd/hidden.rs", "compile_error!(\"not wanted\");\n"),
    (
        "apps/odd/make/build.rs",
        r#"fn main() {
    let beside = std::fs::read_to_string("make/beside.txt").unwrap();
    println!("cargo:rustc-env=BESIDE={}", beside.trim());
}
"#,
    ),
    ("apps/odd/make/beside.txt", "beside\n"),
    (
        "apps/odd/start.rs",
        r#"fn main() {
    let map: indexmap::IndexMap<&str, u32> = vec![("one", 1)].into_iter().collect();
    println!("{} {}", greeting::greet(), map["one"]);
    println!("{}", include_str!("../../shared/words.txt").trim());
    println!("{} {}", env!("BESIDE"), env!("FROM_CONFIG"));
    println!("{} {}", making::answer!(), old::old());
    println!("{} {}", env!("CARGO_PKG_VERSION"), cfg!(odd_flag));
    println!("{}", cfg!(target_feature = "sse3"));
}
"#,
    ),
    (
        "apps/odd/src/bin/second.rs",
        "fn main() {\n    println!(\"second\");\n}\n",
    ),
    ("shared/words.txt", "from elsewhere in the tree\n"),
    (
        "libs/greeting/Cargo.toml",
        "[package]\nname = \"greeting\"\nversion.workspace = true\nedition.workspace = true\n\n\
         [features]\ndefault = [\"wrong\"]\nloud = []\nwrong = []\n\n[lints]\nworkspace = true\n",
    ),
    ("libs/greeting/README.md", "Greets.\n"),
    (
        "libs/greeting/src/lib.rs",
        r#"#![doc = include_str!("../README.md")]

/// Greets, loudly or not.
pub fn greet() -> &'static str {
    match (cfg!(feature = "loud"), cfg!(feature = "wrong")) {
        (true, false) => "HELLO",
        (false, false) => "hello",
        _ => "wrong",
    }
}
"#,
    ),
    (
        "libs/nested/macros/Cargo.toml",
        "[package]\nname = \"macros\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\nproc-macro = true\n",
    ),
    (
        "libs/nested/macros/src/lib.rs",
        "use proc_macro::TokenStream;\n\n#[proc_macro]\npub fn answer(_: TokenStream) -> TokenStream {\n    \"42\".parse().unwrap()\n}\n",
    ),
    (
        "libs/nowhere/Cargo.toml",
        "[package]\nname = \"nowhere\"\nversion = \"0.1.0\"\n",
    ),
    ("libs/nowhere/src/lib.rs", "compile_error!(\"not here\");\n"),
    (
        "libs/old/Cargo.toml",
        "[package]\nname = \"old\"\nversion = \"0.1.0\"\n",
    ),
    (
        "libs/old/src/lib.rs",
        "pub fn old() -> u32 {\n    let async = 2015;\n    async\n}\n",
    ),
    (
        "patched/equivalent/Cargo.toml",
        "[package]\nname = \"equivalent\"\nversion = \"1.0.99\"\nedition = \"2021\"\n",
    ),
    (
        "patched/equivalent/src/lib.rs",
        r#"#![no_std]
use core::borrow::Borrow;

pub trait Equivalent<K: ?Sized> {
    fn equivalent(&self, key: &K) -> bool;
}

impl<Q: ?Sized + Eq, K: ?Sized + Borrow<Q>> Equivalent<K> for Q {
    fn equivalent(&self, key: &K) -> bool {
        *self == *key.borrow()
    }
}
"#,
    ),
    (
        ".cargo/config.toml",
        r#"[build]
rustc-wrapper = "a-program-of-somebodys-machine"
rustflags = ["--cfg", "odd_flag", "-C", "target-cpu=native", "-C", "link-arg=-fuse-ld=mold"]
target-dir = "elsewhere"

[env]
FROM_CONFIG = "configured"

[source.crates-io]
replace-with = "a-mirror"

[source.a-mirror]
registry = "sparse+https://mirror.example/index/"
"#,
    ),
];

#[test]
fn builds_a_workspace_as_cargo_does() -> Result<()> {
    let project = Project::of(FEATURE_RICH)?;
    // Create the lock file before the source replacement, whose mirror does not exist.
    let settings = project.read(".cargo/config.toml")?;
    let toolchain = project.read("rust-toolchain.toml")?;
    fs::remove_file(project.file(".cargo/config.toml"))?;
    fs::remove_file(project.file("rust-toolchain.toml"))?;
    project
        .command("cargo", &["generate-lockfile", "--offline", "--quiet"])
        .text()?;
    project.write("rust-toolchain.toml", &toolchain)?;
    project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .text()?;
    project.write(".cargo/config.toml", &settings)?;
    let flake = project.read("flake.nix")?;
    assert!(flake.contains(".#image-second"), "{flake}");

    project
        .slipway(&["build", ".#odd-x86_64", ".#image-second"])?
        .text()?;
    let odd = nix_build(project.path(), "odd-x86_64")?;
    let printed = project
        .command(&odd.join("bin/odd").to_string_lossy(), &[])
        .text()?;
    assert_eq!(
        printed,
        "HELLO 1\nfrom elsewhere in the tree\nbeside configured\n42 2015\n1.2.3 true\nfalse\n"
    );
    // Each output contains only its own program.
    assert_eq!(fs::read_dir(odd.join("bin"))?.count(), 1);
    let image = nix_build(project.path(), "image-second")?;
    let printed = project
        .slipway(&["run", &image.to_string_lossy()])?
        .text()?;
    assert_eq!(printed, "second\n");
    Ok(())
}

#[test]
fn builds_from_vendored_crates() -> Result<()> {
    let project = Project::example("rust")?;
    let vendor = ["vendor", "--offline", "--quiet", "--locked"];
    let settings = project.command("cargo", &vendor).text()?;
    project.write(".cargo/config.toml", &settings)?;
    project
        .slipway(&["init", "--platform", "linux/amd64"])?
        .text()?;
    project.slipway(&["build", ".#image"])?.text()?;
    let printed = project.slipway(&["run", "result"])?.text()?;
    assert_eq!(printed, expected("rust")?);
    Ok(())
}
