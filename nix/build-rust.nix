# Returns a function that builds packages of a cargo workspace for one target. It uses two derivations: the
# first compiles the dependencies and reads only manifests and Cargo.lock, the second compiles the packages. A
# change of the sources thus does not compile the dependencies again. The function returns the second
# derivation, with the programs in bin/ and the attributes `dependencies`, `revision`, `runtimeInputs` and
# `vendor`. It passes arguments that are not listed here to stdenv.mkDerivation.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: environment variables for cargo (rust/environment.nix)
  cargoEnvironment,
  # derivation: the Rust toolchain (toolchain/rust.nix)
  rust,
  # attribute set: the functions of seeds.nix
  seeds,
  # attribute set: the target's build environment (toolchain/stdenv.nix)
  stdenv,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # path: root directory of the workspace
  root,
  # list of strings: names of the packages to build
  packages,
  # list: libraries for the target, as in stdenv.mkDerivation
  buildInputs ? [],
  # string: the cargo command, with options, that builds the packages
  cargoCommand ? "build --release",
  # string: arguments of cargo after the packages
  cargoArguments ? "",
  # string: the cargo command, with options, that builds the dependencies
  cargoDependenciesCommand ? cargoCommand,
  # attribute set: attributes that only the derivation with the programs gets, such as how they are linked
  link ? {},
  # bool: whether to include dev-dependencies and tests
  dev ? false,
  # attribute set: rust/workspace.nix. A caller with several targets can pass it, so that Nix evaluates it
  # once.
  workspace ? import ./rust/workspace.nix {inherit dev packages root;},
  # derivation or null: `dependencies` of the same packages for another target. Its proc macros and build
  # scripts are reused, because they run on the build machine for every target.
  builtFor ? null,
  # string: name of the store path
  name ? builtins.head packages,
  ...
} @ args: let
  inherit (builtins) attrNames concatMap concatStringsSep elem filter map mapAttrs match path pathExists removeAttrs replaceStrings toFile;

  vendor = import ./rust/vendor.nix {
    inherit bash bootstrap name rust seeds system;
    inherit (workspace) crates;
  };

  # Returns the source files that cargo discovers as targets of a package, and those that the manifest names.
  rustTargets = local:
    filter (file: pathExists (root + "/${local.dir}/${file}")) ["build.rs" "src/lib.rs" "src/main.rs"]
    ++ map (bin: bin.path) (filter (bin: bin ? path) (local.manifest.bin or []));

  # Returns the sources of a member. Without `dev`, tests, benchmarks, examples and documentation are left
  # out.
  sources = local:
    path {
      name = "${local.manifest.package.name}-source";
      path = root + "/${local.dir}";
      filter = file: _: let
        base = baseNameOf file;
      in
        !elem base ["Cargo.lock" "Cargo.toml" "target"]
        && (dev || !elem base ["benches" "examples" "tests"] && match ".*[.]md" base == null);
    };

  writeManifests = concatStringsSep "\n" (map
    (file: ''
      mkdir -p "$(dirname ${file})"
      cp ${toFile (replaceStrings ["/"] ["-"] file) workspace.manifests.${file}} ${file}
    '')
    (attrNames workspace.manifests));

  # string: a hash of the sources, the manifests and Cargo.lock
  revision =
    builtins.hashString "sha256" (builtins.unsafeDiscardStringContext
      (concatStringsSep "\n" (map sources workspace.locals ++ builtins.attrValues workspace.manifests)));

  flags = concatStringsSep " " (map (package: "-p ${package}") packages);

  common =
    removeAttrs args ["builtFor" "cargoArguments" "cargoCommand" "cargoDependenciesCommand" "dev" "link" "packages" "root" "workspace"]
    // cargoEnvironment
    // {
      configurePlatforms = [];
      nativeBuildInputs = args.nativeBuildInputs or [] ++ [rust];
      configurePhase = ''
        ${writeManifests}
        chmod -R u+w .
        # The link, not the store path, ends up in panic messages; the store path would be a reference.
        ln -s ${vendor} "$NIX_BUILD_TOP/vendor"
        export CARGO_HOME=$NIX_BUILD_TOP/cargo
        export RUSTFLAGS="--remap-path-prefix $NIX_BUILD_TOP=/build"
        mkdir -p "$CARGO_HOME"
        cat >"$CARGO_HOME/config.toml" <<EOF
        [source.crates-io]
        replace-with = "vendor"
        [source.vendor]
        directory = "$NIX_BUILD_TOP/vendor"
        EOF
      '';
    };

  dependencies = stdenv.mkDerivation (removeAttrs common ["postInstall"]
    // {
      name = "${name}-dependencies";
      unpackPhase =
        ''
          mkdir source
          cd source
          for file in ${concatStringsSep " " (concatMap (local: map (file: "${local.dir}/${file}") (rustTargets local)) workspace.locals)}; do
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
            find target -exec touch -d @1 {} +
          ''
        );
      buildPhase = ''
        cargo ${cargoDependenciesCommand} --offline -j "$NIX_BUILD_CORES" ${flags}
        # Cargo must not take the members' stand-ins for the real packages.
        for member in ${concatStringsSep " " (map (local: local.manifest.package.name) workspace.locals)}; do
          find target -path "*/.fingerprint/$member-*" -prune -exec rm -rf {} +
        done
      '';
      installPhase = ''
        mkdir "$out"
        cp -r target "$out/target"
      '';
      fixupPhase = ":";
    });
in
  stdenv.mkDerivation ({
      unpackPhase = ''
        mkdir source
        cd source
        ${concatStringsSep "\n" (map
          (local: ''
            mkdir -p ${local.dir}
            cp -r ${sources local}/. ${local.dir}
          '')
          workspace.locals)}
        chmod -R u+w .
        # cargo compares the times of files. If all are equal, nothing is compiled; newer sources are.
        cp -r ${dependencies}/target target
        chmod -R u+w target
        find target -exec touch -d @1 {} +
        find . -path ./target -prune -o -type f -exec touch {} +
      '';
      buildPhase = ''cargo ${cargoCommand} --offline -j "$NIX_BUILD_CORES" ${flags} ${cargoArguments}'';
      installPhase = ''
        for file in target/$CARGO_BUILD_TARGET/release/*; do
          [[ ! -f $file || ! -x $file ]] || install -D "$file" "$out/bin/''${file##*/}"
        done
      '';
      passthru = {inherit dependencies revision vendor;};
    }
    // common
    // link
    // {inherit name;})
