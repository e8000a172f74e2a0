//! PKGBUILD and .SRCINFO of a package of the Arch User Repository with the programs for Linux.
//! Sources: PKGBUILD(5), SRCINFO(5), alpm-pkgver(7).

use semver::Version;
use slipway_oci::Platform;

use super::{Download, Published, shell_word};

/// Arch's name of a platform. Other architectures than x86_64 are those of its ports.
pub(super) fn architecture(platform: &Platform) -> Option<&'static str> {
    match (
        platform.os(),
        platform.architecture(),
        platform.variant().unwrap_or_default(),
    ) {
        ("linux", "386", _) => Some("i686"),
        ("linux", "amd64", _) => Some("x86_64"),
        ("linux", "arm", "v7") => Some("armv7h"),
        ("linux", "arm64", _) => Some("aarch64"),
        ("linux", "ppc64le", _) => Some("powerpc64le"),
        ("linux", "riscv64", _) => Some("riscv64"),
        _ => None,
    }
}

/// A variable with its values.
type Field = (String, Vec<String>);

/// The variables of both files, in the order of `makepkg --printsrcinfo`, without pkgname.
fn fields(release: &Published, downloads: &[(&str, &Download)]) -> Vec<Field> {
    let name = name(release);
    let version = version(release.version);
    let mut fields: Vec<Field> = Vec::new();
    let mut add = |key: &str, values: Vec<String>| fields.push((key.to_owned(), values));
    add("pkgdesc", vec![release.description.to_owned()]);
    add("pkgver", vec![version.clone()]);
    add("pkgrel", vec!["1".to_owned()]);
    add("url", vec![release.homepage.to_owned()]);
    let architectures = downloads.iter().map(|(it, _)| (*it).to_owned());
    add("arch", architectures.collect());
    add("license", vec![release.license.to_owned()]);
    let mut glibcs = downloads
        .iter()
        .filter_map(|(_, it)| it.needs?.glibc.as_deref());
    if let Some(first) = glibcs.next() {
        // Arch has one version of glibc for all architectures.
        let newest = glibcs.fold(first, |a, b| if numbers(b) > numbers(a) { b } else { a });
        add("depends", vec![format!("glibc>={newest}")]);
    }
    let program = release.name.to_lowercase();
    add("provides", vec![program.clone()]);
    add("conflicts", vec![program]);
    // The programs stay as they are.
    add("options", vec!["!debug".to_owned(), "!strip".to_owned()]);
    for (architecture, it) in downloads {
        let extension = it.format.extension();
        let file = format!("{name}-{version}-{architecture}.{extension}");
        add(
            &format!("source_{architecture}"),
            vec![format!("{file}::{}", it.url)],
        );
        add(
            &format!("sha256sums_{architecture}"),
            vec![it.sha256.clone()],
        );
    }
    fields
}

pub(super) fn pkgbuild(release: &Published) -> String {
    let downloads = release.with(architecture);
    let mut text = String::new();
    if let Some(maintainer) = release.maintainer {
        text += &format!("# Maintainer: {maintainer}\n\n");
    }
    let name = name(release);
    text += &format!("pkgname={}\n", shell_word(&name));
    for (key, values) in fields(release, &downloads) {
        let words: Vec<String> = values.iter().map(|it| shell_word(it)).collect();
        let words = words.join(" ");
        match &*key {
            "pkgdesc" | "pkgver" | "pkgrel" | "url" => text += &format!("{key}={words}\n"),
            _ => text += &format!("{key}=({words})\n"),
        }
    }
    let mut libraries: Vec<&str> = downloads
        .iter()
        .filter_map(|(_, it)| it.needs)
        .flat_map(|needs| needs.libraries.iter().map(|it| &*it.soname))
        .collect();
    libraries.sort_unstable();
    libraries.dedup();
    if !libraries.is_empty() {
        text += &format!(
            "# Add the packages with these libraries to depends: {}\n",
            libraries.join(" ")
        );
    }
    text += "\npackage() {\n  case $CARCH in\n";
    for (architecture, it) in &downloads {
        let directory = shell_word(&it.directory);
        text += &format!("    {architecture}) cd {directory} ;;\n");
    }
    text += "  esac\n";
    if let Some((_, it)) = downloads.first() {
        let licenses = format!("share/licenses/{name}");
        let program = release.name.to_lowercase();
        for command in it.install_commands("\"$pkgdir\"/usr", &program, &licenses) {
            text += &format!("  {command}\n");
        }
    }
    text + "}\n"
}

pub(super) fn srcinfo(release: &Published) -> String {
    let name = name(release);
    let mut text = format!("pkgbase = {name}\n");
    for (key, values) in fields(release, &release.with(architecture)) {
        for value in values {
            text += &format!("\t{key} = {value}\n");
        }
    }
    text + &format!("\npkgname = {name}\n")
}

/// The name of a package with programs that were built elsewhere. Source: ArchWiki, "AUR submission
/// guidelines".
fn name(release: &Published) -> String {
    format!("{}-bin", release.name.to_lowercase())
}

/// The version without characters that pacman does not take. For pacman, `1.2.3rc.1` comes before
/// `1.2.3`. Source: vercmp(8).
fn version(version: &Version) -> String {
    let mut text = format!("{}.{}.{}", version.major, version.minor, version.patch);
    if !version.pre.is_empty() {
        if version.pre.starts_with(|c: char| !c.is_ascii_alphabetic()) {
            text += "pre";
        }
        text += &version.pre.replace('-', ".");
    }
    if !version.build.is_empty() {
        text += &format!("+{}", version.build.replace('-', "."));
    }
    text
}

/// The numbers of a version, to compare it.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .filter_map(|it| it.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ManifestFormat;
    use super::super::tests::{assert_snapshot, texts};
    use super::*;

    #[test]
    fn pkgbuild_and_srcinfo_have_the_same_fields() {
        let texts = texts(ManifestFormat::Aur, "1.2.3");
        assert_snapshot("PKGBUILD", &texts[0]);
        assert_snapshot("SRCINFO", &texts[1]);
    }

    #[test]
    fn versions_sort_as_semantic_versions_do() {
        for (text, expected) in [
            ("1.2.3", "1.2.3"),
            ("1.2.3-rc.1", "1.2.3rc.1"),
            ("1.2.3-0.3", "1.2.3pre0.3"),
            ("0.0.0-SNAPSHOT-abc1234", "0.0.0SNAPSHOT.abc1234"),
            ("1.2.3+build-5", "1.2.3+build.5"),
        ] {
            assert_eq!(version(&text.parse().unwrap()), expected);
        }
    }
}
