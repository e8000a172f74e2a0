# Packages of a cargo workspace, built for one target in two steps: first what they depend on, which
# needs only manifests and Cargo.lock, then their own sources, so that an edit rebuilds little.
{
  bash,
  bootstrap,
  cargoEnvironment,
  rust,
  seeds,
  stdenv,
  system,
}: {
  # the workspace's directory
  root,
  # names of the packages to build
  packages,
  buildInputs ? [],
  # how cargo builds the packages, and how their dependencies
  cargoCommand ? "build --release",
  # what follows the packages on cargo's command line
  cargoArguments ? "",
  cargoDependenciesCommand ? cargoCommand,
  # with dev-dependencies and tests
  dev ? false,
  # the part of the workspace that is built: for several targets it need be found out only once
  workspace ? import ./rust/workspace.nix {inherit dev packages root;},
  # the dependencies of the same packages as built for another target: their macros and build scripts,
  # which run on the build machine whatever the target, are taken from there
  builtFor ? null,
  name ? builtins.head packages,
  ...
} @ args: let
  inherit (builtins) attrNames concatMap concatStringsSep elem filter map mapAttrs match path pathExists removeAttrs replaceStrings toFile;

  vendor = import ./rust/vendor.nix {
    inherit bash bootstrap name seeds system;
    inherit (workspace) crates;
  };

  # What cargo takes for a target of its own when it finds it, and what the manifest names.
  rustTargets = local:
    filter (file: pathExists (root + "/${local.dir}/${file}")) ["build.rs" "src/lib.rs" "src/main.rs"]
    ++ map (bin: bin.path) (filter (bin: bin ? path) (local.manifest.bin or []));

  # A member's sources, without what only tests and readers use.
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

  # A name for exactly these sources, manifests and crates.
  revision =
    builtins.hashString "sha256" (builtins.unsafeDiscardStringContext
      (concatStringsSep "\n" (map sources workspace.locals ++ builtins.attrValues workspace.manifests)));

  flags = concatStringsSep " " (map (package: "-p ${package}") packages);

  common =
    removeAttrs args ["builtFor" "cargoArguments" "cargoCommand" "cargoDependenciesCommand" "dev" "packages" "root" "workspace"]
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
        # the members' own stand-ins must not be taken for the real ones
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
        # cargo goes by the times of files: all of one age is fresh, and newer sources are to be built
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
    // {inherit name;})
