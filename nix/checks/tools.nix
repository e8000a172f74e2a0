# Returns a derivation that checks toolchain/tools.nix: programs of Debian packages find each other and their
# data, and scripts find their interpreter.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: the build machine's build environment (toolchain/stdenv.nix)
  stdenv,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  package = {
    name,
    depends ? [],
    program,
  }:
    stdenv.mkDerivation {
      inherit name;
      phases = "make";
      makePhase = ''
        mkdir -p "$out/bin" "$out/share/${name}"
        echo data >"$out/share/${name}/data"
        cat >"$out/bin/${name}" <<'END'
        ${program}
        END
        chmod +x "$out/bin/${name}"
      '';
    }
    // {
      inherit depends;
      pin = {inherit name;};
    };

  m4 = package {
    name = "m4";
    program = ''
      #!/bin/sh
      echo "m4 $1"'';
  };
  tools = import ../toolchain/tools.nix {inherit bootstrap system;} {
    bison = package {
      name = "bison";
      depends = [m4];
      program = ''
        #!/usr/bin/env sh
        [[ -e $M4 ]] && m4 "$1" && cat "$BISON_PKGDATADIR/data"'';
    };
  };
in
  stdenv.mkDerivation {
    name = "tools";
    nativeBuildInputs = [tools.bison];
    phases = "prove";
    provePhase = ''
      bison works | diff - <(printf 'm4 works\ndata\n')
      touch "$out"
    '';
  }
