//! Images depend only on their inputs, not on other files of the repository.

use anyhow::Result;
use end_to_end::nix::derivation;
use end_to_end::platform::Platform;
use end_to_end::repository::Copy;

fn append_line(comment: &'static str) -> impl Fn(String) -> String {
    move |text| format!("{text}\n{comment}\n")
}

#[test]
fn editing_files_outside_the_images_rebuilds_no_image() -> Result<()> {
    let copy = Copy::new()?;
    let before = derivation(copy.path(), "image")?;
    for (file, line) in [
        ("README.md", "edited"),
        ("crates/reporter/README.md", "edited"),
        ("crates/reporter/tests/bad_config.rs", "// edited"),
        ("crates/slipway-debian/src/lib.rs", "// edited"),
        ("crates/slipway-nix/src/lib.rs", "// edited"),
        ("crates/slipway/src/main.rs", "// edited"),
        ("nix/checks/run.sh", "# edited"),
        ("tests/src/lib.rs", "// edited"),
    ] {
        copy.edit(file, append_line(line))?;
        assert_eq!(derivation(copy.path(), "image")?, before, "{file}");
    }
    Ok(())
}

#[test]
fn editing_the_reporter_changes_the_images() -> Result<()> {
    let copy = Copy::new()?;
    let before = derivation(copy.path(), "image")?;
    copy.edit("crates/reporter/src/main.rs", append_line("// edited"))?;
    assert_ne!(derivation(copy.path(), "image")?, before);
    Ok(())
}

#[test]
fn editing_the_reporter_does_not_rebuild_dependencies_or_library_layers() -> Result<()> {
    let copy = Copy::new()?;
    let own = Platform::own()?.name;
    let parts = [
        format!("reporter-{own}.dependencies"),
        format!("librdkafka-{own}"),
    ];
    let derivations = || -> Result<Vec<String>> {
        parts
            .iter()
            .map(|part| derivation(copy.path(), part))
            .collect()
    };
    let before = derivations()?;
    copy.edit("crates/reporter/src/main.rs", append_line("// edited"))?;
    assert_eq!(derivations()?, before);
    Ok(())
}
