//! Go modules of users: from a module to images with `slipway init`, and the errors on the way. The
//! module that they require comes from a module proxy in a directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use end_to_end::command::CommandExt;
use end_to_end::go_proxy;
use end_to_end::network;
use end_to_end::nix::{nix, nix_build};
use end_to_end::platform::Platform;
use end_to_end::project::Project;
use end_to_end::repository::repository;
use end_to_end::requirement::{Requirement, met};
use tempfile::TempDir;

/// A project, and the proxy that its module example.com/words comes from.
struct Fixture {
    project: Project,
    proxy: TempDir,
    go: PathBuf,
}

const GO_MOD: &str = "module example.com/app\n\ngo 1.24\n\nrequire example.com/words v1.0.0\n";
const WORDS: &str = "package words\n\nfunc Greeting() string { return \"hello\" }\n";

/// A program that prints a word from the module, and the version of zlib.
const PACKED: &str = r#"package main

// #cgo pkg-config: zlib
// #include <zlib.h>
import "C"

import (
	"fmt"

	"example.com/app/internal/text"
	"example.com/words"
)

var version = "unknown"

func main() {
	fmt.Println(words.Greeting(), text.Name(), C.GoString(C.zlibVersion()) != "", version)
}
"#;
const PLAIN: &str =
    "package main\n\nimport \"example.com/words\"\n\nfunc main() { println(words.Greeting()) }\n";
const TEXT: &str = "package text\n\nimport _ \"embed\"\n\n//go:embed name.txt\nvar name string\n\n\
                    func Name() string { return name }\n";

impl Fixture {
    fn new() -> Result<Self> {
        let fixture = Self {
            project: Project::of(&[
                ("go.mod", GO_MOD),
                ("cmd/packed/main.go", PACKED),
                ("cmd/plain/main.go", PLAIN),
                ("internal/text/text.go", TEXT),
                ("internal/text/name.txt", "world"),
            ])?,
            proxy: TempDir::new()?,
            go: nix_build(repository(), "go")?.join("bin/go"),
        };
        fixture.publish(WORDS)?;
        fixture.go(&["mod", "tidy"])?;
        Ok(fixture)
    }

    /// Puts version 1.0.0 of the module with this source into the proxy.
    fn publish(&self, source: &str) -> Result<()> {
        let manifest = "module example.com/words\n\ngo 1.24\n";
        let files = [("go.mod", manifest), ("words.go", source)];
        go_proxy::publish(self.proxy.path(), "example.com/words", "v1.0.0", &files)
    }

