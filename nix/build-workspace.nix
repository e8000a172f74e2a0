# Returns a function that builds programs of a user's cargo workspace for one target. As in build-rust.nix, it
# uses two derivations: the first compiles the dependencies and reads only manifests and Cargo.lock, the
# second compiles the workspace. The second gets all files of the workspace unchanged, because compilation can
# read any of them. The function returns the second derivation, with the programs in bin/ and the attributes
# `dependencies`, `runtimeInputs` and `source`. It passes arguments that are not listed here to
# stdenv.mkDerivation.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: environment variables for cargo (rust/environment.nix)
  cargoEnvironment,
  # attribute set: Debian packages for the target, by name
  libraries,
  # derivation: toolchain/make.nix
  make,
  # derivation: toolchain/patch-shebangs.nix
  patchShebangs,
  # attribute set: the functions of seeds.nix
  seeds,
  # attribute set: the target's build environment (toolchain/stdenv.nix)
  stdenv,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # path: root directory of the workspace
  root,
  # attribute set: rust/manifests.nix of `root`
  manifests,
  # derivation: the Rust toolchain, one of lib.targets.PLATFORM.rusts
  rust,
  # string: name of the store path
  name,
  # list of strings: names of the cargo packages to build
  packages,
  # list of strings: names of the programs to install
  programs,
  # list: libraries for the target, as in stdenv.mkDerivation
  buildInputs ? [],
  # list: the rows of native-libraries.toml, which lists the Debian packages that crates need
  nativeLibraries ? [],
  # list: `git` of slipway.lock
  repositories ? [],
  # derivation or null: `dependencies` for another target. Its proc macros and build scripts are reused,
  # because they run on the build machine for every target.
  builtFor ? null,
  # attribute set: attributes that only the derivation with the programs gets, such as how they are linked
  link ? {},
  # string: arguments of cargo after the packages
  cargoArguments ? "",
  # string: the cargo command, with options, that builds the packages
  cargoCommand ? "build --release",
  # string: the cargo command, with options, that builds the dependencies
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

  # Exclude a few files in the root directory that compilers do not read. Below the root directory nothing is
  # excluded, because cargo requires all files of vendored crates.
  isRead = file: match "flake[.](lock|nix)|result(-.*)?|slipway[.](lock|toml)|target|[.]git[^/]*" file == null;
  source = filterTree (file: _: isRead file);

  # `manifestTree` has the manifests, Cargo.lock, cargo's configuration, the vendored crates and the packages
  # that external crates use.
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

  # attribute set: the list of crates for each registry. Each registry gets a directory source.
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
  # Each commit of a git repository gets a directory source.
  isOf = repository: crate: repository.url == crate.url && repository.commit == crate.commit && repository.crates ? ${crate.name};
  unpinned = filter (crate: !(builtins.any (repository: isOf repository crate) repositories)) manifests.fromGit;
  gits = filter (repository: builtins.any (isOf repository) manifests.fromGit) repositories;
  checkouts = map (repository: import ./rust/repository.nix {inherit bash bootstrap repository seeds system;}) gits;
  # Several references, such as a branch and a tag, can name one commit. cargo needs a replacement for each.
  replacedGit = number: repository:
    concatStringsSep "" (builtins.attrValues (builtins.listToAttrs (map (crate: let
        source = "${crate.url}${concatStringsSep "=" crate.choice}";
      in {
        name = source;
        value = ''
          [source.${builtins.toJSON "git+${source}"}]
          git = ${builtins.toJSON crate.url}
          ${
            if crate.choice == []
            then ""
            else "${builtins.head crate.choice} = ${builtins.toJSON (builtins.elemAt crate.choice 1)}"
          }
          replace-with = "git-${toString number}"
        '';
      })
      (filter (isOf repository) manifests.fromGit))))
    + ''
      [source.git-${toString number}]
      directory = "@top@/git/${toString number}/crates"
    '';
  forEachGit = f: concatStringsSep "\n" (builtins.genList (n: f n (builtins.elemAt gits n)) (builtins.length gits));

  urls = builtins.attrNames sources;
  numbered = f: concatStringsSep "\n" (builtins.genList (n: f n (builtins.elemAt urls n)) (builtins.length urls));
  vendors = map (url:
    import ./rust/vendor.nix {
      inherit bash bootstrap name patchShebangs rust seeds system;
      crates = sources.${url};
    })
  urls;

  # list: rows of nativeLibraries for crates in Cargo.lock, if slipway.lock lacks a package that the crate
  # needs
  lacking =
    filter
    (row: (manifests.lockedNames ? ${row.crate}) && builtins.any (package: !(libraries ? ${package})) row.packages)
    nativeLibraries;

  flags = concatStringsSep " " (map (package: "-p ${package}") packages);

  # of file names of programs
  suffix = stdenv.platform.executable or "";

  configure = place: ''
    mkdir "$NIX_BUILD_TOP/vendor"
    # These paths, not those of the store, end up in panic messages; the latter would be references.
    ${numbered (n: _: ''${place} ${builtins.elemAt vendors n} "$NIX_BUILD_TOP/vendor/${toString n}"'')}
    mkdir "$NIX_BUILD_TOP/git"
    ${forEachGit (n: _: ''${place} ${builtins.elemAt checkouts n} "$NIX_BUILD_TOP/git/${toString n}"'')}
    export CARGO_HOME=$NIX_BUILD_TOP/cargo
    mkdir -p "$CARGO_HOME"
    # On the command line, it takes precedence over mirrors in the project's own settings.
    sed "s|@top@|$NIX_BUILD_TOP|" ${toFile "cargo-sources.toml" (numbered replaced + forEachGit replacedGit)} >"$NIX_BUILD_TOP/sources.toml"
    cargo() {
      command cargo --config "$NIX_BUILD_TOP/sources.toml" "$@"
    }
  '';

  common =
    removeAttrs args ["builtFor" "cargoArguments" "cargoCommand" "cargoDependenciesCommand" "link" "manifests" "nativeLibraries" "packages" "programs" "repositories" "root" "rust"]
    // cargoEnvironment
    // {
      configurePlatforms = [];
      nativeBuildInputs = args.nativeBuildInputs or [] ++ [make rust];
      # The fixup phase strips debug information.
      CARGO_PROFILE_RELEASE_DEBUG = "false";
      CARGO_TARGET_DIR = "target";
      # The project's cargo configuration can set wrappers that do not exist in the sandbox.
      RUSTC_WORKSPACE_WRAPPER = "";
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
      # empty if the target has no libraries from Debian
      debianArchitecture =
        if libraries == {}
        then ""
        else stdenv.platform.debian;
      # lines: PACKAGE|PROGRAM|PROGRAM…
      packagedTools = concatStringsSep "\n" (map
        (row: concatStringsSep "|" ([row.package] ++ row.programs or [row.package]))
        (builtins.fromTOML (builtins.readFile ./toolchain/tools.toml)).tool);
      unpackPhase =
        ''
          cp -r ${manifestTree} source
          chmod -R u+w source
          cd source
          for file in $standIns; do
            mkdir -p "$(dirname "$file")"
            echo 'fn main() {}' >"$file"
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
      # Copy the crates and make them writable, because build scripts copy files of a crate with their modes
      # and then write to the copies.
      configurePhase = ''
        ${configure "cp -r"}
        chmod -R u+w "$NIX_BUILD_TOP/vendor" "$NIX_BUILD_TOP/git"
        find "$NIX_BUILD_TOP/vendor" "$NIX_BUILD_TOP/git" -exec touch -h -d @1 {} +
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
  if unpinned != []
  then throw "slipway.lock has no hash for ${(builtins.head unpinned).name} from git (${(builtins.head unpinned).url} at ${(builtins.head unpinned).commit}); run: slipway lock"
  else
    stdenv.mkDerivation ({
        inherit programs;
        unpackPhase = ''
          cp -r ${source} source
          chmod -R u+w source
          cd source
          # cargo compares the times of files. If all are equal, nothing is compiled; newer sources are.
          cp -r ${dependencies}/target target
          chmod -R u+w target
          find target -exec touch -h -d @1 {} +
          find . -path ./target -prune -o -type f -exec touch {} +
        '';
        buildPhase = ''cargo ${cargoCommand} --frozen -j "$NIX_BUILD_CORES" ${flags} ${cargoArguments}'';
        installPhase = ''
          for program in $programs; do
            install -D "target/$CARGO_BUILD_TARGET/release/$program${suffix}" "$out/bin/$program${suffix}"
          done
        '';
        passthru = {inherit dependencies source;};
      }
      // common
      // link
      // {inherit name;})
