# The build environment for one target, in the words of nixpkgs': phases, nativeBuildInputs (programs
# that run on the build machine), buildInputs (libraries for the target). What a program such as CMake
# wants of the builds that use it, phases and variables, is its `hook`: a function from all buildInputs.
{
  bootstrap,
  # the compilers of the build machine, and those for the target
  buildCc,
  buildCxx,
  buildPlatform,
  cc,
  cxx,
  debs,
  libraries,
  libstdcxx,
  patchelf,
  pkg-config,
  platform,
  platformName,
  system,
}: let
  inherit (builtins) elem foldl' listToAttrs removeAttrs replaceStrings;

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

  when = condition: attrs:
    if condition
    then attrs
    else {};

  # The crate cc looks its compiler up by target.
  cxxOf = {
    gnu,
    rust,
    ...
  }: {
    name = "CXX_${replaceStrings ["-"] ["_"] rust}";
    value = "${gnu}-c++";
  };

  patchShebangs = import ./patch-shebangs.nix {inherit bootstrap system;};

  languages = {
    c = {
      tools = [buildCc cc];
      environment = {};
      runtime = [libraries.libc6 libraries.libgcc-s1];
    };
    cxx = {
      tools = [patchShebangs buildCxx cxx buildCc cc];
      environment =
        listToAttrs (map cxxOf [buildPlatform platform])
        // {
          CXX = "${platform.gnu}-c++";
          CXX_FOR_BUILD = "${buildPlatform.gnu}-c++";
        };
      runtime = [libraries.libc6 libraries.libgcc-s1 libstdcxx];
    };
  };

  mkDerivation = {
    name,
    buildInputs ? [],
    # which machines `configure` is told
    configurePlatforms ? ["build" "host"],
    # C++ too; a package without it can do without its seeds
    cxx ? true,
    nativeBuildInputs ? [],
    outputs ? ["out"],
    passthru ? {},
    ...
  } @ args: let
    language =
      if cxx
      then languages.cxx
      else languages.c;
    inputs = withDepends buildInputs;
    hooks = foldl' (all: input: all // (input.hook or (_: {})) inputs) {} nativeBuildInputs;
    machines = {
      build = "--build=${buildPlatform.gnu}";
      host = "--host=${platform.gnu}";
    };
    configureFlags = map (machine: machines.${machine}) configurePlatforms ++ args.configureFlags or [];

    package = derivation (language.environment
      // hooks
      // removeAttrs args ["configurePlatforms" "cxx" "passthru"]
      // when (configureFlags != []) {inherit configureFlags;}
      // when cxx {preFixup = "source ${./outputs.sh}\n${args.preFixup or ""}";}
      // {
        inherit platformName stdenv system;
        inherit (platform) gnu;
        args = ["-e" ./default-builder.sh];
        buildGnu = buildPlatform.gnu;
        buildInputs = inputs;
        builder = "${bootstrap}/bin/bash";
        initialPath = [bootstrap] ++ language.tools ++ [debs.make patchelf pkg-config];
        inherit nativeBuildInputs outputs;
      });
  in
    package
    # who compiles against it is given the library, and what that was compiled against
    // when (elem "dev" outputs) {dev = package.dev // {depends = [package] ++ buildInputs;};}
    // {
      # what it may refer to when it runs, and what these depend on
      runtimeInputs = buildInputs ++ language.runtime;
    }
    // passthru;
in {inherit mkDerivation platform;}
