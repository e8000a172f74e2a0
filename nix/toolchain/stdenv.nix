# The build environment for one target, in the words of nixpkgs': phases, nativeBuildInputs (programs
# that run on the build machine), buildInputs (libraries for the target).
{
  bootstrap,
  buildCc,
  buildPlatform,
  cc,
  debs,
  libraries,
  patchelf,
  pkg-config,
  platform,
  platformName,
  system,
}: let
  inherit (builtins) removeAttrs;

  withDepends = import ../closure.nix {
    key = package: package.outPath;
    next = package: package.depends or [];
  };

  stdenv = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "stdenv-${platformName}";
    args = ["-e" "-c" "mkdir -p $out; cp ${./setup.sh} $out/setup"];
    builder = "${bootstrap}/bin/bash";
  };

  mkDerivation = {
    name,
    buildInputs ? [],
    nativeBuildInputs ? [],
    outputs ? ["out"],
    passthru ? {},
    ...
  } @ args:
    derivation (removeAttrs args ["passthru"]
      // {
        inherit platformName stdenv system;
        inherit (platform) gnu;
        args = ["-e" ./default-builder.sh];
        buildGnu = buildPlatform.gnu;
        buildInputs = withDepends buildInputs;
        builder = "${bootstrap}/bin/bash";
        initialPath = [bootstrap buildCc cc debs.make patchelf pkg-config];
        inherit nativeBuildInputs outputs;
      })
    // {
      # what it may refer to when it runs, and what these depend on
      runtimeInputs = buildInputs ++ [libraries.libc6 libraries.libgcc-s1];
    }
    // passthru;
in {inherit mkDerivation platform;}
