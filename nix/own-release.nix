# Returns { lib, packages } with which `slipway release` makes release files of the command line. They include
# this flake, of which `slipway init` makes an input of projects.
{
  # attribute set: default.nix for each build machine, by system (systems.nix)
  slipways,
  # path: root directory of this repository
  root,
}: let
  inherit (builtins) elem head mapAttrs match path stringLength substring;

  releaseOf = slipways: build:
    import ./release.nix {inherit slipways;} {
      inherit build;
      name = "slipway";
      description = "Builds multi-architecture OCI images and release files with Nix";
      license = "MIT OR Apache-2.0";
    };

  # The files of the flake that projects use. cargo wants every member of the workspace.
  source = path {
    name = "slipway-source";
    path = root;
    filter = file: _: let
      relative = substring (stringLength (toString root) + 1) (stringLength file) file;
    in
      elem relative ["tests" "tests/Cargo.toml" "tests/src" "tests/src/lib.rs"]
      || elem (head (match "([^/]*).*" relative)) ["Cargo.lock" "Cargo.toml" "crates" "examples" "flake.lock" "flake.nix" "nix" "slipway.lock" "slipway.toml"]
      && match "crates/[^/]*/(corpus|tests)" relative == null;
  };

  build = slipway: target: link:
    derivation {
      inherit (slipway) system;
      name = "slipway";
      PATH = "${slipway.bootstrap}/bin";
      args = [
        "-e"
        "-c"
        ''
          cp -r ${slipway.commandFor target link} $out
          chmod -R u+w $out
          mkdir $out/share/slipway
          cp -r ${source} $out/share/slipway/source
        ''
      ];
      builder = "${slipway.bootstrap}/bin/bash";
    };
in {
  inherit (releaseOf slipways null) lib;
  packages = mapAttrs (system: slipway: (releaseOf {${system} = slipway;} (build slipway)).packages.${system}) slipways;
}
