# Images of the programs of somebody's cargo workspace, as outputs of a flake. The toolchain and its pins
# are Slipway's; what the programs link to is pinned by the project's own slipway.lock.
{
  # what default.nix makes, for each build machine
  slipways,
}: {
  # the project's directory: ./.
  src,
  # the pins of target packages
  lock ? src + "/slipway.lock",
  # names such as "linux/arm64"; those that Slipway takes by default
  platforms ? null,
  # Debian packages whose headers and libraries the crates are given; those of slipway.toml
  targetPackages ? null,
  # cargo packages whose programs are wanted; those of the workspace that have any
  packages ? null,
  # the program that `image` runs, where there are several
  program ? null,
  # features of the packages, as in `cargo build --features`
  features ? [],
  defaultFeatures ? true,
  # the Debian package that the compiler is of, rustc or rustc-web; the first that is as new as the
  # workspace's rust-version
  rust ? null,
  # whether `cargo test` is one of the checks
  test ? false,
  # variables for the build, such as LIBSQLITE3_SYS_USE_PKG_CONFIG = "1"
  env ? {},
  # further programs for the build, for a target of lib.targets: target: [target.…]
  nativeBuildInputs ? _: [],
  # arguments for lib.image: cmd, env, expose, labels, user, …
  image ? {},
}: let
  inherit (builtins) all attrNames attrValues compareVersions concatMap concatStringsSep elem filter foldl' fromTOML head isString length listToAttrs map mapAttrs pathExists readFile seq;

  manifests = import ./rust/manifests.nix {root = src;};
  nativeLibraries = (fromTOML (readFile ../crates/slipway/src/native-libraries.toml)).library;

  listed = concatStringsSep ", ";
  namesOf = map (entry: entry.name);
  has = name: entries: elem name (namesOf entries);

  # The programs: { name, local }, of the packages that are wanted.
  enabled = local: let
    table = local.manifest.features or {};
    closure = import ./closure.nix {
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
  # as in `cargo build`
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

  # What `image` runs.
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

  # The base is what every program is linked with; the image takes it from the closure.
  base = ["ca-certificates" "libc6" "libgcc-s1" "libstdc++6"];
  wantedPackages =
    if targetPackages != null
    then targetPackages
    else if pathExists (src + "/slipway.toml")
    then filter (name: !(elem name base)) (fromTOML (readFile (src + "/slipway.toml"))).set.libraries.packages
    else [];

  # rows of platforms.nix, by name
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

  # The newest Rust that a package of the workspace asks for.
  rustVersion = foldl' (newest: version:
    if isString version && compareVersions version newest > 0
    then version
    else newest) "0" (map (local: manifests.inherits local "rust-version") manifests.locals);

  outputsFor = system: slipway: let
    # Whoever takes a target learns first what is not locked for it.
    targets =
      mapAttrs (_: target: seq (librariesOf target) target)
      (slipway.targetsWith ((slipway.debsOf locked).libraries or (throw "slipway.lock has no set libraries; have it in slipway.toml, and run: slipway lock")));

    rustOf = target: let
      inherit (target) rusts;
      # by age
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

    workspaceFor = target: args:
      target.buildWorkspace (env
        // {
          inherit manifests nativeLibraries;
          root = src;
          rust = rustOf target;
          # who names the compiler knows better than the manifests
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

    # platform name → { workspace, programs = { NAME = package; }, images = { NAME = image; } }
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
        # One program of several without the others, so that an image holds what it runs.
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
      # what it runs
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
            inherit (target.platform) elfMachine oci;
            image = images.${one.name};
            exportReferencesGraph = ["closure" programs.${one.name}];
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
  # what `slipway build --platform` goes by
  lib.platforms = rows;
  packages = each "packages";
}
