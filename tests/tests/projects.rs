//! Programs of others: from a cargo workspace to images by `slipway init`, and what is said when that
//! cannot be.

use std::fs;

use anyhow::{Context, Result};
use end_to_end::command::CommandExt;
use end_to_end::http::serve;
use end_to_end::network;
use end_to_end::nix::{nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::project::Project;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};

/// What the example prints.
fn expected(example: &str) -> Result<String> {
    let file = repository().join("examples").join(example).join("expected");
    fs::read_to_string(&file).with_context(|| file.display().to_string())
}

fn written_as_in_the_example(project: &Project, example: &str) -> Result<()> {
    for file in ["flake.nix", "slipway.toml"] {
        let shown = fs::read_to_string(repository().join("examples").join(example).join(file))?;
        let written = project.read(file)?;
        let written = written.replace(&project.slipway_flake(), "path:../..");
        assert_eq!(written, shown, "{file}");
    }
    Ok(())
}

#[test]
fn a_fresh_project_becomes_images_that_are_sound_and_run() -> Result<()> {
    let project = Project::example("rust")?;
    project.command("git", &["init", "--quiet"]).text()?;
    project.command("git", &["add", "--all"]).text()?;
    let said = project.slipway(&["init"])?.text()?;
    assert!(
        said.contains("written: slipway.toml, slipway.lock, flake.lock, flake.nix"),
        "{said}"
    );
    written_as_in_the_example(&project, "rust")?;
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
fn crates_that_need_a_library_get_its_debian_package() -> Result<()> {
    let project = Project::example("rust-libraries")?;
    let said = project.slipway(&["init"])?.text()?;
    for line in [
        "libsqlite3-sys needs libsqlite3-dev",
        "openssl-sys needs libssl-dev",
        "pq-sys needs libpq-dev",
    ] {
        assert!(said.lines().any(|said| said == line), "{said}");
    }
    written_as_in_the_example(&project, "rust-libraries")
}

#[test]
fn crates_that_run_a_program_get_it() -> Result<()> {
    let project = Project::example("rust-protobuf")?;
    project.slipway(&["init"])?.text()?;
    written_as_in_the_example(&project, "rust-protobuf")
}

#[test]
fn what_slipway_has_pinned_itself_is_taken_over_without_a_network() -> Result<()> {
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
fn the_template_makes_what_init_makes() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    // It stays the same where only a mirror's directory has changed.
    let image = |project: &Project| {
        nix(project.path())
            .args(["eval", "--raw", ".#image.outPath"])
            .text()
    };
    let made = image(&project)?;
    // The lock stays: what `slipway lock` finds pinned it leaves so.
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
fn init_replaces_nothing_unless_it_is_told_to() -> Result<()> {
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
fn init_refuses_a_platform_that_does_not_exist_with_those_that_do() -> Result<()> {
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
fn a_workspace_without_a_lock_file_is_refused_with_what_to_run() -> Result<()> {
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
fn in_a_member_it_is_said_where_the_workspace_is() -> Result<()> {
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
fn a_lock_file_that_is_older_than_the_manifest_is_refused_with_what_to_run() -> Result<()> {
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

#[test]
fn a_crate_from_git_is_refused_with_the_way_out() -> Result<()> {
    let project = Project::example("rust")?;
    project.slipway(&["init"])?.text()?;
    let dependency = "far = { git = \"https://git.example/far\" }\n";
    project.edit("Cargo.toml", |text| text + dependency)?;
    project.edit("Cargo.lock", |text| {
        let entry = "[[package]]\nname = \"far\"\nversion = \"0.1.0\"\n\
             source = \"git+https://git.example/far#0123456789abcdef0123456789abcdef01234567\"\n\n";
        let own = "[[package]]\nname = \"checksum\"\n";
        text.replace(own, &format!("{entry}{own}"))
            .replace(" \"sha2\",\n", " \"far\",\n \"sha2\",\n")
    })?;
    let error = project.evaluation_error("image")?;
    assert!(
        error.contains("far 0.1.0 from git") && error.contains("cargo vendor"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_crate_of_another_registry_is_fetched_from_there() -> Result<()> {
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
fn a_platform_whose_packages_are_not_pinned_is_said_with_what_to_do() -> Result<()> {
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
fn a_crate_whose_library_is_not_pinned_fails_with_the_package_to_add() -> Result<()> {
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

/// Much of what cargo allows in a workspace, at once.
const ODD: &[(&str, &str)] = &[
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
fn a_workspace_is_built_as_cargo_builds_it() -> Result<()> {
    let project = Project::of(ODD)?;
    // The lock is made where the mirror of the project's settings is none.
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
    // Each program is without the others.
    assert_eq!(fs::read_dir(odd.join("bin"))?.count(), 1);
    let image = nix_build(project.path(), "image-second")?;
    let printed = project
        .slipway(&["run", &image.to_string_lossy()])?
        .text()?;
    assert_eq!(printed, "second\n");
    Ok(())
}

#[test]
fn crates_that_were_vendored_into_the_tree_are_taken_from_there() -> Result<()> {
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
