# Returns the function lib.mkProject, which builds images of a cargo workspace's programs. The function
# returns outputs of a flake: { checks, devShells, lib, packages }. This repository's slipway.lock pins the
# toolchain. The project's slipway.lock pins the Debian packages that the programs link to.
{
  # attribute set: default.nix for each build machine, by system (systems.nix)
  slipways,
} @ given: {
  # path: the project's directory, usually ./.
  src,
  # path: the project's slipway.lock
  lock ? src + "/slipway.lock",
  # list of URLs: mirrors from which Nix fetches seeds that `slipway seed` has not added, as in seeds.nix. By
  # default `mirrors` of slipway.toml.
  mirrors ? null,
  # list of URLs: mirrors of Debian's security archive. By default `security-mirrors` of slipway.toml.
  securityMirrors ? null,
  # list of strings: OCI platforms, such as "linux/arm64". By default those with `default` in platforms.nix.
  platforms ? null,
  # list of strings: Debian packages whose headers and libraries the crates can use. By default the packages
  # of the set `libraries` in slipway.toml.
  targetPackages ? null,
  # list of strings: cargo packages whose programs to build. By default the default members with programs, or
  # all members with programs if there are none.
  packages ? null,
  # string: the program that the package `image` runs. By default `default-run` of the root package, else the
  # program with the root package's name, else the first program.
  program ? null,
  # list of strings: features of the packages, as in `cargo build --features`
  features ? [],
  # bool: whether to enable the default features
  defaultFeatures ? true,
  # string: the Debian package of the Rust compiler, "rustc" or "rustc-web". By default the first that is at
  # least as new as the workspace's rust-version.
  rust ? null,
  # bool: whether to add a check that runs `cargo test`
  test ? false,
  # attribute set: environment variables of the build, such as LIBSQLITE3_SYS_USE_PKG_CONFIG = "1"
  env ? {},
  # function from a target of lib.targets to a list: further programs for the build, such as
  # target: [target.cmake]
  nativeBuildInputs ? _: [],
  # attribute set: arguments of lib.image, such as cmd, env, expose, labels and user
  image ? {},
}: let
  inherit (builtins) all attrNames attrValues compareVersions concatMap concatStringsSep elem filter foldl' fromTOML head isString length listToAttrs map mapAttrs match pathExists readFile seq;

  manifests = import ./rust/manifests.nix {root = src;};
  nativeLibraries = (fromTOML (readFile ../crates/slipway/src/project/native-libraries.toml)).library;

  listed = concatStringsSep ", ";
  namesOf = map (entry: entry.name);
  has = name: entries: elem name (namesOf entries);

  # Returns the features of a package that are enabled.
  enabled = local: let
    table = local.manifest.features or {};
    closure = import ./transitive-closure.nix {
      key = name: name;
      next = name: filter (other: table ? ${other}) (table.${name} or []);
    };
  in
    closure (features
      ++ (
        if defaultFeatures && table ? default
        then ["default"]
        else []
      ));
  # Returns the programs of a package as a list of { local, name }, without those that need disabled features.
  programsOf = local:
    map (bin: {
      inherit local;
      inherit (bin) name;
    })
    (filter (bin: all (feature: elem feature (enabled local)) (bin.required-features or [])) (manifests.programsOf local));
  withPrograms = filter (local: programsOf local != []);
  chosen =
    if packages == null
    then
      if withPrograms defaultMembers != []
      then withPrograms defaultMembers
      else withPrograms manifests.members
    else
      map (name: let
        found = filter (local: local.name == name) manifests.members;
      in
        if found == []
        then throw "the workspace has no package ${name}; it has ${listed (namesOf manifests.members)}"
        else head found)
      packages;
  # the members that `cargo build` builds by default
  defaultMembers = let
    named = manifests.expand (manifests.workspace.default-members or []);
  in
    if named != []
    then filter (local: elem local.dir named) manifests.members
    else if manifests.rootManifest ? package
    then filter (local: local.dir == "") manifests.members
    else manifests.members;
  programs = let
    found = concatMap programsOf chosen;
  in
    if found == []
    then throw "the workspace has no program to make an image of, only libraries"
    else found;

  # the program that the package `image` runs
  main = let
    rootPackage = manifests.rootManifest.package or {};
    candidates =
      if program != null
      then [program]
      else [(rootPackage.default-run or null) (rootPackage.name or null) (head programs).name];
    fitting = filter (name: has name programs) candidates;
  in
    if fitting == []
    then throw "the workspace has no program ${program}; it has ${listed (namesOf programs)}"
    else head (filter (one: one.name == head fitting) programs);

  locked =
    if pathExists lock
    then fromTOML (readFile lock)
    else throw "slipway.lock is not in the project's directory, or git does not track it; run: slipway lock, and: git add slipway.lock";

  # Debian packages that every project needs. The build adds them by itself, so `wantedPackages` leaves them
  # out.
  base = ["ca-certificates" "libc6" "libgcc-s1" "libstdc++6"];
  settings =
    if pathExists (src + "/slipway.toml")
    then fromTOML (readFile (src + "/slipway.toml"))
    else {};
  wantedPackages =
    if targetPackages != null
    then targetPackages
    else filter (name: !(elem name base)) (settings.set or {}).libraries.packages or [];

  slipways = let
    or' = given: key:
      if given != null
      then given
      else settings.${key} or [];
    named = {
      mirrors = or' mirrors "mirrors";
      securityMirrors = or' securityMirrors "security-mirrors";
    };
  in
    if named.mirrors ++ named.securityMirrors == []
    then given.slipways
    else mapAttrs (_: slipway: slipway.withMirrors named) given.slipways;

  # attribute set: rows of platforms.nix for the project's platforms, by name
  rows = let
    table = (head (attrValues slipways)).platforms;
    find = name: let
      found = filter (row: table.${row}.oci == name) (attrNames table);
    in
      if found == []
      then throw "${name} is not a platform that can be built; these are: ${listed (map (row: row.oci) (attrValues table))}"
      else head found;
    names =
      if platforms == null
      then filter (name: table.${name}.default or true) (attrNames table)
      else map find platforms;
  in
    listToAttrs (map (name: {
        inherit name;
        value = table.${name};
      })
      names);

  # string: the highest rust-version of the workspace's packages
  rustVersion = foldl' (newest: version:
    if isString version && compareVersions version newest > 0
    then version
    else newest) "0" (map (local: manifests.inherits local "rust-version") manifests.locals);

  outputsFor = system: slipway: let
    debs = slipway.debsOf locked;

    # Evaluating a target first reports packages that slipway.lock lacks for it.
    targets =
      mapAttrs (_: target: seq (librariesOf target) target)
      (slipway.targetsWith {
        libraries = debs.libraries or (throw "slipway.lock has no set libraries; have it in slipway.toml, and run: slipway lock");
        tools = (debs.tools or {}).${slipway.buildPlatform.debian} or {};
      });

    rustOf = target: let
      inherit (target) rusts;
      # oldest first
      names = ["rustc" "rustc-web"];
      isEnough = name: compareVersions rusts.${name}.version rustVersion >= 0;
      fitting = filter isEnough names;
    in
      if rust != null
      then rusts.${rust} or (throw "${rust} is no Rust of Debian's that is pinned; these are: ${listed names}")
      else if fitting == []
      then throw "the workspace asks for Rust ${rustVersion}, and Debian's newest is ${rusts.rustc-web.version}"
      else rusts.${head fitting};

    librariesOf = target: let
      inherit (target.platform) debian oci;
      lacking = filter (name: !(target.libraries ? ${name})) (base ++ wantedPackages);
    in
      if lacking != []
      then throw "slipway.lock has no ${head lacking} for ${debian} (${oci}); run: slipway add ${head lacking}"
      else map (name: target.libraries.${name}) wantedPackages;

    # Whether the build for any platform has a package in nativeBuildInputs.
    isBuildInput = package:
      builtins.any (platformName: builtins.any (input: (input.pin.name or "") == package.pin.name) (nativeBuildInputs targets.${platformName})) (attrNames rows);

    # Returns the Debian packages that native-libraries.toml lists for crates in Cargo.lock.
    likelyOf = target: let
      known = filter (row: manifests.lockedNames ? ${row.crate}) nativeLibraries;
    in
      map (name: target.libraries.${name}) (filter (name: target.libraries ? ${name}) (concatMap (row: row.packages) known));

    workspaceFor = target: args:
      target.buildWorkspace (env
        // {
          inherit manifests nativeLibraries;
          repositories = locked.git or [];
          root = src;
          rust = rustOf target;
          # An explicit `rust` overrides the rust-version of the manifests.
          cargoCommand =
            if rust == null
            then "build --release"
            else "build --release --ignore-rust-version";
          name = main.name;
          packages = namesOf chosen;
          programs = namesOf programs;
          buildInputs = librariesOf target;
          nativeBuildInputs = nativeBuildInputs target;
          cargoArguments = concatStringsSep " " (
            (
              if features == []
              then []
              else ["--features" (concatStringsSep "," features)]
            )
            ++ (
              if defaultFeatures
              then []
              else ["--no-default-features"]
            )
          );
        }
        // args);

    # attribute set: { images, programs, target, workspace } by the platform's name. `images` and `programs`
    # are attribute sets of derivations, by the program's name.
    built =
      mapAttrs (platformName: _: let
        target = targets.${platformName};
        workspace = workspaceFor target {
          builtFor =
            if platformName != slipway.buildPlatformName && rows ? ${slipway.buildPlatformName}
            then built.${slipway.buildPlatformName}.workspace.dependencies
            else null;
        };
        byName = f:
          listToAttrs (map (one: {
              inherit (one) name;
              value = f one;
            })
            programs);
        # Returns a derivation with only one of the programs, so that its image does not include the others.
        alone = one:
          if length programs == 1
          then workspace
          else
            derivation {
              inherit system;
              inherit (one) name;
              PATH = "${slipway.bootstrap}/bin";
              args = ["-e" "-c" "mkdir -p $out/bin; cp ${workspace}/bin/${one.name} $out/bin"];
              builder = "${slipway.bootstrap}/bin/bash";
            }
            // {inherit (workspace) runtimeInputs;};
      in {
        inherit target workspace;
        images = byName (one: imageOf target one (alone one));
        programs = byName alone;
      })
      rows;

    imageOf = target: one: package: let
      inherits = manifests.inherits one.local;
      label = name: key: let
        value = inherits key;
      in
        if isString value
        then {"org.opencontainers.image.${name}" = value;}
        else {};
    in
      slipway.image ({
          inherit package target;
          likely = likelyOf target;
          runtimePackages = filter (package: match ".*-dev" package.pin.name == null && !(isBuildInput package)) (librariesOf target);
          entrypoint = "bin/${one.name}";
        }
        // image
        // {
          labels =
            label "description" "description"
            // label "licenses" "license"
            // label "source" "repository"
            // label "version" "version"
            // {"org.opencontainers.image.title" = one.name;}
            // image.labels or {};
        })
      # string: path of the program that the image runs
      // {program = "${package}/bin/${one.name}";};

    platformNames = attrNames rows;
    forPlatforms = f: listToAttrs (concatMap f platformNames);
    named = name: value: {inherit name value;};

    shell = platformName: let
      target = targets.${platformName};
    in
      target.stdenv.mkDerivation (target.cargoEnvironment
        // env
        // {
          name = "${main.name}-${target.platform.debian}";
          buildInputs = librariesOf target;
          configurePlatforms = [];
          nativeBuildInputs = nativeBuildInputs target ++ [(rustOf target)];
        });
  in {
    checks =
      forPlatforms (platformName: let
        inherit (built.${platformName}) images programs target;
        check = kind: one:
          named "${kind}-${one.name}-${platformName}" (slipway.check "${kind}-${one.name}-${platformName}" (./checks + "/${kind}.sh") {
            inherit (target.platform) oci;
            image = images.${one.name};
            exportReferencesGraph = images.${one.name}.graphs;
          });
      in
        concatMap (one: [(check "closure" one) (check "elf" one)]) (map (name: {inherit name;}) (attrNames programs)))
      // (
        if test
        then {
          test = workspaceFor targets.${slipway.buildPlatformName} {
            name = "${main.name}-test";
            cargoCommand = "test";
            cargoDependenciesCommand = "build --tests";
            installPhase = "touch $out";
          };
        }
        else {}
      );

    devShells = mapAttrs (platformName: _: shell platformName) rows // {default = shell slipway.buildPlatformName;};

    packages = let
      indexOf = name: slipway.index (map (platformName: built.${platformName}.images.${name}) platformNames);
    in
      forPlatforms (platformName: let
        inherit (built.${platformName}) images programs;
      in
        [
          (named "image-${platformName}" images.${main.name})
          (named "program-${platformName}" programs.${main.name})
        ]
        ++ concatMap (name: [
          (named "image-${name}-${platformName}" images.${name})
          (named "${name}-${platformName}" programs.${name})
        ]) (attrNames programs))
      // listToAttrs (map (one: named "image-${one.name}" (indexOf one.name)) programs)
      // {
        default = indexOf main.name;
        image = indexOf main.name;
      };
  };

  outputs = mapAttrs outputsFor slipways;
  each = kind: mapAttrs (_: output: output.${kind}) outputs;
in {
  checks = each "checks";
  devShells = each "devShells";
  # `slipway build --platform` reads the project's platforms from here.
  lib.platforms = rows;
  packages = each "packages";
}
