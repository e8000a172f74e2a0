# The programs of somebody's cargo workspace for one target, in two steps as in build-rust.nix: what they
# depend on, which only manifests and Cargo.lock can change, and then the workspace. Its files are taken as
# they are and all of them, since a program may read any of them when it is compiled.
{
  bash,
  bootstrap,
  cargoEnvironment,
  libraries,
  make,
  patchShebangs,
  seeds,
  stdenv,
  system,
}: {
  # the workspace's directory, and what its manifests say (rust/manifests.nix)
  root,
  manifests,
  # the compiler: one of the target's `rusts`
  rust,
  # of the workspace, for store paths
  name,
  # names of the cargo packages to build, and of their programs
  packages,
  programs,
  buildInputs ? [],
  # which packages of Debian crates need: rows of native-libraries.toml
  nativeLibraries ? [],
  # the dependencies as built for another target: their macros and build scripts, which run on the build
  # machine whatever the target, are taken from there
  builtFor ? null,
  # what follows the packages on cargo's command line
  cargoArguments ? "",
  # how cargo builds the packages, and how their dependencies
  cargoCommand ? "build --release",
  cargoDependenciesCommand ? cargoCommand,
  ...
} @ args: let
  inherit (builtins) concatMap concatStringsSep elem filter map match path removeAttrs stringLength substring toFile;
  inherit (manifests) at locals vendored;

  rootLength = stringLength (toString root) + 1;
  relative = file: substring rootLength (stringLength file) file;
  isIn = file: dir: dir == "" || file == dir || substring 0 (stringLength dir + 1) file == "${dir}/";
  leadsTo = file: dir: substring 0 (stringLength file + 1) "${dir}/" == "${file}/";
  filterTree = keep:
    path {
      inherit name;
      path = root;
      filter = file: type: keep (relative file) type;
    };

  # What is certainly no input of a compiler, in the workspace's own directory. Below it, all is taken: of
  # crates that were vendored cargo wants every file.
  isRead = file: match "flake[.](lock|nix)|result(-.*)?|slipway[.](lock|toml)|target|[.]git[^/]*" file == null;
  source = filterTree (file: _: isRead file);

  # The manifests, cargo's settings, and whatever crates from outside are compiled with.
  whole =
    map (one: one.dir) manifests.usedFromOutside
    ++ (
      if vendored == null
      then []
      else [vendored]
    );
  wanted = map (dir: at dir "Cargo.toml") manifests.manifestDirs ++ ["Cargo.lock" ".cargo/config" ".cargo/config.toml"];
  manifestTree =
    filterTree (file: _:
      builtins.any (isIn file) whole || builtins.any (leadsTo file) (wanted ++ whole));

  standIns = concatMap (one: map (at one.dir) (manifests.targetFiles one)) (filter (one: !(elem one.dir whole)) locals);

  # One directory of crates for each registry.
  sources = builtins.foldl' (done: crate: done // {${crate.source} = done.${crate.source} or [] ++ [crate];}) {} manifests.crates;
  isDefault = url: match ".*/rust-lang/crates[.]io-index" url != null;
  replaced = number: url: ''
    [source.${
      if isDefault url
      then "crates-io"
      else builtins.toJSON url
    }]
    ${
      if isDefault url
      then ""
      else "registry = ${builtins.toJSON (builtins.replaceStrings ["registry+"] [""] url)}"
    }
    replace-with = "vendor-${toString number}"
    [source.vendor-${toString number}]
    directory = "@top@/vendor/${toString number}"
  '';
  urls = builtins.attrNames sources;
  numbered = f: concatStringsSep "\n" (builtins.genList (n: f n (builtins.elemAt urls n)) (builtins.length urls));
  vendors = map (url:
    import ./rust/vendor.nix {
      inherit bash bootstrap name patchShebangs seeds system;
      crates = sources.${url};
    })
  urls;

  # What crates need of Debian and slipway.lock does not have, for those that Cargo.lock names at all.
  lacking =
    filter
    (row: (manifests.lockedNames ? ${row.crate}) && builtins.any (package: !(libraries ? ${package})) row.packages)
    nativeLibraries;

  flags = concatStringsSep " " (map (package: "-p ${package}") packages);

  configure = place: ''
    mkdir "$NIX_BUILD_TOP/vendor"
    # These paths, not those of the store, end up in panic messages; the latter would be references.
    ${numbered (n: _: ''${place} ${builtins.elemAt vendors n} "$NIX_BUILD_TOP/vendor/${toString n}"'')}
    export CARGO_HOME=$NIX_BUILD_TOP/cargo
    mkdir -p "$CARGO_HOME"
    # On the command line, it goes before what the project's own settings say of mirrors.
    sed "s|@top@|$NIX_BUILD_TOP|" ${toFile "cargo-sources.toml" (numbered replaced)} >"$NIX_BUILD_TOP/sources.toml"
    cargo() {
      command cargo --config "$NIX_BUILD_TOP/sources.toml" "$@"
    }
  '';

  common =
    removeAttrs args ["builtFor" "cargoArguments" "cargoCommand" "cargoDependenciesCommand" "manifests" "nativeLibraries" "packages" "programs" "root" "rust"]
    // cargoEnvironment
    // {
      configurePlatforms = [];
      nativeBuildInputs = args.nativeBuildInputs or [] ++ [make rust];
      # It would be stripped again.
      CARGO_PROFILE_RELEASE_DEBUG = "false";
      CARGO_TARGET_DIR = "target";
      # The project's own setting may name a program of its author's machine.
      RUSTC_WRAPPER = "";
      configurePhase = configure "ln -s";
    };

  dependencies = stdenv.mkDerivation (removeAttrs common ["postInstall"]
    // {
      inherit standIns;
      name = "${name}-dependencies";
      lacking = toFile "lacking" (concatStringsSep "" (map
        (row: "${row.crate}|${concatStringsSep "," (row.own or [])}|${concatStringsSep " " row.packages}\n")
        lacking));
      members = map (one: one.name) locals;
      debianArchitecture = stdenv.platform.debian;
      unpackPhase =
        ''
          cp -r ${manifestTree} source
          chmod -R u+w source
          cd source
          for file in $standIns; do
            mkdir -p "$(dirname "$file")"
            printf '#![allow(warnings)]\nfn main() {}\n' >"$file"
          done
        ''
        + (
          if builtFor == null
          then ""
          else ''
            mkdir target
            cp -r ${builtFor}/target/release target/release
            chmod -R u+w target
            find target -exec touch -h -d @1 {} +
          ''
        );
      # Builds of crates copy what they bring, with its modes, and write to the copy.
      configurePhase = ''
        ${configure "cp -r"}
        chmod -R u+w "$NIX_BUILD_TOP/vendor"
        find "$NIX_BUILD_TOP/vendor" -exec touch -h -d @1 {} +
      '';
      buildPhase = ''
        source ${./rust/native-libraries.sh}
        checkNativeLibraries ${flags} ${cargoArguments}
        source ${./rust/dependencies.sh}
        buildDependencies ${cargoDependenciesCommand} ${flags} ${cargoArguments}
      '';
      installPhase = ''
        mkdir "$out"
        cp -r target "$out/target"
      '';
      fixupPhase = ":";
    });
in
  stdenv.mkDerivation ({
      inherit programs;
      unpackPhase = ''
        cp -r ${source} source
        chmod -R u+w source
        cd source
        # cargo goes by the times of files: all of one age is fresh, and newer sources are to be built
        cp -r ${dependencies}/target target
        chmod -R u+w target
        find target -exec touch -h -d @1 {} +
        find . -path ./target -prune -o -type f -exec touch {} +
      '';
      buildPhase = ''cargo ${cargoCommand} --frozen -j "$NIX_BUILD_CORES" ${flags} ${cargoArguments}'';
      installPhase = ''
        for program in $programs; do
          install -D "target/$CARGO_BUILD_TARGET/release/$program" "$out/bin/$program"
        done
      '';
      passthru = {inherit dependencies source;};
    }
    // common
    // {inherit name;})