    /// The user's settings of Go, with a module cache of its own.
    fn settings(&self) -> [(&'static str, String); 4] {
        let proxy = self.proxy.path().display();
        [
            ("GOENV", "off".into()),
            ("GOMODCACHE", format!("{proxy}/cache")),
            ("GOPROXY", format!("file://{proxy}")),
            ("GOSUMDB", "off".into()),
        ]
    }

    fn go(&self, arguments: &[&str]) -> Result<String> {
        let mut go = self
            .project
            .command(&self.go.display().to_string(), arguments);
        go.envs(self.settings()).text()
    }

    fn slipway(&self, arguments: &[&str]) -> Result<Command> {
        let mut slipway = self.project.slipway(arguments)?;
        slipway.envs(self.settings());
        Ok(slipway)
    }
}

/// The go command writes directories that nobody may change.
impl Drop for Fixture {
    fn drop(&mut self) {
        let mut chmod = Command::new("chmod");
        let _ = chmod.args(["-R", "u+w"]).arg(self.proxy.path()).status();
    }
}

#[test]
fn a_module_with_cgo_builds_images_that_run_and_know_their_version() -> Result<()> {
    let fixture = Fixture::new()?;
    let project = &fixture.project;
    let platform = Platform::foreign()?;
    let messages = fixture
        .slipway(&["init", "--platform", &platform.oci])?
        .text()?;
    assert!(
        messages.contains("example.com/app/cmd/packed needs zlib1g-dev"),
        "{messages}"
    );
    let flake = project.read("flake.nix")?;
    assert!(
        flake.contains("# what .#image runs; the others are .#image-plain\n"),
        "{flake}"
    );

    project.edit("flake.nix", |text| {
        text.replace(
            "      program =",
            "      version = \"1.2.3\";\n      self = {rev = \"0123abc\";};\n      program =",
        )
    })?;
    for image in [".#image-plain", ".#image"] {
        fixture.slipway(&["build", image])?.text()?;
        fixture.slipway(&["verify", "result"])?.text()?;
    }
    let inspected = fixture.slipway(&["inspect", "result"])?.text()?;
    let built = "with cgo, example.com/app/cmd/packed v1.2.3, revision 0123abc";
    assert!(inspected.contains(built), "{inspected}");
    if met(&[Requirement::Runs(&platform)])? {
        let printed = fixture.slipway(&["run", "result"])?.text()?;
        assert_eq!(printed, "hello world true 1.2.3\n");
    }

    let check = format!(
        ".#checks.{}-linux.elf-packed-{}",
        std::env::consts::ARCH,
        platform.name
    );
    fixture.slipway(&["build", &check])?.text()?;

    // A change of the module's own packages compiles no others.
    project.edit("cmd/packed/main.go", |text| {
        text.replace("!= \"\"", "== \"\"")
    })?;
    let planned = nix(project.path())
        .args(["build", "--dry-run", ".#image"])
        .outcome()?;
    let planned = String::from_utf8_lossy(&planned.stderr);
    assert!(
        planned.contains("-packed.drv") && !planned.contains("-dependencies.drv"),
        "{planned}"
    );

    project.edit("flake.nix", |text| {
        text.replace("      program =", "      cgo = false;\n      program =")
    })?;
    let error = project.evaluation_error("image")?;
    let expected = "example.com/app/cmd/packed cannot be compiled without cgo, since it calls C; remove cgo = false";
    assert!(error.contains(expected), "{error}");
    Ok(())
}

#[test]
fn go_builds_and_tests_for_another_platform_in_its_shell_without_a_network() -> Result<()> {
    let platform = Platform::foreign()?;
    if !met(&[Requirement::NoNetwork, Requirement::Runs(&platform)])? {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let project = &fixture.project;
    project.write(
        "internal/text/text_test.go",
        "package text\n\nimport (\n\t\"runtime\"\n\t\"testing\"\n)\n\n\
         func TestName(t *testing.T) {\n\tt.Log(runtime.GOARCH, Name())\n}\n",
    )?;
    fixture
        .slipway(&["init", "--platform", &platform.oci])?
        .text()?;
    let shell = format!(
        ".#devShells.{}-linux.{}",
        std::env::consts::ARCH,
        platform.name
    );
    fixture.slipway(&["seed", &shell])?.text()?;
    let mut develop = nix(project.path());
    develop.args([
        "develop",
        &format!(".#{}", platform.name),
        "--command",
        "sh",
        "-c",
    ]);
    develop.arg("go build -o built ./cmd/packed && ./built && go test -v ./internal/...");
    develop.env("GOCACHE", fixture.proxy.path().join("build"));
    let printed = network::none(&develop)?.text()?;
    let goarch = printed
        .lines()
        .find_map(|line| line.strip_suffix(" world")?.rsplit(' ').next());
    assert!(
        printed.starts_with("hello world true unknown\n"),
        "{printed}"
    );
    assert_eq!(goarch, Some(platform.debian.as_str()), "{printed}");
    Ok(())
}

#[test]
fn programs_of_all_modules_of_a_workspace_are_found() -> Result<()> {
    let main = "package main\n\nfunc main() {}\n";
    let project = Project::of(&[
        ("go.work", "go 1.24\n\nuse (\n\t./one\n\t./two\n)\n"),
        ("one/go.mod", "module example.com/one\n\ngo 1.24\n"),
        ("one/main.go", main),
        ("two/go.mod", "module example.com/two\n\ngo 1.24\n"),
        ("two/cmd/tool/main.go", main),
    ])?;
    project.slipway(&["init"])?.text()?;
    let lock = project.read("slipway.lock")?;
    for package in ["./one", "./two/cmd/tool"] {
        assert!(lock.contains(&format!("package = \"{package}\"")), "{lock}");
    }
    project
        .slipway(&["build", "--platform", &Platform::own()?.oci])?
        .text()
        .map(drop)
}

/// An edit of a project's file that makes `slipway lock` fail.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    error: &'static str,
}

#[test]
fn mistakes_are_explained_and_leave_the_lock_as_it_was() -> Result<()> {
    let fixture = Fixture::new()?;
    let project = &fixture.project;
    fixture.slipway(&["init"])?.text()?;
    let lock = project.read("slipway.lock")?;
    let mistakes = [
        Mistake {
            file: "go.sum",
            from: "example.com/words v1.0.0 h1:",
            to: "example.com/words v1.0.0 h1:A",
            error: "checksum mismatch",
        },
        Mistake {
            file: "go.sum",
            from: "example.com/words v1.0.0 ",
            to: "example.com/other v1.0.0 ",
            error: "missing go.sum entry",
        },
        Mistake {
            file: "go.mod",
            from: "go 1.24",
            to: "go 1.99",
            error: "Go 1.99.0 could not be fetched; name a version that exists",
        },
        Mistake {
            file: "go.mod",
            from: "module example.com/app",
            to: "module example.com/renamed",
            error: "Write go.mod and go.sum with: go mod tidy",
        },
        Mistake {
            file: "go.mod",
            from: "require",
            to: "replace example.com/words => ../words\n\nrequire",
            error: "A build has only the files in the project",
        },
        Mistake {
            file: "slipway.toml",
            from: "debian",
            to: "go.version = \"1.99.1\"\ndebian",
            error: "Go 1.99.1 could not be fetched; name a version that exists",
        },
        Mistake {
            file: "cmd/packed/main.go",
            from: "\"fmt\"",
            to: "\"fmt\"\n\t_ \"example.com/unknown\"",
            error: "cannot find module providing package example.com/unknown",
        },
    ];
    for mistake in mistakes {
        let before = project.read(mistake.file)?;
        project.edit(mistake.file, |text| {
            text.replacen(mistake.from, mistake.to, 1)
        })?;
        let error = fixture.slipway(&["lock"])?.failure()?;
        assert!(error.contains(mistake.error), "{error}");
        assert_eq!(
            error
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count(),
            1,
            "{error}"
        );
        assert_eq!(project.read("slipway.lock")?, lock, "{error}");
        project.write(mistake.file, &before)?;
    }

    project.edit("flake.nix", |text| {
        text.replace("src =", "tags = [\"x\"];\n      src =")
    })?;
    let error = project.evaluation_error("image")?;
    assert!(
        error.contains("slipway.lock was made with the build tags []"),
        "{error}"
    );
    Ok(())
}
