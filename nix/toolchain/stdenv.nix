# Returns the build environment for one target, { mkDerivation, platform }. mkDerivation has the interface of
# nixpkgs: phases, nativeBuildInputs (programs that run on the build machine) and buildInputs (libraries for
# the target). A program in nativeBuildInputs can have the attribute `hook`, a function from the list of all
# buildInputs to attributes that the derivation gets, such as phases and environment variables.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivations: the build machine's compilers (cc.nix, cxx.nix)
  buildCc,
  buildCxx,
  # the build machine's row of platforms.nix
  buildPlatform,
  # derivations: the target's compilers (cc.nix, cxx.nix)
  cc,
  cxx,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # attribute set: Debian packages for the target, by name
  libraries,
  # Debian package libstdc++6 of the target
  libstdcxx,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # derivation: pkg-config.nix
  pkg-config,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) attrNames elem filter foldl' head isFunction listToAttrs removeAttrs replaceStrings;

  withDepends = import ../transitive-closure.nix {
    key = package: package.outPath;
    next = package: package.depends or [];
  };

  stdenv = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "stdenv-${platformName}";
    args = ["-e" "-c" "mkdir -p $out; cp ${./setup.sh} $out/setup; cp ${./alternatives.sh} $out/alternatives"];
    builder = "${bootstrap}/bin/bash";
  };

  logarithm = number:
    if number == 1
    then 0
    else 1 + logarithm (number / 2);

  when = condition: attrs:
    if condition
    then attrs
    else {};

  # The crate cc reads the compiler of a target from this variable.
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

  # Merge the attributes that the hooks of nativeBuildInputs return. If two hooks set one attribute to
  # different values, the caller has to set it.
  hooksOf = args: nativeBuildInputs: inputs:
    foldl' (all: program: let
      hook = (program.hook or (_: {})) inputs;
      clash = filter (name: all ? ${name} && all.${name} != hook.${name} && !(args ? ${name})) (attrNames hook);
    in
      if clash != []
      then throw "${program.name} and a program before it in nativeBuildInputs both set ${head clash}; set it yourself"
      else all // hook) {}
    nativeBuildInputs;

  # mkDerivation, as in nixpkgs. Takes the attributes that fromAttrs lists, or a function from the final
  # attributes to these. Returns a derivation with the attributes `overrideAttrs`, `runtimeInputs` and `meta`.
  mkDerivation = attrsOrFunction: let
    final = attrs // {finalPackage = package;};
    attrs =
      if isFunction attrsOrFunction
      then attrsOrFunction final
      else attrsOrFunction;
    package =
      fromAttrs attrs
      // {
        overrideAttrs = change:
          mkDerivation (
            if isFunction attrsOrFunction
            then final: attrsOrFunction final // change (attrsOrFunction final)
            else attrs // change attrs
          );
      };
  in
    package;

  fromAttrs = {
    # string: name of the store path. By default it is made from `pname` and `version`.
    name ? "${args.pname}-${args.version}",
    # list: libraries for the target, such as packages of lib.targets.PLATFORM.libraries
    buildInputs ? [],
    # list: machines that `configure` gets as --build and --host; [] for a configure script not from autoconf
    configurePlatforms ? ["build" "host"],
    # bool: whether the compilers include C++. With false, the build needs no seeds for C++.
    cxx ? true,
    # attribute set: `meta` of the result
    meta ? {},
    # list: programs that run on the build machine, such as target.cmake
    nativeBuildInputs ? [],
    # list of strings: outputs; "dev" gets what only compilers use
    outputs ? ["out"],
    # attribute set: further attributes of the result
    passthru ? {},
    # bool: whether to keep debug information in an output of its own, `debug`
    separateDebugInfo ? false,
    ...
  } @ args: let
    language =
      if cxx
      then languages.cxx
      else languages.c;
    inputs = withDepends buildInputs;
    hooks = hooksOf args nativeBuildInputs inputs;
    machines = {
      build = "--build=${buildPlatform.gnu}";
      host = "--host=${platform.gnu}";
    };
    configureFlags = map (machine: machines.${machine}) configurePlatforms ++ args.configureFlags or [];

    package = derivation (language.environment
      // hooks
      // removeAttrs args ["configurePlatforms" "cxx" "meta" "passthru"]
      // when (configureFlags != []) {inherit configureFlags;}
      // when cxx {preFixup = "source ${./outputs.sh}\n${args.preFixup or ""}";}
      // {
        inherit name platformName stdenv system;
        inherit (platform) gnu;
        args = ["-e" ./default-builder.sh];
        buildGnu = buildPlatform.gnu;
        lgPageSize = toString (logarithm platform.pageSize);
        buildInputs = inputs;
        builder = "${bootstrap}/bin/bash";
        initialPath = [bootstrap] ++ language.tools ++ [debs.make patchelf pkg-config];
        inherit nativeBuildInputs separateDebugInfo;
        outputs =
          outputs
          ++ (
            if separateDebugInfo
            then ["debug"]
            else []
          );
      });
  in
    package
    # A build that uses the output `dev` also gets the library and the buildInputs of the library.
    // when (elem "dev" outputs) {dev = package.dev // {depends = [package] ++ buildInputs;};}
    // {
      inherit meta;
      # the packages to which the result can refer at run time
      runtimeInputs = buildInputs ++ language.runtime;
    }
    // passthru;
in {inherit mkDerivation platform;}
