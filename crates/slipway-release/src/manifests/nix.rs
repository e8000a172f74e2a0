//! A package for nixpkgs: a derivation that fetches the archive for the system.

use slipway_oci::Platform;

use super::{Download, Published};
use crate::Format;

/// Nix's name of a platform.
pub(super) fn system(platform: &Platform) -> Option<String> {
    let system = match platform.os() {
        os @ ("darwin" | "freebsd" | "linux") => os,
        _ => return None,
    };
    let variant = platform.variant().unwrap_or_default();
    let processor = match (platform.architecture(), variant) {
        ("386", _) => "i686",
        ("amd64", _) => "x86_64",
        ("arm", "v7") => "armv7l",
        ("arm64", _) => "aarch64",
        ("ppc64le", _) => "powerpc64le",
        ("riscv64", _) => "riscv64",
        ("s390x", _) => "s390x",
        _ => return None,
    };
    Some(format!("{processor}-{system}"))
}

pub(super) fn expression(release: &Published) -> String {
    let mut downloads = release.with(system);
    downloads.sort_by(|(a, _), (b, _)| a.cmp(b));
    let version = release.version.to_string();
    // What an archive needs to be unpacked, and a program to find the loader in the store.
    let tool = match downloads.first().map(|(_, it)| it.format) {
        Some(Format::TarZst) => Some("zstd"),
        Some(Format::Zip) => Some("unzip"),
        Some(Format::TarGz) | None => None,
    };
    let needs = || downloads.iter().filter_map(|(_, it)| it.needs);
    let is_dynamic = needs().any(|it| it.glibc.is_some());
    let mut libraries: Vec<&str> = needs()
        .flat_map(|it| it.libraries.iter().map(|library| &*library.soname))
        .collect();
    libraries.sort_unstable();
    libraries.dedup();

    let mut arguments = vec!["fetchurl", "stdenvNoCC"];
    arguments.extend(tool);
    if is_dynamic {
        arguments.push("autoPatchelfHook");
    }
    arguments.sort_unstable();
    let mut text = format!(
        "# {} {version} for nixpkgs: pkgs.callPackage ./{}.nix {{}}\n{{\n",
        release.name, release.name
    );
    for argument in arguments {
        text += &format!("  {argument},\n");
    }
    if !libraries.is_empty() {
        text += &format!(
            "  # packages with {}\n  libraries ? [],\n",
            libraries.join(", ")
        );
    }
    text += "}: let\n  inherit (stdenvNoCC.hostPlatform) system;\n\n  sources = {\n";
    for (system, it) in &downloads {
        text += &format!(
            "    {system} = {{\n      url = {};\n      sha256 = {};\n    }};\n",
            string(&it.url),
            string(&it.sha256)
        );
    }
    text += &format!(
        "  }};\nin\n  stdenvNoCC.mkDerivation {{\n    pname = {};\n    version = {};\n    src = fetchurl (sources.${{system}} or \
         (throw \"{} {version} has no archive for ${{system}}\"));\n",
        string(release.name),
        string(&version),
        release.name
    );
    let mut inputs: Vec<String> = Vec::new();
    if let Some(tool) = tool {
        inputs.push(format!("[{tool}]"));
    }
    if is_dynamic {
        inputs.push(
            "(\n      if stdenvNoCC.hostPlatform.isLinux\n      then [autoPatchelfHook]\n      else []\n    )"
                .to_owned(),
        );
    }
    if !inputs.is_empty() {
        text += &format!("    nativeBuildInputs = {};\n", inputs.join(" ++ "));
    }
    if !libraries.is_empty() {
        text += "    buildInputs = libraries;\n";
    }
    text += "    dontConfigure = true;\n    dontBuild = true;\n    dontStrip = true;\n";
    if let Some((_, download)) = downloads.first() {
        text += &install_phase(release, download);
    }
    text + "  }\n"
}

fn install_phase(release: &Published, download: &Download) -> String {
    let licenses = format!("share/doc/{}", release.name);
    let mut text = "    installPhase = ''\n      runHook preInstall\n".to_owned();
    for command in download.install_commands("$out", release.name, &licenses) {
        text += &format!("      {}\n", indented(&command));
    }
    text += "      runHook postInstall\n    '';\n";
    text + &format!(
        "    meta = {{\n      description = {};\n      homepage = {};\n      license = {};\n      mainProgram = {};\n      \
         platforms = builtins.attrNames sources;\n    }};\n",
        string(release.description),
        string(release.homepage),
        string(release.license),
        string(download.main_program(release.name))
    )
}

/// A string in Nix's syntax.
pub fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${");
    format!("\"{escaped}\"")
}

/// Text within a string between `''`. Each quote is escaped, so that none begins another escape.
fn indented(text: &str) -> String {
    text.replace('\'', "''\\'").replace("${", "''${")
}

#[cfg(test)]
mod tests {
    use super::super::ManifestFormat;
    use super::super::tests::{assert_snapshot, texts};
    use super::*;

    #[test]
    fn expression_has_a_source_for_each_system() {
        let texts = texts(ManifestFormat::Nix, "1.2.3");
        assert_snapshot("word-count.nix", &texts[0]);
    }

    #[test]
    fn strings_are_not_interpolated() {
        assert_eq!(string(r#"a "b" \ ${c} $d"#), r#""a \"b\" \\ \${c} $d""#);
        assert_eq!(indented("'${x}' $out"), r"''\'''${x}''\' $out");
    }
}
