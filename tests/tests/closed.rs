//! Images depend on what goes into them, and on nothing else in the repository.

use anyhow::Result;
use end_to_end::nix::derivation;
use end_to_end::platform::Platform;
use end_to_end::repository::Copy;

fn with_one_more_line(comment: &'static str) -> impl Fn(String) -> String {
    move |text| format!("{text}\n{comment}\n")
}

#[test]
fn an_edit_that_is_in_no_image_rebuilds_no_image() -> Result<()> {
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
        copy.edit(file, with_one_more_line(line))?;
        assert_eq!(derivation(copy.path(), "image")?, before, "{file}");
    }
    Ok(())
}

#[test]
fn an_edit_of_the_reporter_makes_new_images() -> Result<()> {
    let copy = Copy::new()?;
    let before = derivation(copy.path(), "image")?;
    copy.edit(
        "crates/reporter/src/main.rs",
        with_one_more_line("// edited"),
    )?;
    assert_ne!(derivation(copy.path(), "image")?, before);
    Ok(())
}

#[test]
fn an_edit_of_the_reporter_compiles_no_dependency_and_packs_no_library_again() -> Result<()> {
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
    copy.edit(
        "crates/reporter/src/main.rs",
        with_one_more_line("// edited"),
    )?;
    assert_eq!(derivations()?, before);
    Ok(())
}
